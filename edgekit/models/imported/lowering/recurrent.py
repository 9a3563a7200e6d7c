"""LSTM and GRU."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.frameworks.tensorflow import tf_keras
from edgekit.frameworks.types import ConfigValue
from edgekit.models.imported.graph import Recurrent
from edgekit.models.imported.lowering.builder import Builder, Operand
from edgekit.models.imported.lowering.value import Value
from edgekit.models.imported.operators import Unsupported
from edgekit.tasks.samples import Array


def recurrent(op: Recurrent, inputs: Sequence[Operand], b: Builder, outputs: Sequence[str]) -> list[Value | None]:
    """Return the outputs: of all steps (steps, directions, batch, units), the last state, and that of the cell.

    Raises:
        Unsupported: more is asked of it than Keras's layer gives.
    """
    x = b.arranged(b.computed(inputs[0]), (0, 2), 1)
    used = [bool(name) and name in b.read for name in (*outputs, "", "", "")[:3]]
    if used[2]:
        raise Unsupported("the last state of its cell is used")
    if op.backwards == (True,):
        raise Unsupported("it goes backwards only")
    units, both = op.recurrent[0].shape[0], len(op.backwards) == 2
    options: dict[str, ConfigValue] = {"units": units, "return_sequences": used[0]}
    if op.kind == "GRU":
        options["reset_after"] = op.reset_after
    if both:
        inner = getattr(tf_keras().layers, op.kind)(**options)
        layer = b.layer("Bidirectional", layer=inner, merge_mode="concat")
    else:
        layer = b.layer(op.kind, **options)
    made = layer(x.tensor)
    weights: list[Array] = []
    for parts in zip(op.kernels, op.recurrent, op.biases, strict=True):
        weights += parts
    layer.set_weights(weights)
    steps, directions = x.shape[0], len(op.backwards)
    if not used[0]:
        state = Value(b.resized(made, (directions, units)), (directions, 1, units), (0, 2), 1)
        return [None, state]
    sequence = Value(b.resized(made, (steps, directions, units)), (steps, directions, 1, units), (0, 1, 3), 2)
    if not used[1]:
        return [sequence, None]
    if both:
        raise Unsupported("all steps and the last state of both directions are used")
    last = Value(b.resized(made[:, -1], (1, units)), (1, 1, units), (0, 2), 1)
    return [sequence, last]
