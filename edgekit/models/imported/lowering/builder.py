"""Layers by name, and tensors in the layout that an operation wants.

Axes of size 1 move for nothing: a Reshape, and of several in a row only the last. Others cost a Permute, which is made
where an operation insists on a layout that its input does not have, and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

import numpy as np

from edgekit.frameworks.tensorflow import tensorflow, tf_keras
from edgekit.frameworks.types import ConfigValue, KerasLayer, Tensor
from edgekit.models.imported.lowering.value import Value, big
from edgekit.models.imported.operators import Operator, Shape, Unsupported
from edgekit.tasks.samples import Array

Operand = Value | Array

ACROSS = "it acts across samples, and files for devices take one sample at a time"


class Builder:
    """What is known while a model is built.

    Attributes:
        values: by the name of a value of the graph.
        read: names of values that a step or an output reads.
    """

    def __init__(self, constants: Mapping[str, Array], read: frozenset[str]) -> None:
        self.values: dict[str, Value] = {}
        self.read = read
        self._constants = constants
        self._names: set[str] = set()
        self._shared: dict[tuple[str, str, bytes], KerasLayer] = {}
        self._base = ""
        self._arranged: dict[tuple[int, Shape, Shape, Shape, int | None, int], Value] = {}
        self._kept: list[Tensor] = []
        self._before: dict[int, Tensor] = {}

    def begin(self, operator: Operator) -> None:
        """Name the layers that are made from here on after an operator."""
        self._base = valid(operator.name)

    def operand(self, name: str) -> Operand:
        """Return a value or a constant."""
        return self.values[name] if name in self.values else self._constants[name]

    def name(self, suffix: str = "") -> str:
        """Return a name for a layer that no other has."""
        return self.free(f"{self._base}_{suffix}" if suffix else self._base)

    def free(self, base: str) -> str:
        """Return a name that is not taken yet, and take it."""
        name, number = base, 1
        while name in self._names:
            number += 1
            name = f"{base}_{number}"
        self._names.add(name)
        return name

    def layer(self, kind: str, suffix: str = "", **options: ConfigValue) -> KerasLayer:
        """Make a layer of tf_keras."""
        return getattr(tf_keras().layers, kind)(name=self.name(suffix), **options)

    def weighted(self, kind: str, tensor: Tensor, weights: Sequence[Array], **options: ConfigValue) -> Tensor:
        """Return a tensor behind a layer with weights: the same layer where a graph has the same ones twice.

        A graph has no layers, only constants: those of a module that is called twice stand in it twice, or are read
        twice. Trained apart, they would not stay equal. Constants of one value say nothing: fresh norms all have them.
        """
        told = any(values.size > 1 and np.ptp(values) > 0 for values in weights)
        digests = b"".join(sha256(np.ascontiguousarray(values).data).digest() for values in weights)
        key = (kind, repr(sorted(options.items())), digests)
        if told and key in self._shared:
            return self._shared[key](tensor)
        layer = self._shared[key] = self.layer(kind, **options)
        made = layer(tensor)
        layer.set_weights(list(weights))
        return made

    def permuted(self, tensor: Tensor, places: Sequence[int]) -> Tensor:
        """Return a tensor with its axes behind the batch, counted from 0, in another order."""
        if list(places) == list(range(len(places))):
            return tensor
        return self.layer("Permute", "transpose", dims=tuple(place + 1 for place in places))(tensor)

    def resized(self, tensor: Tensor, sizes: Sequence[int]) -> Tensor:
        """Return the values of a tensor row by row in other axes behind the batch."""
        tensor = self._before.get(id(tensor), tensor)
        if tuple(tensor.shape[1:]) == tuple(sizes):
            return tensor
        if len(sizes) == 1:
            made = self.layer("Flatten", "flatten")(tensor)
        else:
            made = self.layer("Reshape", "reshape", target_shape=tuple(sizes))(tensor)
        self._before[id(made)] = tensor
        self._kept.append(made)  # its number must stay its own
        return made

    def arranged(self, value: Value, order: Sequence[int], batch: int | None, lead: int = 0) -> Value:
        """Return a value with its stored axes in an order.

        Args:
            value: any.
            order: logical axes, `lead` new ones of size 1 counted in front.
            batch: the logical axis that the batch is to stand for.
            lead: how many logical axes of size 1 are added in front.

        Raises:
            Unsupported: that axis is longer than 1.
        """
        value = self.plain(value)
        shape = (1,) * lead + value.shape
        if batch is not None and shape[batch] != 1:
            raise Unsupported(ACROSS)
        order = tuple(order)
        key = (id(value.tensor), value.order, value.shape, order, batch, lead)
        if key not in self._arranged:
            now = [axis + lead for axis in value.order]
            tensor, wanted = value.tensor, big(shape, order)
            if big(shape, now) != wanted:
                target = list(order) if set(order) == set(now) else [*wanted, *(a for a in now if shape[a] == 1)]
                tensor = self.permuted(tensor, [now.index(axis) for axis in target])
            tensor = self.resized(tensor, [shape[axis] for axis in order])
            self._kept.append(value.tensor)
            self._arranged[key] = Value(tensor, shape, order, batch, positive=value.positive)
        return self._arranged[key]

    def natural(self, value: Value) -> Value:
        """Return a value whose axes are stored in their own order."""
        return self.arranged(value, value.natural, value.batch)

    def explicit(self, value: Value) -> Value:
        """Return a value all of whose logical axes are stored, in its layout, the axis of size 1 in front."""
        value = self.plain(value)
        return value if value.batch is None else self.arranged(value, (value.batch, *value.order), None)

    def batch_first(self, value: Value) -> Value:
        """Return a value whose first axis is the batch, where that has the size 1; its layout stays."""
        if value.batch == 0 or value.shape[:1] != (1,):
            return value
        value = self.explicit(value)
        return self.arranged(value, [axis for axis in value.order if axis != 0], 0)

    def channels_last(self, operand: Operand, channels: int) -> Value:
        """Return a value with the batch in front and the channels last, as convolutions take it.

        Raises:
            Unsupported: the first axis is longer than 1, or it is a constant.
        """
        value = self.computed(operand)
        order = (*(axis for axis in range(1, value.rank) if axis != channels), channels)
        return self.arranged(value, order, 0)

    def last(self, operand: Operand) -> Value:
        """Return a value whose last logical axis is stored last, flattened ones as they are."""
        value = self.computed(operand)
        axis = value.rank - 1
        if value.batch == axis:
            value = self.explicit(value)
        if value.order and value.order[-1] == axis:
            return value
        value = self.plain(value)
        return self.arranged(value, (*(a for a in value.order if a != axis), axis), value.batch)

    def plain(self, value: Value) -> Value:
        """Return a value whose elements stand in the order of the file."""
        if value.mix is None:
            return value
        if value.origin is not None:
            flat = self.resized(self.natural(value.origin).tensor, [value.shape[axis] for axis in value.order])
            return replace(value, tensor=flat, mix=None, origin=None)
        axis = next(i for i, a in enumerate(value.order, 1) if value.shape[a] == len(value.mix))
        tensor = tensorflow().gather(value.tensor, np.argsort(value.mix).tolist(), axis=axis)
        return replace(value, tensor=tensor, mix=None, origin=None)

    def computed(self, operand: Operand) -> Value:
        """Return an operand that is no constant.

        Raises:
            Unsupported: it is one.
        """
        if not isinstance(operand, Value):
            raise Unsupported("its input is a constant")
        return operand

    def through(self, value: Value, layer: KerasLayer, *, positive: bool = False) -> Value:
        """Return a value behind a layer that leaves every element at its place."""
        return replace(value, tensor=layer(value.tensor), origin=None, positive=positive)


def valid(name: str) -> str:
    """Return a name that TensorFlow accepts for a layer."""
    good = re.sub(r"[^A-Za-z0-9_.-]", "_", name.strip("/")).strip("_.-")[:120]
    return good if re.match(r"[A-Za-z0-9]", good) else f"x{good}"
