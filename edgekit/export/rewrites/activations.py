"""Activations in forms of bounded parts.

TensorFlow computes softplus as log(1 + exp(x)): with x up to 12 one int8 step of exp(x) is 640, and what lies below is
lost. Here no part is larger than the input, each is an operator with an int8 form, and none forces its range upon
another: int8 has no NEG and no ELU, and MINIMUM gives its range to its input.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from edgekit.export.rewrites.affine import affine
from edgekit.export.rewrites.view import View, is_a
from edgekit.frameworks.tensorflow import tensorflow, tf_keras
from edgekit.frameworks.types import ConfigValue, KerasConfig, KerasLayer, KerasNode, KerasObject, Tensor
from edgekit.models.keras.calls import flat
from edgekit.models.keras.rebuild import Part, clone

Form = Callable[[Tensor], Tensor]
SELU_SCALE, SELU_ALPHA = 1.05070098735548049342, 1.67326324235437728482
"""Klambauer et al. 2017, arXiv 1706.02515."""
INSIDE = ("activation", "recurrent_activation")
"""Attributes that hold the activation of a layer."""
PARTS = ("layer", "forward_layer", "backward_layer", "cell", "cells")
"""Attributes that hold layers inside of another."""


def bounded_softplus(x: Tensor) -> Tensor:
    """Return log(1 + exp(x)) = relu(x) - log(sigmoid(|x|))."""
    tf = tensorflow()
    return tf.nn.relu(x) - tf.math.log(tf.sigmoid(tf.abs(x)))


def bounded_log_sigmoid(x: Tensor) -> Tensor:
    """Return -softplus(-x) = min(x, 0) + log(sigmoid(|x|))."""
    tf = tensorflow()
    return (x - tf.nn.relu(x)) + tf.math.log(tf.sigmoid(tf.abs(x)))


def bounded_mish(x: Tensor) -> Tensor:
    """Return x * tanh(softplus(x))."""
    return x * tensorflow().tanh(bounded_softplus(x))


def bounded_elu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """Return relu(x) - alpha * (1 - exp(min(x, 0)))."""
    tf = tensorflow()
    positive = tf.nn.relu(x)
    below = 1.0 - tf.exp(x - positive)
    return positive - (below if alpha == 1 else alpha * below)


def bounded_selu(x: Tensor) -> Tensor:
    """Return a scaled ELU."""
    return SELU_SCALE * bounded_elu(x, SELU_ALPHA)


FORMS: dict[str, Form] = {
    "softplus": bounded_softplus,
    "log_sigmoid": bounded_log_sigmoid,
    "mish": bounded_mish,
    "elu": bounded_elu,
    "selu": bounded_selu,
}
"""By the name in TensorFlow and Keras."""


def bound_activations(view: View) -> int:
    """Give layers and operations bounded activations; return how many."""
    places = 0
    for layer in {id(node.layer): node.layer for node in view.nodes}.values():
        chain = _chain(view, layer)
        if chain is not None:
            view.replace(layer, chain)
            places += 1
    for last in view.nodes:
        written = _written_softplus(view, last)
        for node in written:
            view.replace(node.layer, [])
        if written:
            view.replace(last.layer, [Part(_bounded_layer()("softplus", name=last.layer.name))])
            places += 1
    return places


def _written_softplus(view: View, last: KerasNode) -> list[KerasNode]:
    """Return the calls that come before the last one of log1p(exp(x)) or log(1 + exp(x)); none of other operations."""
    before: list[KerasNode] = []
    operation, node = _operation(last), _before(view, last)
    if operation == "log" and node is not None and (numbers := affine(view, node)) is not None:
        before, ones = [node], np.concatenate(numbers)
        node = _before(view, node) if (ones == 1).all() else None
    elif operation != "log1p":
        return []
    return [*before, node] if node is not None and view.simple(node) and _operation(node) == "exp" else []


def _before(view: View, node: KerasNode) -> Tensor:
    """Return the call that makes the only input of a call, if nothing else reads that; else None."""
    if not view.simple(node) or view.reader(node.keras_inputs[0]) is not node:
        return None
    return view.maker(node.keras_inputs[0])


def _operation(node: KerasNode) -> str:
    """Return the last part of the name of TensorFlow's function that a call computes; empty for a layer."""
    if is_a(node.layer, "Activation"):
        return "exp" if node.layer.activation in (tf_keras().activations.exponential, tensorflow().exp) else ""
    return str(node.layer.symbol).rpartition(".")[2] if type(node.layer).__name__ == "TFOpLambda" else ""


