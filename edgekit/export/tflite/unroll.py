"""Loops over time, which TensorFlow's quantizer cannot take: it dies of SIGSEGV on calibrating a WHILE operator.

LSTM layers become an operator of their own, unless they are masked, read backwards or have other activations than the
default. Those, and GRU, SimpleRNN and RNN layers, stay loops, unless they are unrolled: then every step is written out,
which needs a fixed number of steps and makes the file larger. ConvLSTM layers cannot be.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

from edgekit.errors import ConversionError
from edgekit.frameworks.layers.knowledge import Loop
from edgekit.frameworks.layers.register import names
from edgekit.frameworks.tensorflow import tf_keras
from edgekit.frameworks.types import KerasLayer, KerasModel

LOOPS = names(lambda row: row.loop is Loop.UNROLLED)
ALL = names(lambda row: row.loop in (Loop.UNROLLED, Loop.FUSED))
"""With layers that mostly are no loops."""


def unrolled(model: KerasModel, kinds: Sequence[str] = LOOPS) -> KerasModel:
    """Return a copy of a tf_keras model in which such layers are unrolled; the model itself without any.

    Args:
        model: a tf_keras model; others come back as they are.
        kinds: class names of the layers to unroll.
    """
    if not _loops(model, kinds):
        return model
    from edgekit.models.keras.quantized import scope

    with scope():  # layers that simulate quantization are cloned, too
        copy = _copy(model, kinds)
    copy.set_weights(model.get_weights())
    return copy


def refuse_loops(what: str) -> ConversionError:
    """Return the error for a loop that was not unrolled."""
    return ConversionError(
        f"{what}: the model holds a loop (WHILE), on which TensorFlow's quantizer crashes",
        "give LSTM, GRU and SimpleRNN layers a fixed number of time steps; ConvLSTM has no int8 form; float16 works",
        code="loop-not-quantizable",
    )


def _loops(layer: KerasLayer, kinds: Sequence[str], steps: int | None = None) -> bool:
    """Return whether a layer, or one inside it, is a loop of a known number of steps; a wrapper's are those inside."""
    steps = steps or _steps(layer)
    if type(layer).__name__ in kinds:
        return not layer.unroll and steps is not None
    wrapped = [part for key in ("layer", "forward_layer") if (part := getattr(layer, key, None)) is not None]
    inner = getattr(layer, "layers", ())
    return any(_loops(part, kinds, steps) for part in wrapped) or any(_loops(part, kinds) for part in inner)


def _steps(layer: KerasLayer) -> int | None:
    try:
        steps: int | None = layer.input_shape[1]
    except (AttributeError, IndexError, TypeError):  # inside a wrapper, or with several inputs
        return None
    return steps if isinstance(steps, int) else None


def _copy(model: KerasModel, kinds: Sequence[str]) -> KerasModel:
    keras = tf_keras()

    def clone(layer: KerasLayer) -> KerasLayer:
        if isinstance(layer, keras.Model):
            return _copy(layer, kinds)
        config = deepcopy(layer.get_config())  # a Bidirectional layer gives away its own
        if _loops(layer, kinds):
            for part in (config, *(config[key]["config"] for key in ("layer", "backward_layer") if key in config)):
                if "unroll" in part:
                    part["unroll"] = True
        return layer.__class__.from_config(config)

    return keras.models.clone_model(model, clone_function=clone)
