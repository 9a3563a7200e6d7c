"""Channel ids: which channels are one and the same, and which must stay.

A tensor's channels are its last axis. Every channel of every tensor has an id; ids that must go together are tied
(union-find), ids that must stay are fixed with a reason. A layer that leaves its channels as they are passes the
array of ids on; Flatten repeats it once per position, Concatenate joins arrays, Add ties them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgekit.frameworks.types import ConfigValue, KerasLayer
from edgekit.models.keras.calls import Shape

Ids = NDArray[np.int64]
"""One id a channel, in the order of the channels."""

Kept = NDArray[np.bool_]
"""One flag an id: whether its channel stays."""

MAKES, CARRIES = "makes", "carries"
"""Roles: a layer that makes new channels from all it reads; one that treats every channel by itself, with weights."""


@dataclass(frozen=True)
class Slices:
    """How the weights and the configuration of a layer class depend on its channels.

    Attributes:
        role: `makes` or `carries`.
        axes: weight attribute to {axis: side}. Sides: `in`, `out`, `between` (the channels between the two kernels of
            a separable convolution).
        size: the configuration key that holds the number of output channels.
        kernel: the weight attribute that holds the filters, of layers that importance is judged by.
    """

    role: str
    axes: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    size: str = ""
    kernel: str = ""


@dataclass(frozen=True)
class LayerChannels:
    """A layer whose weights or configuration depend on channels.

    Attributes:
        path: its name, after the names of the nested models around it: `backbone/conv1`.
        layer: the tf_keras layer.
        slices: how they depend.
        ids_in, ids_out: ids of the channels read and made (or passed on).
    """

    path: str
    layer: KerasLayer
    slices: Slices
    ids_in: Ids
    ids_out: Ids


@dataclass(frozen=True)
class Call:
    """One call of a layer.

    Attributes:
        path, layer: as in `LayerChannels`.
        ids: of the channels of every input tensor; empty where a tensor has no known channels.
        shapes, output_shapes: of input and output tensors, batch first.
        constants: arguments that are no tensors.
        swapped: whether the first argument is a constant.
    """

    path: str
    layer: KerasLayer
    ids: list[Ids]
    shapes: list[Shape]
    output_shapes: list[Shape]
    constants: list[ConfigValue] = field(default_factory=list)
    swapped: bool = False

    @property
    def label(self) -> str:
        """The layer with its class, for messages."""
        return f"{self.path} ({type(self.layer).__name__})"


class Tracker:
    """The ids of one analysis, and the layers that depend on them."""

    def __init__(self) -> None:
        self.book: dict[str, LayerChannels] = {}
        self._parents: list[int] = []
        self._reasons: dict[int, str] = {}

    def fresh(self, shape: Shape) -> Ids:
        """Return new ids for the channels of a tensor."""
        count = (shape[-1] or 0) if len(shape) > 1 else 0
        start = len(self._parents)
        self._parents += range(start, start + count)
        return np.arange(start, start + count)

    def root(self, index: int) -> int:
        """Return the id that stands for all that are tied to this one."""
        while self._parents[index] != index:
            self._parents[index] = index = self._parents[self._parents[index]]
        return index

    def roots(self) -> Ids:
        """Return the root of every id."""
        return np.asarray([self.root(index) for index in range(len(self._parents))], np.int64)

    def tie(self, left: Ids, right: Ids) -> None:
        """Let channels go together, pairwise. Equal ids cost nothing."""
        for a, b in zip(left.tolist(), right.tolist(), strict=True):
            first, second = sorted((self.root(a), self.root(b)))
            if first != second:
                self._parents[second] = first
                reason = self._reasons.pop(second, None)
                if reason is not None:
                    self._reasons.setdefault(first, reason)

    def fix(self, ids: Ids, reason: str) -> None:
        """Let channels stay. `reason` completes "is not pruned: ..."."""
        for index in ids.tolist():
            self._reasons.setdefault(self.root(index), reason)

    def reason(self, index: int) -> str | None:
        """Return why a channel must stay, or None."""
        return self._reasons.get(self.root(index))

    def enter(self, call: Call, slices: Slices, ids_in: Ids, ids_out: Ids | None = None) -> Ids:
        """Note a layer that depends on its channels; a layer called again has the same channels again.

        Args:
            call: the call.
            slices: how the layer depends on them.
            ids_in: what it reads.
            ids_out: what it passes on; None makes new ids.

        Returns:
            The ids of the output channels.
        """
        before = self.book.get(call.path)
        if before is None:
            made = self.fresh(call.output_shapes[0]) if ids_out is None else ids_out
            self.book[call.path] = LayerChannels(call.path, call.layer, slices, ids_in, made)
            return made
        self.tie(before.ids_in, ids_in)
        if ids_out is not None:
            self.tie(before.ids_out, ids_out)
        return before.ids_out

    def keep_all(self, call: Call, why: str) -> list[Ids]:
        """Leave everything that touches a call as it is.

        Args:
            call: the call.
            why: what is special about it, part of a sentence.

        Returns:
            New, fixed ids for its outputs.
        """
        for ids in call.ids:
            self.fix(ids, f"its channels reach {call.label}, {why}")
        outputs = [self.fresh(shape) for shape in call.output_shapes]
        for ids in outputs:
            self.fix(ids, f"its channels are tied to those of {call.label}, {why}")
        return outputs
