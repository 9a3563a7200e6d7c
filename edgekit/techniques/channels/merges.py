"""How channels pass through layers and operations that join several tensors."""

from __future__ import annotations

import numpy as np

from edgekit.techniques.channels.flows import keep
from edgekit.techniques.channels.tracking import Call, Ids, Tracker

ADDING = ("__operators__.add", "math.add", "math.subtract", "math.maximum", "math.minimum")
MULTIPLYING = ("math.multiply",)
SCALING = ("math.divide", "math.truediv", "__operators__.truediv")
SINGLE = (
    "nn.relu", "nn.relu6", "nn.leaky_relu", "nn.elu", "nn.selu", "nn.gelu", "nn.silu", "nn.swish", "nn.softplus",
    "nn.softsign", "nn.sigmoid", "math.sigmoid", "math.tanh", "math.exp", "math.abs", "math.negative", "math.square",
    "keras.activations.relu", "clip_by_value",
)  # fmt: skip


def add(call: Call, tracker: Tracker) -> list[Ids]:
    """Add, Subtract, Average, Maximum, Minimum: channel i of all inputs goes together."""
    if len({len(ids) for ids in call.ids}) > 1:
        return tracker.keep_all(call, "which spreads one channel over all others")
    return _tied(call.ids, tracker)


def multiply(call: Call, tracker: Tracker) -> list[Ids]:
    """Multiply: as `add`; but a single channel that scales all others, such as spatial attention, stays."""
    wide = [ids for ids in call.ids if len(ids) > 1]
    if not wide:
        return add(call, tracker)
    if len({len(ids) for ids in wide}) > 1:
        return tracker.keep_all(call, "whose inputs have unlike numbers of channels")
    for ids in call.ids:
        if len(ids) == 1:
            tracker.fix(ids, f"it is the only channel, and {call.label} spreads it over all others")
    return _tied(wide, tracker)


def concatenate(call: Call, tracker: Tracker) -> list[Ids]:
    """Concatenate: one after the other on the channel axis; tied on any other."""
    rank = len(call.shapes[0])
    axis = call.layer.axis % rank
    if axis == rank - 1:
        return [np.concatenate(call.ids)]
    if axis == 0:
        return tracker.keep_all(call, "which joins samples")
    return add(call, tracker)


def operation(call: Call, tracker: Tracker) -> list[Ids]:
    """Arithmetic written as `x + y`: with another tensor as `add` and `multiply`, with a number as `keep`."""
    symbol = str(getattr(call.layer, "symbol", "")).removeprefix("tf.")
    if not all(map(_is_single, call.constants)):
        return tracker.keep_all(call, "an operation with a constant tensor")
    single = len(call.ids) == 1
    if single and (symbol in (*ADDING, *MULTIPLYING, *SINGLE) or (symbol in SCALING and not call.swapped)):
        return keep(call, tracker)
    if symbol in ADDING and not single:
        return add(call, tracker)
    if symbol in MULTIPLYING and not single:
        return multiply(call, tracker)
    return tracker.keep_all(call, "an operation that edgekit does not know")


def _is_single(value: object) -> bool:
    return isinstance(value, (int, float, str, type(None))) or getattr(value, "shape", None) == ()


def _tied(parts: list[Ids], tracker: Tracker) -> list[Ids]:
    for ids in parts[1:]:
        tracker.tie(parts[0], ids)
    return [parts[0]]
