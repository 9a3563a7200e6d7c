"""Activations in forms of bounded parts.

TensorFlow computes softplus as log(1 + exp(x)): with x up to 12 one int8 step of exp(x) is 640, and what lies below is
lost. Here no part is larger than the input, each is an operator with an int8 form, and none needs the range of another:
int8 has no NEG, and MINIMUM forces its range upon its input.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgekit.backend import tensorflow, tf_keras
from edgekit.export.rewrites.view import View, is_a
from edgekit.techniques.channels.graph import flat
from edgekit.techniques.rebuild import Part, clone

SELU_SCALE, SELU_ALPHA = 1.05070098735548049342, 1.67326324235437728482
"""Klambauer et al. 2017, arXiv 1706.02515."""
Form = Callable[[Any], Any]
INSIDE = ("activation", "recurrent_activation")
"""Attributes that hold the activation of a layer."""
PARTS = ("layer", "forward_layer", "backward_layer", "cell", "cells")
"""Attributes that hold a layer inside of another."""


def softplus(x: Any) -> Any:
    """log(1 + exp(x)) = relu(x) - log(sigmoid(|x|))."""
    tf = tensorflow()
    return tf.nn.relu(x) - tf.math.log(tf.sigmoid(tf.abs(x)))


def log_sigmoid(x: Any) -> Any:
    """-softplus(-x) = min(x, 0) + log(sigmoid(|x|))."""
    tf = tensorflow()
    return (x - tf.nn.relu(x)) + tf.math.log(tf.sigmoid(tf.abs(x)))


def mish(x: Any) -> Any:
    """x * tanh(softplus(x))."""
    return x * tensorflow().tanh(softplus(x))


def elu(x: Any, alpha: float = 1.0) -> Any:
    """relu(x) - alpha * (1 - exp(min(x, 0)))."""
    tf = tensorflow()
    positive = tf.nn.relu(x)
    below = 1.0 - tf.exp(x - positive)
    return positive - (below if alpha == 1 else alpha * below)


def selu(x: Any) -> Any:
    """A scaled `elu`."""
    return SELU_SCALE * elu(x, SELU_ALPHA)


OPERATIONS: dict[str, Form] = {
    "math.softplus": softplus,
    "math.log_sigmoid": log_sigmoid,
    "nn.elu": elu,
    "nn.selu": selu,
}
"""By TensorFlow's name of an operation of one tensor."""


def bounded(function: Any) -> Form | None:
    """Return the bounded form of an activation; None if it needs none."""
    if function is None:
        return None
    nn, activations = tensorflow().nn, tf_keras().activations
    known = {
        softplus: (activations.softplus, nn.softplus),
        log_sigmoid: (tensorflow().math.log_sigmoid,),
        mish: (activations.mish,),
        elu: (activations.elu, nn.elu),
        selu: (activations.selu, nn.selu),
    }
    return next((form for form, names in known.items() if function in names), None)


def bound_activations(view: View) -> int:
    """Give layers and operations bounded activations; return how many."""
    places = 0
    for layer in {id(node.layer): node.layer for node in view.nodes}.values():
        chain = _chain(view, layer)
        if chain is not None:
            view.replace(layer, chain)
            places += 1
    return places


def _chain(view: View, layer: Any) -> list[Part] | None:
    keras = tf_keras()
    if is_a(layer, "ELU"):
        alpha = float(layer.alpha)
        return [Part(keras.layers.Activation(lambda x: elu(x, alpha), name=layer.name))]
    if type(layer).__name__ == "TFOpLambda":
        form = OPERATIONS.get(layer.symbol) if _of_one_tensor(view, layer) else None
        return None if form is None else [Part(_operation(form, layer.name))]
    if not _held(layer):
        return None
    copy = clone(layer)
    for holder, key, form in _held(copy):
        setattr(holder, key, form)
    return [Part(copy, layer.get_weights())]


def _held(layer: Any) -> list[tuple[Any, str, Form]]:
    """Return the holders of activations that need another form: layer, attribute, form."""
    return [
        (part, key, form)
        for part in _inside(layer)
        for key in INSIDE
        if key in vars(part) and (form := bounded(getattr(part, key))) is not None
    ]


def _operation(form: Form, name: str) -> Any:
    kind = tf_keras().src.layers.core.tf_op_layer.TFOpLambda
    return kind(lambda x=None, features=None: form(features if x is None else x), name=name)


def _of_one_tensor(view: View, layer: Any) -> bool:
    return all(
        len(flat((node.call_args, {k: v for k, v in node.call_kwargs.items() if k != "name"}))) == 1
        for node in view.nodes
        if node.layer is layer
    )


def _inside(layer: Any) -> list[Any]:
    """Return a layer of Keras's own and those inside of it; nothing of others, whose code may do what it likes."""
    if not str(type(layer).__module__).startswith("tf_keras."):
        return []
    found = [layer]
    for key in PARTS:
        found += [inner for part in flat(getattr(layer, key, ())) for inner in _inside(part)]
    return found
