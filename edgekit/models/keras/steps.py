"""The first operations of a Keras model, behind each of its inputs. Keras 2 and 3, without importing either."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from edgekit.formats.steps import Step, arithmetic, normalising, reverses
from edgekit.frameworks.layers.knowledge import Values
from edgekit.frameworks.layers.register import known
from edgekit.frameworks.types import ConfigValue, KerasLayer

_NEUTRAL = (Values.KEEPS, Values.MOVES, Values.DROPS, Values.REPEATS)
_OPERATIONS = {
    **{"add": "add", "add_v2": "add", "bias_add": "add", "subtract": "subtract", "sub": "subtract"},
    **{"multiply": "multiply", "mul": "multiply", "divide": "divide", "truediv": "divide", "true_divide": "divide"},
    **{"divide_no_nan": "divide", "div": "divide", "truedivide": "divide"},
}
"""Last word of an operation's public name, in lower case."""
_NEUTRAL_OPERATIONS = (
    "cast",
    "identity",
    "reshape",
    "expand_dims",
    "squeeze",
    "transpose",
    "pad",
    "stop_gradient",
    "resize",
)


def layer_step(layer: KerasLayer) -> Step:
    """Return what a layer, or an operation of Keras 3, does with the values of its input."""
    kind, row = type(layer).__name__, known(layer)
    values = row.values if row is not None else Values.COMPUTES
    if values is Values.SCALES:
        factor, offset = (np.ravel(np.asarray(v, np.float64)) for v in (layer.scale, layer.offset))
        return Step("affine", kind, tuple(factor.tolist()), tuple(offset.tolist()))
    if values is Values.NORMALIZES:
        return _normalising(layer, kind)
    if values is Values.LOOKS_UP:
        return Step("tokens", kind, vocabulary=int(layer.input_dim))
    if getattr(layer, "weights", None):
        return Step("weights", kind)
    operation = _operation(layer, kind)
    if operation is not None:
        return _operation_step(layer, kind, operation)
    return Step("neutral" if values in _NEUTRAL else "other", kind)


def _normalising(layer: KerasLayer, kind: str) -> Step:
    moving = "moving_" if hasattr(layer, "moving_mean") else ""
    return normalising(kind, getattr(layer, f"{moving}mean", None), getattr(layer, f"{moving}variance", None))


def _operation(layer: KerasLayer, kind: str) -> str | None:
    """Return the last word of an operation's name; None for a layer."""
    if kind in ("TFOpLambda", "SlicingOpLambda"):
        return str(getattr(layer, "symbol", None) or getattr(layer, "function", "")).rpartition(".")[2].lower()
    module = str(type(layer).__module__)
    if module.startswith(("keras.src.ops.", "keras.ops")) or ".src.ops." in module:
        return {"getitem": "getitem", "flip": "reverse", "take": "gather"}.get(kind.lower(), kind.lower())
    return None


def _operation_step(layer: KerasLayer, kind: str, operation: str) -> Step:
    word = operation.strip("_")
    name = f"{kind}:{word}" if kind.endswith("Lambda") else kind
    operands = list(_operands(layer))
    tensors = [place for place, value in enumerate(operands) if hasattr(value, "_keras_history")]
    if word in _OPERATIONS and len(tensors) == 1 and len(operands) > 1:
        constants = [value for place, value in enumerate(operands) if place not in tensors and _are_numbers(value)]
        if len(constants) == 1:
            return arithmetic(name, _OPERATIONS[word], np.asarray(constants[0]), swapped=tensors[0] != 0)
    if word == "reverse":
        rank = len(operands[tensors[0]].shape) if tensors else 1
        axes = [v for v in (*operands[1:], getattr(layer, "axis", None)) if _are_numbers(v)]
        return Step("reverse" if axes and rank - 1 in np.ravel(axes[0]) % rank else "neutral", name)
    if word == "getitem":
        return Step(_sliced(operands[1:], getattr(layer, "key", None)), name)
    if word == "gather" and any(_are_numbers(v) and reverses(v) for v in operands[1:]):
        return Step("reverse", name)
    return Step("neutral" if word in _NEUTRAL_OPERATIONS else "other", name)


def _operands(layer: KerasLayer) -> Iterator[ConfigValue]:
    """Yield the arguments of an operation's call, in order, without those that are none."""
    nodes = getattr(layer, "_inbound_nodes", None) or []
    if not nodes:
        return
    arguments = getattr(nodes[0], "arguments", None)
    args = nodes[0].call_args if arguments is None else arguments.args
    kwargs = nodes[0].call_kwargs if arguments is None else arguments.kwargs
    yield from args
    for key, value in kwargs.items():
        if key not in ("name", "data_format", "dtype") and value is not None:
            yield value


def _sliced(rest: Sequence[ConfigValue], own: ConfigValue) -> str:
    """Whether indexing turns the last axis round."""
    spec = rest[0] if rest else own
    last = spec[-1] if isinstance(spec, (list, tuple)) and spec else spec
    step = last.get("step") if isinstance(last, dict) else last.step if isinstance(last, slice) else None
    return "reverse" if isinstance(step, (int, np.integer)) and step < 0 else "neutral"


def _are_numbers(value: ConfigValue) -> bool:
    if value is None or isinstance(value, (str, bool, dict)) or hasattr(value, "_keras_history"):
        return False
    try:
        return np.asarray(value).dtype.kind in "iuf"
    except (TypeError, ValueError, AttributeError):
        return False
