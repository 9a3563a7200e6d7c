"""Activations of Keras 3 in Keras 2, which knows half of them and computes `hard_sigmoid` differently.

What Keras 2 lacks becomes layers of its own behind the layer, built from layers that convert and quantize.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgekit.frameworks.tensorflow import keras3, tf_keras
from edgekit.frameworks.types import KerasConfig, Tensor

Step = Callable[[Tensor], Tensor]
"""Takes and returns a symbolic Keras 2 tensor."""

SAME = frozenset(
    (
        *("elu", "exponential", "gelu", "linear", "mish", "relu", "selu"),
        *("sigmoid", "softmax", "softplus", "softsign", "tanh"),
    )
)
"""Activations with the same name and meaning in both."""

RENAMED = {**{name: name for name in SAME}, "silu": "swish", "swish": "swish", "celu": "elu"}
"""Keras 3 name to Keras 2 name; the defaults of `celu` make it an `elu`."""


@dataclass(frozen=True)
class Recipe:
    """An activation f(x) in Keras 2 layers.

    Attributes:
        steps: class and arguments of the layers, applied one after the other to give g(x).
        combine: empty for f(x) = g(x), else the class of a merging layer: f(x) = combine([x, g(x)]).
    """

    steps: tuple[tuple[str, KerasConfig], ...]
    combine: str = ""


def _clip(shift: float, top: float, back: float, scale: float = 1.0) -> tuple[tuple[str, KerasConfig], ...]:
    """(min(max(x + shift, 0), top) + back) * scale."""
    return (
        ("Rescaling", {"scale": 1.0, "offset": shift}),
        ("ReLU", {"max_value": top}),
        ("Rescaling", {"scale": scale, "offset": back * scale}),
    )


RECIPES: dict[str, Recipe] = {
    "relu6": Recipe((("ReLU", {"max_value": 6.0}),)),
    "leaky_relu": Recipe((("LeakyReLU", {"alpha": 0.2}),)),
    "hard_sigmoid": Recipe(_clip(3.0, 6.0, 0.0, 1 / 6)),
    "hard_silu": Recipe(_clip(3.0, 6.0, 0.0, 1 / 6), "Multiply"),
    "hard_swish": Recipe(_clip(3.0, 6.0, 0.0, 1 / 6), "Multiply"),
    "hard_tanh": Recipe(_clip(1.0, 2.0, -1.0)),
    "sparse_sigmoid": Recipe(_clip(1.0, 2.0, 0.0, 0.5)),
    "soft_shrink": Recipe(_clip(0.5, 1.0, -0.5), "Subtract"),
    "tanh_shrink": Recipe((("Activation", {"activation": "tanh"}),), "Subtract"),
    "log_sigmoid": Recipe(
        (("Rescaling", {"scale": -1.0}), ("Activation", {"activation": "softplus"}), ("Rescaling", {"scale": -1.0}))
    ),
}

TRACED = frozenset(("glu", "hard_shrink", "log_softmax", "sparse_plus", "sparsemax", "squareplus"))
"""Rare ones: Keras 3's own function is applied to the Keras 2 tensor, which records TensorFlow operations."""


def is_known(activation: str) -> bool:
    """Return whether the activation can be expressed at all."""
    return activation in RENAMED or activation in RECIPES or activation in TRACED


def step(activation: str, name: str) -> Step:
    """Make the layers for an activation that is not in `RENAMED`; the last one is called `name`."""
    layers = tf_keras().layers
    if activation in TRACED:
        last = layers.Activation("linear", name=name)
        return lambda x: last(getattr(keras3().activations, activation)(x))
    recipe = RECIPES[activation]
    names = [f"{name.removesuffix(f'_{activation}')}_{activation}_{index + 1}" for index in range(len(recipe.steps))]
    if not recipe.combine:
        names[-1] = name
    chain = [getattr(layers, kind)(**kwargs, name=n) for (kind, kwargs), n in zip(recipe.steps, names, strict=True)]
    combine = getattr(layers, recipe.combine)(name=name) if recipe.combine else None

    def apply(x: Tensor) -> Tensor:
        y = x
        for layer in chain:
            y = layer(y)
        return y if combine is None else combine([x, y])

    return apply
