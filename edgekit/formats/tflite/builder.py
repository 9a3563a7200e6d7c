"""A flatbuffers builder that stores equal parts once and leaves few gaps.

It has the methods that generated `Pack` functions call, so it takes the place of `flatbuffers.Builder`. Parts are kept
as nodes of a graph until `Finish`; equal ones become one node, bottom up, so that whole tables are shared too. Readers
follow offsets and cannot tell. Flatbuffers allow it: an offset must point forward, and nothing says that only one may
point at a place.
"""

from __future__ import annotations

import struct
from bisect import bisect_right, insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from edgekit.formats.tflite.graph import IDENTIFIER
from edgekit.formats.types import Number, TfliteModel
from edgekit.formats.values import Array

BULK_ALIGNMENT = 16
"""Of byte vectors: what TFLite's schema asks for where constants stand (`force_align: 16`)."""

_HEADER = 8


def rebuilt(model: TfliteModel) -> bytes:
    """Return the flatbuffer of a TFLite `ModelT`."""
    builder = Builder()
    return builder.Finish(model.Pack(builder), IDENTIFIER)


@dataclass(frozen=True)
class _Node:
    """A table, vtable, vector or string.

    Attributes:
        data: its bytes, zero where offsets go.
        refs: where its offsets stand, and the nodes they point at.
        align: its address plus `shift` is a multiple of this.
        shift: 4 where a length or a vtable offset comes before what is aligned.
        vtable: the node of a table's vtable; 0 for all else.
        serial: not 0 in nodes that are never shared.
    """

    data: bytes
    refs: tuple[tuple[int, int], ...] = ()
    align: int = 4
    shift: int = 0
    vtable: int = 0
    serial: int = 0

    def place(self, cursor: int) -> int:
        """Return the first address from `cursor` on where it may stand."""
        return cursor + -(cursor + self.shift) % self.align


def _slot(code: str) -> Callable[[Builder, int, Number, Number], None]:
    form = struct.Struct(f"<{code}")

    def prepend(self: Builder, slot: int, value: Number, default: Number) -> None:
        if value != default:
            self._fields[slot] = form.pack(value)

    return prepend


def _element(code: str) -> Callable[[Builder, Number], None]:
    form = struct.Struct(f"<{code}")

    def prepend(self: Builder, value: Number) -> None:
        self._elements.append(form.pack(value))

    return prepend