def _chain(view: View, layer: KerasLayer) -> list[Part] | None:
    if is_a(layer, "ELU"):
        return [Part(_bounded_layer()("elu", float(layer.alpha), name=layer.name))]
    if type(layer).__name__ == "TFOpLambda":
        name = str(layer.symbol).rpartition(".")[2]
        return [Part(_bounded_layer()(name, name=layer.name))] if name in FORMS and _is_plain(view, layer) else None
    if not _held(layer):
        return None
    copy = clone(layer)
    for holder, key, form in _held(copy):
        setattr(holder, key, form)
    return [Part(copy, layer.get_weights())]


def _held(layer: KerasLayer) -> list[tuple[KerasObject, str, Form]]:
    """Return the holders of activations that need another form: layer, attribute, form."""
    holders = []
    for part in _inside(layer):
        for key in INSIDE:
            if key in vars(part) and (form := _functions().get(id(getattr(part, key)))) is not None:
                holders.append((part, key, form))
    return holders


def _inside(layer: KerasLayer) -> list[KerasNode]:
    """Return a layer of Keras's own and those inside of it; nothing of others, whose code may do what it likes.

    A layer that quantization-aware training wraps to simulate its output is inside its wrapper.
    """
    if not str(type(layer).__module__).startswith(("tf_keras.", "tensorflow_model_optimization.")):
        return []
    layers = [layer]
    for key in PARTS:
        layers += [inner for part in flat(getattr(layer, key, ())) for inner in _inside(part)]
    return layers


def _is_plain(view: View, layer: KerasLayer) -> bool:
    """Return whether an operation is called with a tensor first, and nothing else but a name."""
    nodes = [node for node in view.nodes if node.layer is layer]
    return all(
        len(node.call_args) == len(node.keras_inputs) == 1 and not {*node.call_kwargs} - {"name"} for node in nodes
    )


@cache
def _functions() -> dict[int, Form]:
    """Return the bounded forms by the identity of the function that Keras holds; they are known to Keras from then on.

    A layer that is cloned finds its activation again by the name.
    """
    keras, tf = tf_keras(), tensorflow()
    forms = {}
    for name, form in FORMS.items():
        keras.utils.register_keras_serializable("edgekit")(form)
        for place in (keras.activations, tf.nn, tf.math):
            if hasattr(place, name):
                forms[id(getattr(place, name))] = form
    return forms


@cache
def _bounded_layer() -> Tensor:
    """Return the class of layers that compute a bounded form."""
    keras = tf_keras()

    @keras.utils.register_keras_serializable("edgekit")
    class Bounded(keras.layers.Layer):  # type: ignore[misc,name-defined]
        """A key of `FORMS`, with an alpha for `elu`."""

        def __init__(self, form: str, alpha: float = 1.0, **options: ConfigValue) -> None:
            super().__init__(**options)
            self.form, self.alpha = form, alpha

        def call(self, x: Tensor, name: str | None = None) -> Tensor:
            return bounded_elu(x, self.alpha) if self.form == "elu" else FORMS[self.form](x)

        def get_config(self) -> KerasConfig:
            return {**super().get_config(), "form": self.form, "alpha": self.alpha}

    return Bounded
