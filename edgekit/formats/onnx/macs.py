"""Multiply-accumulates of an ONNX model."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgekit.formats import macs
from edgekit.formats.macs import Tally
from edgekit.formats.onnx.graph import BadModel, Index, attribute, operator_name, sizes
from edgekit.formats.source import MAX_RANK
from edgekit.formats.types import OnnxModel, OnnxNode, OnnxValue

Shape = tuple[int, ...]

_COUNTED: dict[str, Callable[[OnnxNode, list[Shape], Shape], int]] = {
    # Operator -> (node, input shapes, output shape) -> MACs. Windows are (out, in / groups, spatial...).
    "Conv": lambda n, x, y: macs.conv(y, x[1][2:], x[1][1]),
    "ConvInteger": lambda n, x, y: macs.conv(y, x[1][2:], x[1][1]),
    "QLinearConv": lambda n, x, y: macs.conv(y, x[3][2:], x[3][1]),
    "ConvTranspose": lambda n, x, y: macs.transpose_conv(x[0], x[1][2:], x[1][1]),  # (in, out / groups, ...)
    "Gemm": lambda n, x, y: macs.matmul(y, x[0][0 if attribute(n, "transA", 0) else 1]),
    "MatMul": lambda n, x, y: macs.matmul(y, x[0][-1]),
    "MatMulInteger": lambda n, x, y: macs.matmul(y, x[0][-1]),
    "QLinearMatMul": lambda n, x, y: macs.matmul(y, x[0][-1]),
    # Recurrent weights: (directions, gates, inputs) and (directions, gates, units).
    **dict.fromkeys(("LSTM", "GRU", "RNN"), lambda n, x, y: macs.recurrent(_known(x[0]), [_known(x[1]), _known(x[2])])),
    "DeformConv": lambda n, x, y: macs.conv(y, x[1][2:], x[1][1]),
    "Einsum": lambda n, x, y: _einsum(n, x),
}
_MISSED = ("Attention",)
_OUTPUTS_UNKNOWN = ("LSTM", "GRU", "RNN", "Einsum")
"""Operators whose inputs alone tell their MACs."""
_LARGE = 1 << 14
_MAX_VALUES = 1 << 20
_INT64 = 7


def count_macs(model: OnnxModel, graph: Index, given: Mapping[str, Shape]) -> tuple[int | None, str, int]:
    """Return MACs of one sample through the main graph, what they leave out, and the fixed batch size.

    Args:
        model: the ModelProto.
        graph: its index.
        given: shapes of inputs, in place of their own.
    """
    tally = Tally()
    shapes = _shapes(model, graph, given)
    for node, main in graph.nodes:
        name = operator_name(node)
        if not main and (name in _COUNTED or name in _MISSED):
            tally.miss(name, "inside another operator")
        elif main and name in _COUNTED:
            _count(node, name, shapes, tally)
        elif name in _MISSED or name.startswith("CUSTOM:"):
            tally.miss(name)
    constants = {t.name for t in model.graph.initializer}
    inputs = [given.get(v.name, _declared(v)) for v in model.graph.input if v.name not in constants]
    outputs = [_declared(v) for v in model.graph.output]
    if given and inputs and inputs[0]:  # a dynamic batch is as given
        outputs = [(inputs[0][0], *shape[1:]) if shape[:1] == (-1,) else shape for shape in outputs]
    batch = macs.batch_size(inputs, outputs)
    total, note = tally.result(batch, dynamic=macs.dynamic_inside(inputs))
    return total, note, batch


def _count(node: OnnxNode, name: str, shapes: Mapping[str, Shape], tally: Tally) -> None:
    try:
        output = () if name in _OUTPUTS_UNKNOWN else shapes[node.output[0]]
        inputs = [shapes.get(i, ()) for i in node.input]
        tally.add(_COUNTED[name](node, inputs, output))
    except (KeyError, IndexError):  # an operand, an axis or a shape is missing
        tally.miss(name, "unknown shape")


def _known(shape: Shape) -> Shape:
    """Return a shape of at least two axes; raise `IndexError` for one that is not known."""
    shape[1]
    return shape


def _einsum(node: OnnxNode, inputs: list[Shape]) -> int:
    """Return the MACs of a product of matrices in Einstein's notation: every combination of its letters is one.

    Raises:
        IndexError: the notation does not fit the shapes, or holds an ellipsis.
    """
    equation = next((a.s.decode("ascii", "replace") for a in node.attribute if a.name == "equation"), "")
    terms = equation.replace(" ", "").partition("->")[0].split(",")
    if len(terms) != len(inputs) or any(len(t) != len(x) for t, x in zip(terms, inputs, strict=True)):
        raise IndexError
    sizes_of = {letter: size for t, x in zip(terms, inputs, strict=True) for letter, size in zip(t, x, strict=True)}
    return macs.elements(tuple(sizes_of.values())) * max(1, len(terms) - 1)


def _shapes(model: OnnxModel, graph: Index, given: Mapping[str, Shape]) -> dict[str, Shape]:
    """Return the shape of every value that shape inference can tell, dynamic sizes of inputs taken as 1."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for tensor in copy.graph.initializer:
        if tensor.ByteSize() > _LARGE:  # weights: only their shapes matter
            tensor.CopyFrom(onnx.TensorProto(name=tensor.name, dims=tensor.dims, data_type=tensor.data_type))
    # Local functions stay opaque: nested ones could expand without end.
    del copy.functions[:]
    for value in copy.graph.input:
        for dim, size in zip(value.type.tensor_type.shape.dim, given.get(value.name, ()), strict=False):
            dim.dim_value = size
        for dim in value.type.tensor_type.shape.dim:
            if not dim.HasField("dim_value") or dim.dim_value < 0:
                dim.dim_value = 1
    # Shapes with symbols were made for other sizes of the inputs; they are inferred anew.
    known = [v for v in copy.graph.value_info if -1 not in _declared(v)]
    del copy.graph.value_info[:]
    copy.graph.value_info.extend(known)
    for value in copy.graph.output:
        if -1 in _declared(value):
            value.type.tensor_type.ClearField("shape")
    try:
        inferred = onnx.shape_inference.infer_shapes(copy, data_prop=_small_values(graph)).graph
    except Exception:  # native code, with many kinds of errors; a model it rejects only loses its MACs
        inferred = copy.graph
    shapes = {c.name: c.shape for c in graph.constants}
    for value in (*inferred.value_info, *inferred.input, *inferred.output):
        if value.type.tensor_type.HasField("shape"):
            try:
                shape = _declared(value)
            except BadModel:
                continue
            if -1 not in shape:
                shapes[value.name] = shape
    return shapes


