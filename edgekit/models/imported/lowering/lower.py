"""The table of operations, and the building of a whole model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.errors import ConversionError
from edgekit.errors.printable import visible
from edgekit.frameworks.tensorflow import tf_keras
from edgekit.frameworks.types import KerasModel, Tensor
from edgekit.models.imported import graph as g
from edgekit.models.imported.lowering import activations, cutting, normalization, products, reshaping, windows
from edgekit.models.imported.lowering.builder import Builder, Operand, valid
from edgekit.models.imported.lowering.layout import Port, channels_last, channels_of
from edgekit.models.imported.lowering.recurrent import recurrent
from edgekit.models.imported.lowering.value import Value
from edgekit.models.imported.operators import Unsupported

Lowering = Callable[[Any, Sequence[Operand], Builder], Value]

OPERATIONS: dict[type, Lowering] = {
    g.Arithmetic: products.arithmetic,
    g.BatchNormalization: normalization.batch,
    g.Choose: products.choose,
    g.Concatenate: cutting.concatenate,
    g.Convolution: windows.convolution,
    g.DepthToSpace: windows.depth_to_space,
    g.Elementwise: activations.elementwise,
    g.Expand: cutting.expand,
    g.Extreme: cutting.extreme,
    g.GroupNormalization: normalization.group,
    g.LayerNormalization: normalization.layer,
    g.Linear: products.linear,
    g.Lookup: products.lookup,
    g.MatrixProduct: products.matrix_product,
    g.Pad: cutting.pad,
    g.ParametricRelu: activations.prelu,
    g.Permute: reshaping.permute,
    g.Pooling: windows.pooling,
    g.Reduction: cutting.reduction,
    g.Repeat: cutting.repeat,
    g.Reshape: reshaping.reshape,
    g.Resize: windows.resize,
    g.Slice: cutting.slice_,
    g.Softmax: activations.softmax,
    g.SpaceToDepth: windows.space_to_depth,
    g.Take: cutting.take,
    g.TransposedConvolution: windows.transposed,
}
"""By the class of an operation: what makes its layers. `Recurrent` has several outputs, and is made apart."""


@dataclass(frozen=True)
class Lowered:
    """A rebuilt model.

    Attributes:
        model: of tf_keras, functional.
        inputs: in the order of the model and the file.
        outputs: likewise.
        values: of the file by name, as tensors of the model.
    """

    model: KerasModel
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    values: Mapping[str, Value]


def lowered(graph: g.Graph, file: str, name: str, *, first: bool = False) -> Lowered:
    """Return the model of a graph, channels last inside.

    Args:
        graph: of a file.
        file: its name, for messages.
        name: of the model.
        first: whether inputs and outputs whose channels come first in the file keep them there.

    Raises:
        ConversionError: an operator cannot be rebuilt; it is named, with the reason.
    """
    read = frozenset(n for step in graph.steps for n in step.inputs) | frozenset(graph.outputs)
    b, channels = Builder(graph.constants, read), channels_of(graph)
    inputs, ports = list[Tensor](), list[Port]()
    for i in graph.inputs:
        tensor, port = _input(graph, i, channels.get(i), b, first=first)
        inputs.append(tensor)
        ports.append(port)
    for step in graph.steps:
        b.begin(step.of)
        try:
            operands = [b.operand(i) for i in step.inputs]
            if isinstance(step.operation, g.Recurrent):
                made = recurrent(step.operation, operands, b, step.outputs)
            else:
                made = [OPERATIONS[type(step.operation)](step.operation, operands, b)]
        except Unsupported as why:
            raise step.of.refusal(file, str(why)) from why
        except (ValueError, TypeError, NotImplementedError) as error:  # as Keras refuses what it is given
            reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
            raise step.of.refusal(file, f"Keras does not take it: {visible(reason.strip()[:200])}") from error
        for output, value in zip(step.outputs, made, strict=False):
            if value is not None:
                b.values[output] = value
    return _model(graph, inputs, ports, b, file, name, first=first)


def _input(graph: g.Graph, name: str, channels: int | None, b: Builder, *, first: bool) -> tuple[Tensor, Port]:
    shape, dtype = graph.shapes[name], graph.dtypes[name]
    natural = tuple(range(1, len(shape)))
    last = natural if channels is None else channels_last(natural, channels)
    order = natural if first and channels == 1 else last
    dtype = "int32" if dtype in ("int64", "int32", "uint8", "int16", "int8", "uint16") else dtype
    free = b.free(valid(name))
    tensor = tf_keras().layers.Input(tuple(shape[axis] for axis in order), dtype=dtype, name=free)
    inside = tensor
    if order != last:
        inside = tf_keras().layers.Permute(last, name=b.free(f"{free}_channels_last"))(tensor)
    b.values[name] = Value(inside, shape, last, 0)
    return tensor, Port(name, shape, order, channels)


def _model(
    graph: g.Graph, inputs: Sequence[Tensor], fed: Sequence[Port], b: Builder, file: str, name: str, *, first: bool
) -> Lowered:
    ports, tensors, taken = [], [], set[int]()
    for output in graph.outputs:
        value = b.values.get(output)
        if value is None:
            raise ConversionError(
                f"{file}: its output `{visible(output[:120])}` does not depend on its inputs",
                "export the model again without it",
                code="output-constant",
            )
        value = b.batch_first(b.plain(value))
        long = [axis for axis in value.order if value.shape[axis] != 1]
        channels_behind = long[-1:] == [1] and long[:-1] == sorted(long[:-1]) and 1 not in long[:-1]
        moved = long != sorted(long)
        image = len(value.order) > 1 and value.order == channels_last(value.natural, 1)
        channels = 1 if image or (moved and channels_behind) else None
        if (first and channels) or (moved and not channels_behind):
            value = b.natural(value)
        layer = value.tensor._keras_history.layer
        if id(layer) in taken or any(value.tensor is x for x in inputs) or len(layer._inbound_nodes) > 1:
            layer = tf_keras().layers.Activation("linear", name=f"{valid(output)}_output")
            value = b.through(value, layer)
        taken.add(id(layer))
        layer._name = b.free(valid(output))
        ports.append(Port(output, value.shape, value.order, channels))
        tensors.append(value.tensor)
    model = tf_keras().Model(list(inputs), tensors, name=valid(name))
    return Lowered(model, tuple(fed), tuple(ports), b.values)
