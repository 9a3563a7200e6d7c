"""LSTM and GRU of ONNX. Definitions: https://onnx.ai/onnx/operators; gates of ONNX are i, o, f, c and z, r, h."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.models.imported.graph import Recurrent, Step
from edgekit.models.imported.operators import Unsupported
from edgekit.models.imported.reading.at import At
from edgekit.tasks.samples import Array

_USUAL = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh")}
_GATES = {"LSTM": (0, 2, 3, 1), "GRU": (0, 1, 2)}
"""Places in ONNX of the gates of Keras: i, f, c, o and z, r, h."""


def recurrent(at: At) -> Sequence[Step]:
    """LSTM or GRU with zero initial states, over whole sequences."""
    node, kind = at.node, at.node.kind
    steps, _, _ = at.shape()
    backwards = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}[
        node.text("direction", "forward")
    ]
    lengths = at.known(4)
    if at.has(4) and (lengths is None or (lengths != steps).any()):
        raise Unsupported("its sequences have lengths of their own")
    for place in (5, 6)[: 2 if kind == "LSTM" else 1]:
        state = at.known(place)
        if at.has(place) and (state is None or np.any(state)):
            raise Unsupported("its initial state is not zero")
    activations = node.attributes.get("activations", ())
    if activations and tuple(activations) != _USUAL[kind] * len(backwards):  # type: ignore[arg-type]
        raise Unsupported("its activations are not the usual ones")
    if node.integer("layout") or node.integer("input_forget") or node.real("clip") or at.has(7):
        raise Unsupported("it has clipping, peepholes, coupled gates or the batch first")
    reset_after = kind == "LSTM" or bool(node.integer("linear_before_reset"))
    kernels, states = (_gates(at.weights(place, "weights"), kind) for place in (1, 2))
    hidden = states[0].shape[0]
    bias = at.bias(3)
    if bias is None:
        bias = np.zeros((len(backwards), 2 * len(_GATES[kind]) * hidden), np.float32)
    return [
        Step(
            Recurrent(
                "LSTM" if kind == "LSTM" else "GRU",
                tuple(kernels),
                tuple(states),
                tuple(_bias(row, kind, hidden, reset_after) for row in bias),
                reset_after,
                backwards,
            ),
            node.inputs[:1],
            node.outputs,
            node,
        )
    ]


def _gates(weights: Array, kind: str) -> list[Array]:
    """Return (directions, gates * units, n) as (n, gates * units) of every direction, in the order of Keras."""
    count = len(_GATES[kind])
    parts = weights.reshape(len(weights), count, -1, weights.shape[-1])[:, list(_GATES[kind])]
    return [np.ascontiguousarray(part.reshape(-1, weights.shape[-1]).T) for part in parts]


def _bias(row: Array, kind: str, units: int, reset_after: bool) -> Array:
    parts = row.reshape(2, len(_GATES[kind]), units)[:, list(_GATES[kind])].reshape(2, -1)
    return parts if kind == "GRU" and reset_after else parts.sum(axis=0)