def _small_values(graph: Index) -> bool:
    """Whether the values that shape inference would compute itself (`data_prop`) are few.

    It works out the shapes that a model computes (Shape, Gather, Concat, Reshape), and takes any amount of memory for
    it: one ConstantOfShape of 2**40, or forty times Concat(s, s), would eat the machine.
    """
    made = {c.name: macs.elements(c.shape) for c in graph.constants if len(c.shape) < 2}
    total = 0
    for node, _ in graph.nodes:
        sizes_in = [made.get(name, 0) for name in node.input]
        if node.op_type == "ConstantOfShape":
            size = _filled(graph, node)
            if size is None:
                return False
            for name in node.output:
                made[name] = max(size, made.get(name, 0))
            total += size
            continue
        if node.op_type in ("Shape", "Size"):
            size = MAX_RANK
        elif node.op_type == "Concat":
            size = sum(sizes_in)
        elif node.op_type in ("Reshape", "Squeeze", "Unsqueeze", "Slice"):
            size = sizes_in[0] if sizes_in else 0
        else:
            size = max(sizes_in, default=0)
        for name in node.output:
            made[name] = max(size, made.get(name, 0))
        total += size
        if total > _MAX_VALUES:
            return False
    return True


def _filled(graph: Index, node: OnnxNode) -> int | None:
    """Return how many values ConstantOfShape makes, where that is a small constant."""
    from onnx import numpy_helper

    constant = graph.by_name.get(node.input[0]) if node.input else None
    if constant is None or constant.sparse or constant.tensor.data_type != _INT64 or len(constant.shape) != 1:
        return None
    if constant.shape[0] > MAX_RANK or constant.tensor.external_data:
        return None
    try:
        wanted = numpy_helper.to_array(constant.tensor).tolist()
    except Exception:  # a damaged tensor
        return None
    size = macs.elements(wanted)
    return size if all(value >= 0 for value in wanted) and size <= _MAX_VALUES else None


def _declared(value: OnnxValue) -> Shape:
    return sizes(value.type.tensor_type.shape)
