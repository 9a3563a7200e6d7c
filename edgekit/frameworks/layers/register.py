"""All rows, and what is derived from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgekit.frameworks.layers import (
    activations,
    convolutions,
    inputs,
    normalization,
    recurrent,
    shapes,
    training,
    wrappers,
)
from edgekit.frameworks.layers.knowledge import LayerKnowledge, Role, Rows

SUBJECTS = (convolutions, recurrent, normalization, activations, shapes, training, inputs, wrappers)
LAYERS: Rows = {name: row for subject in SUBJECTS for name, row in subject.ROWS.items()}
"""Class name to answers, in the order of the subjects."""

CONVOLUTIONS = (Role.CONVOLUTION, Role.DEPTHWISE, Role.SEPARABLE, Role.TRANSPOSED)


def names(condition: Callable[[LayerKnowledge], bool]) -> tuple[str, ...]:
    """Return the classes whose answers meet a condition, in the order of the register."""
    return tuple(name for name, row in LAYERS.items() if condition(row))


def of_role(role: Role) -> tuple[str, ...]:
    """Return the classes of a role."""
    return names(lambda row: row.role is role)


def known(layer: Any) -> LayerKnowledge | None:
    """Return the answers for a layer, by the name of its class; None for a class that is not in the register.

    A user's subclass has a name of its own mostly, but not always: where that matters, compare the class itself.
    """
    return LAYERS.get(type(layer).__name__)


def is_batch_normalization(layer: Any) -> bool:
    """Return whether a layer normalizes by the statistics of a batch while training, and by moving ones afterwards."""
    row = known(layer)
    return row is not None and row.export.affine == "batch-normalization"
