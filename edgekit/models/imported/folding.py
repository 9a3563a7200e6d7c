"""ONNX files as plain operators, in a child process: shapes inferred, what does not depend on the inputs computed.

Each node is given to ONNX's own shape inference with the shapes and small constants that arrive at it, so that shape
arithmetic of exporters (Shape, Gather, Concat, Reshape ...) folds away without running the model. Constants are
computed by ONNX's reference implementation. Nothing in a file is executed but these definitions.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgekit.errors import ConversionError
from edgekit.errors.printable import visible
from edgekit.formats.fixed_batch import fixed_onnx
from edgekit.formats.onnx.graph import DTYPES, text
from edgekit.formats.types import OnnxMessage, OnnxModel, OnnxNode
from edgekit.models.imported.operators import Attribute, Operator, Operators, Shape
from edgekit.schema.types import JsonObject
from edgekit.tasks.samples import Array

Types = Mapping[str, OnnxMessage]
"""By the name of a value its TypeProto."""

_STANDARD = ("", "ai.onnx")
_SEES_VALUES = 1 << 12
"""Values of a constant that shape inference is shown: more than any shape, list of axes or of pads has."""
_MOST_VALUES = 1 << 27
"""Values of a constant that is computed here."""
_RANDOM = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial")
_SAME = ("Identity", "Dropout")
_AS_INPUT = ("GroupNormalization",)
"""Operators that ONNX defines by others, so that its inference does not see that sizes stay as they are."""
_ONE_GRAPH = "export the model again in evaluation mode, without control flow and custom operators"


def read(*, path: str) -> tuple[JsonObject, list[Array]]:
    """Return the operators of an ONNX file, as `operators.unpacked` takes them; runs in the child.

    Args:
        path: a float file whose inputs have fixed sizes, but for the batch.

    Raises:
        InputError: it is damaged, or names external data that may not be read.
        ConversionError: it cannot be brought into this form; the operator is named.
    """
    return folded(fixed_onnx(Path(path)), Path(path).name).needed().carried()


def folded(model: OnnxModel, file: str) -> Operators:
    """Return the operators of a ModelProto whose inputs have a batch of 1.

    Raises:
        ConversionError: the graph is not one that can be rebuilt.
    """
    newest = _newest_format()
    if model.ir_version > newest:
        raise ConversionError(
            f"{file}: its format is version {model.ir_version} of ONNX, newer than the newest that edgekit knows, "
            f"{newest}",
            "update onnx and onnxruntime, or export the model for an older version",
            code="opset-unknown",
        )
    model = _inlined(model)
    fold = _Fold(model, file)
    for node in _sorted(model, file):
        fold.take(node)
    return fold.done()


def _newest_format() -> int:
    import onnx

    return int(onnx.IR_VERSION)


def _inlined(model: OnnxModel) -> OnnxModel:
    if not model.functions:
        return model
    import onnx.inliner

    return onnx.inliner.inline_local_functions(model)


def _sorted(model: OnnxModel, file: str) -> list[OnnxNode]:
    """Return the nodes in an order in which they can be computed.

    Raises:
        ConversionError: there is none, or a value is made by nobody or twice.
    """
    graph = model.graph
    known = {tensor.name for tensor in graph.initializer} | {value.name for value in graph.input} | {""}
    makers: dict[str, OnnxNode] = {}
    for node in graph.node:
        for name in filter(None, node.output):
            if name in makers or name in known:
                raise _bad_graph(file, f"two nodes make `{visible(text(name)[:120])}`")
            makers[name] = node
    nodes = list(graph.node)
    lacking = [{name for name in node.input if name not in known} for node in nodes]
    readers: dict[str, list[int]] = {}
    for number, names in enumerate(lacking):
        for name in names:
            readers.setdefault(name, []).append(number)
    ordered, ready = list[OnnxNode](), [number for number, names in enumerate(lacking) if not names]
    heapq.heapify(ready)  # as near to the order of the file as can be
    while ready:
        node = nodes[heapq.heappop(ready)]
        ordered.append(node)
        for name in node.output:
            for number in readers.pop(name, ()):
                lacking[number].discard(name)
                if not lacking[number]:
                    heapq.heappush(ready, number)
    if len(ordered) < len(nodes):
        name = next(name for names in lacking for name in sorted(names))
        why = "depends on itself" if name in makers else "is made by no node"
        raise _bad_graph(file, f"`{visible(text(name)[:120])}` {why}")
    return ordered


def _bad_graph(file: str, why: str) -> ConversionError:
    return ConversionError(f"{file}: its graph is damaged: {why}", "export the model again", code="graph-damaged")


class _Fold:
    """One walk through a graph."""

    def __init__(self, model: OnnxModel, file: str) -> None:
        import onnx

        self._file, self._model = file, model
        self._opset = max((o.version for o in model.opset_import if o.domain in _STANDARD), default=1)
        newest = onnx.defs.onnx_opset_version()
        if self._opset > newest:
            raise ConversionError(
                f"{file}: opset {self._opset} is newer than the newest that edgekit knows, {newest}",
                f"export the model with opset {newest} or older",
                code="opset-unknown",
            )
        self._constants: dict[str, Array] = {}
        for tensor in model.graph.initializer:
            self._constants[tensor.name] = self._finite(tensor.name, onnx.numpy_helper.to_array(tensor))
        self._types: dict[str, OnnxMessage] = {}
        self._alias: dict[str, str] = {}
        self._nodes: list[Operator] = []
        for value in model.graph.input:
            self._types[value.name] = value.type
            self._shape(value.name, value.type, None)

    def take(self, node: OnnxNode) -> None:
        """Fold one node, or keep it with the shapes of its outputs."""
        inputs = [self._alias.get(name, name) for name in node.input]
        named = Operator(text(node.op_type), text(node.name) or text(node.output[0]), tuple(inputs), tuple(node.output))
        if node.domain not in _STANDARD:
            raise named.refusal(self._file, f"it is of the domain `{visible(text(node.domain)[:80])}`")
        if any(a.HasField("g") or a.graphs for a in node.attribute):
            raise named.refusal(self._file, "it is control flow")
        if node.op_type == "BatchNormalization" and any(a.name == "training_mode" and a.i for a in node.attribute):
            raise named.refusal(self._file, "it normalizes by the batch, as in training", "graph-in-training-mode")
        training = inputs[2] if node.op_type == "Dropout" and len(inputs) > 2 else ""
        if training and (training not in self._constants or bool(self._constants[training])):
            raise named.refusal(self._file, "it drops values, as in training", "graph-in-training-mode")
        if node.op_type in _SAME and inputs[0] not in self._constants:
            self._alias[node.output[0]] = inputs[0]
            return
        types = self._inferred(node, named)
        values = self._value(node, named, types)
        if values is not None:
            self._constants.update({name: self._finite(name, v) for name, v in values.items()})
            return
        for name in filter(None, node.output):
            self._shape(name, types.get(name), named)
            self._types[name] = types[name]
        attributes = {text(a.name): _attribute(a) for a in node.attribute}
        self._constants |= {f"{named.name}:{k}": v for k, v in attributes.items() if isinstance(v, np.ndarray)}
        plain = {k: v for k, v in attributes.items() if v is not None and not isinstance(v, np.ndarray)}
        self._nodes.append(Operator(named.kind, named.name, named.inputs, named.outputs, plain))

    def done(self) -> Operators:
        """Return the graph."""
        graph = self._model.graph
        shapes = {name: self._shape(name, kind, None) for name, kind in self._types.items()}
        shapes |= {name: values.shape for name, values in self._constants.items()}
        dtypes = {name: DTYPES.get(kind.tensor_type.elem_type, "") for name, kind in self._types.items()}
        dtypes |= {name: str(values.dtype) for name, values in self._constants.items()}
        outputs = tuple(self._alias.get(value.name, value.name) for value in graph.output)
        inputs = tuple(value.name for value in graph.input)
        return Operators(inputs, outputs, tuple(self._nodes), self._constants, shapes, dtypes, self._opset)

    def _inferred(self, node: OnnxNode, named: Operator) -> Types:
        import onnx

        inputs = {self._alias.get(name, name) for name in node.input if name}
        copy = type(node).FromString(node.SerializeToString())
        copy.input[:] = named.inputs
        copy.domain = ""
        types, data = {}, {}
        for name in inputs:
            if name in self._constants:
                values = self._constants[name]
                kind = onnx.helper.np_dtype_to_tensor_dtype(values.dtype)
                types[name] = onnx.helper.make_tensor_type_proto(kind, values.shape)
                if values.size <= _SEES_VALUES:
                    data[name] = onnx.numpy_helper.from_array(np.asarray(values), name)
            else:
                types[name] = self._types[name]
        try:
            schema = onnx.defs.get_schema(named.kind, self._opset, "")
            opsets = [onnx.helper.make_opsetid("", self._opset)]
            made = onnx.shape_inference.infer_node_outputs(schema, copy, types, data, opset_imports=opsets)
            return {node.output[0]: types[named.inputs[0]]} if named.kind in _AS_INPUT else made
        except onnx.defs.SchemaError as error:
            raise named.refusal(self._file, f"opset {self._opset} of ONNX has no such operator") from error
        except Exception as error:  # the inference of an operator raises what it likes
            reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
            raise named.refusal(self._file, f"its shapes do not fit: {visible(reason[:200])}") from error

    def _value(self, node: OnnxNode, named: Operator, types: Types) -> dict[str, Array] | None:
        """Return the constants that a node makes, or None where it depends on the inputs."""
        if node.op_type in ("Shape", "Size") and named.inputs[0] not in self._constants:
            shape = self._shape(named.inputs[0], self._types[named.inputs[0]], named)
            start = next((a.i for a in node.attribute if a.name == "start"), 0)
            end = next((a.i for a in node.attribute if a.name == "end"), len(shape))
            number = np.asarray(shape[start:end] if node.op_type == "Shape" else math.prod(shape), np.int64)
            return {node.output[0]: number}
        if node.op_type in _RANDOM:
            raise named.refusal(self._file, "its values are random")
        if any(name and name not in self._constants for name in named.inputs):
            return None
        for name in filter(None, node.output):
            sizes = types[name].tensor_type.shape.dim if name in types else ()
            if math.prod(size.dim_value for size in sizes) > _MOST_VALUES:
                raise named.refusal(self._file, "it makes a constant of more than 134 million values")
        return self._computed(node, named)

    def _computed(self, node: OnnxNode, named: Operator) -> dict[str, Array]:
        import onnx
        from onnx.reference import ReferenceEvaluator

        copy = type(node).FromString(node.SerializeToString())
        copy.input[:] = named.inputs
        copy.domain = ""
        feed = {name: self._constants[name] for name in named.inputs if name}
        ends = [
            onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
            for name, v in feed.items()
        ]
        outputs = [onnx.ValueInfoProto(name=name) for name in node.output if name]
        graph = onnx.helper.make_graph([copy], "constant", ends, outputs)
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", self._opset)])
        try:
            made = ReferenceEvaluator(model).run(None, feed)
        except Exception as error:
            raise named.refusal(self._file, f"its constants cannot be computed: {visible(str(error)[:200])}") from error
        return {value.name: np.asarray(values) for value, values in zip(outputs, made, strict=True)}

    def _shape(self, name: str, kind: OnnxMessage | None, named: Operator | None) -> Shape:
        """Return the sizes of a value; refuse those that only running tells."""
        sizes = [-1]
        if kind is not None and kind.HasField("tensor_type") and kind.tensor_type.HasField("shape"):
            sizes = [s.dim_value if s.HasField("dim_value") else -1 for s in kind.tensor_type.shape.dim]
        if any(size < 0 for size in sizes):
            if named is not None:
                raise named.refusal(self._file, "the sizes of its output depend on values, or are open")
            raise ConversionError(
                f"{self._file}: the sizes of `{visible(name[:120])}` are open",
                f"give --input-shape {visible(name[:120])}=...",
                code="input-shape-open",
            )
        return tuple(sizes)

    def _finite(self, name: str, values: Array) -> Array:
        """Refuse NaN; infinities are limits and masks."""
        if values.dtype.kind == "f" and np.isnan(values).any():
            raise ConversionError(
                f"{self._file}: the constant `{visible(text(name)[:120])}` holds NaN",
                "the training diverged, or the export went wrong: check the weights",
                code="weights-not-finite",
            )
        return values


def _attribute(attribute: OnnxMessage) -> Attribute | Array | None:
    """Return the value of an AttributeProto; None for what no operator that is rebuilt takes."""
    import onnx

    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, onnx.TensorProto):
        return np.asarray(onnx.numpy_helper.to_array(value))
    if isinstance(value, list) and all(isinstance(item, (int, float, bytes)) for item in value):
        return tuple(item.decode("utf-8", "replace") if isinstance(item, bytes) else item for item in value)
    return None