class Builder:
    """Makes one flatbuffer; what the methods do is documented with `flatbuffers.Builder`.

    The values that they return stand for nodes. Byte vectors (`CreateNumpyVector` of uint8) are aligned to
    `BULK_ALIGNMENT` and never shared: readers tell constants apart by where they stand.
    """

    def __init__(self) -> None:
        self._nodes = [_Node(b"")]  # 0 means none
        self._known: dict[_Node, int] = {}
        self._fields: dict[int, bytes | int] = {}
        self._elements: list[bytes | int] = []
        self._vector_align = 4

    PrependBoolSlot = _slot("?")
    PrependInt8Slot, PrependUint8Slot = _slot("b"), _slot("B")
    PrependInt32Slot, PrependUint32Slot = _slot("i"), _slot("I")
    PrependInt64Slot, PrependUint64Slot = _slot("q"), _slot("Q")
    PrependFloat32Slot = _slot("f")
    PrependBool = _element("?")
    PrependUint8, PrependUint16 = _element("B"), _element("H")
    PrependInt32, PrependUint32 = _element("i"), _element("I")
    PrependInt64, PrependFloat32 = _element("q"), _element("f")

    def StartObject(self, numfields: int) -> None:
        """Begin a table."""
        self._fields = {}

    def PrependUOffsetTRelativeSlot(self, slot: int, target: int, default: int) -> None:
        """Point a field of the table at a node."""
        if target != default:
            self._fields[slot] = target

    def EndObject(self) -> int:
        """Finish a table: wide fields first, so that it has no gaps."""
        widths = {slot: 4 if isinstance(value, int) else len(value) for slot, value in self._fields.items()}
        data, refs = bytearray(4), []
        places = [0] * (max(widths, default=-1) + 1)
        for slot in sorted(widths, key=lambda s: (-widths[s], s)):
            places[slot] = len(data)
            value = self._fields[slot]
            if isinstance(value, int):
                refs.append((len(data), value))
            data += bytes(4) if isinstance(value, int) else value
        shape = struct.pack(f"<HH{len(places)}H", 4 + 2 * len(places), len(data), *places)
        vtable = self._add(_Node(shape, align=2))
        # 8-byte fields begin at byte 4, behind the offset of the vtable.
        align = max(4, *widths.values()) if widths else 4
        return self._add(_Node(bytes(data), tuple(refs), align, 4, vtable))

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> None:
        """Begin a vector; its elements come last to first."""
        self._elements, self._vector_align = [], max(4, alignment)

    def PrependUOffsetTRelative(self, target: int) -> None:
        """Add a node to the vector."""
        self._elements.append(target)

    def EndVector(self) -> int:
        """Finish a vector."""
        elements = self._elements[::-1]
        refs = tuple((4 + 4 * i, e) for i, e in enumerate(elements) if isinstance(e, int))
        data = b"".join(bytes(4) if isinstance(e, int) else e for e in elements)
        return self._add(_Node(struct.pack("<I", len(elements)) + data, refs, self._vector_align, 4))

    def CreateNumpyVector(self, x: Array) -> int:
        """Store an array of one axis."""
        data = struct.pack("<I", len(x)) + x.astype(x.dtype.newbyteorder("<"), copy=False).tobytes()
        if x.dtype == np.uint8:
            return self._add(_Node(data, (), BULK_ALIGNMENT, 4, serial=len(self._nodes)))
        return self._add(_Node(data, (), max(4, x.itemsize), 4))

    def CreateString(self, s: bytes | str) -> int:
        """Store a string."""
        text = s.encode() if isinstance(s, str) else s
        return self._add(_Node(struct.pack("<I", len(text)) + text + b"\0"))

    def Finish(self, root: int, identifier: bytes) -> bytes:
        """Return the flatbuffer.

        Args:
            root: the table where reading begins.
            identifier: 4 bytes.
        """
        inner, leaves = self._order(root)
        places, end = self._arrange(inner, leaves)
        out = bytearray(end)
        struct.pack_into("<I4s", out, 0, places[root], identifier)
        for node_id, at in places.items():
            node = self._nodes[node_id]
            out[at : at + len(node.data)] = node.data
            if node.vtable:
                struct.pack_into("<i", out, at, at - places[node.vtable])
            for position, target in node.refs:
                struct.pack_into("<I", out, at + position, places[target] - at - position)
        return bytes(out)

    def _add(self, node: _Node) -> int:
        number = self._known.get(node)
        if number is None:
            number = self._known[node] = len(self._nodes)
            self._nodes.append(node)
        return number

    def _order(self, root: int) -> tuple[list[int], list[int]]:
        """Return what the root reaches: nodes with offsets, each before what it points at, and nodes without."""
        inner: dict[int, None] = {}
        leaves: dict[int, None] = {}
        stack = [(root, False)]
        while stack:
            node_id, done = stack.pop()
            node = self._nodes[node_id]
            if done:
                inner[node_id] = None
            elif node_id not in inner and node_id not in leaves:
                if node.vtable:
                    leaves[node.vtable] = None
                if node.refs or node_id == root:
                    stack.append((node_id, True))
                    stack += [(target, False) for _, target in node.refs]
                else:
                    leaves[node_id] = None
        return list(inner)[::-1], list(leaves)

    def _arrange(self, inner: Iterable[int], leaves: Iterable[int]) -> tuple[dict[int, int], int]:
        """Return an address for every node, and the end of the last.

        All that points comes first, so that what is only pointed at can fill the gaps between the constants.
        """
        places: dict[int, int] = {}
        cursor = _HEADER
        for node_id in inner:
            places[node_id] = self._nodes[node_id].place(cursor)
            cursor = places[node_id] + len(self._nodes[node_id].data)
        small = _Fillers(self._nodes)
        bulk = []
        for node_id in leaves:
            if self._nodes[node_id].align < BULK_ALIGNMENT:
                small.add(node_id)
            else:
                bulk.append(node_id)
        for node_id in bulk:
            while filler := small.take(cursor, self._nodes[node_id].place(cursor)):
                places[filler] = self._nodes[filler].place(cursor)
                cursor = places[filler] + len(self._nodes[filler].data)
            places[node_id] = self._nodes[node_id].place(cursor)
            cursor = places[node_id] + len(self._nodes[node_id].data)
        while filler := small.take(cursor, None):
            places[filler] = self._nodes[filler].place(cursor)
            cursor = places[filler] + len(self._nodes[filler].data)
        return places, cursor


class _Fillers:
    """Nodes that may stand anywhere, by length."""

    def __init__(self, nodes: list[_Node]) -> None:
        self._nodes = nodes
        self._waiting: list[tuple[int, int]] = []

    def add(self, node_id: int) -> None:
        insort(self._waiting, (len(self._nodes[node_id].data), -node_id))

    def take(self, start: int, end: int | None) -> int:
        """Return the longest node that fits between the addresses, the first made of equal ones; 0 if none does."""
        index = len(self._waiting) if end is None else bisect_right(self._waiting, (end - start, 0))
        while index:
            index -= 1
            node = self._nodes[-self._waiting[index][1]]
            if end is None or node.place(start) + len(node.data) <= end:
                return -self._waiting.pop(index)[1]
        return 0
