"""A `.tflite` file as plain operators, in a child process: names, options, constants and fixed sizes.

Weights in float16, which files keep behind DEQUANTIZE, are widened; what only moves constants is computed; shape
arithmetic falls away, because the file says what sizes come out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgekit.errors import ConversionError
from edgekit.formats.fixed_batch import builtin_code, fixed_tflite
from edgekit.formats.types import TfliteObject
from edgekit.models.imported.operators import Attribute, Operator, Operators
from edgekit.schema.types import JsonObject
from edgekit.tasks.samples import Array

_SIZES = ("RESHAPE", "BROADCAST_TO", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
"""Operators whose second input is a size that their output has anyway."""


def read(*, path: str, inputs: Sequence[str], outputs: Sequence[str]) -> tuple[JsonObject, list[Array]]:
    """Return the operators of a `.tflite` file, as `operators.unpacked` takes them; runs in the child.

    Args:
        path: a float file whose inputs have fixed sizes, but for the batch.
        inputs: names of its inputs, as its signature has them.
        outputs: of its outputs, likewise.

    Raises:
        ConversionError: it has several graphs, or sizes that only running tells.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(fixed_tflite(Path(path)), 0)
    graph, file = model.subgraphs[0], Path(path).name
    kinds = {number: name for name, number in vars(schema.BuiltinOperator).items() if name.isupper()}
    types = {number: name.lower() for name, number in vars(schema.TensorType).items() if name.isupper()}
    names = _names(graph, inputs, outputs)
    tensors = dict(zip(names, graph.tensors, strict=True))
    constants = {n: v for n, t in tensors.items() if (v := _values(model, t, types)) is not None}
    nodes = []
    for operator in graph.operators:
        kind = kinds.get(builtin_code(model.operatorCodes[operator.opcodeIndex]), "CUSTOM")
        read_ = tuple("" if i < 0 else names[i] for i in map(int, operator.inputs))
        made = tuple(names[i] for i in map(int, operator.outputs))
        node = Operator(kind, made[0] if made else kind, read_, made, _options(operator))
        if kind in _SIZES:
            node = Operator(kind, node.name, read_[:1], made, node.attributes)
        elif kind == "TRANSPOSE_CONV":
            node = Operator(kind, node.name, read_[1:], made, node.attributes)
        folded = _folded(node, constants, tensors)
        if folded is None:
            nodes.append(node)
        else:
            constants[made[0]] = folded
    for name, tensor in tensors.items():
        if -1 in (tensor.shapeSignature if tensor.shapeSignature is not None else ()):
            raise ConversionError(
                f"{file}: the sizes of `{name[:120]}` are open", "give --input-shape", code="input-shape-open"
            )
    shapes = {name: tuple(map(int, t.shape if t.shape is not None else ())) for name, t in tensors.items()}
    dtypes = {name: types[t.type] for name, t in tensors.items()}
    ends = [tuple(names[int(i)] for i in side) for side in (graph.inputs, graph.outputs)]
    return Operators(ends[0], ends[1], tuple(nodes), constants, shapes, dtypes, int(model.version)).needed().carried()


def _names(graph: TfliteObject, inputs: Sequence[str], outputs: Sequence[str]) -> list[str]:
    """Return a name of its own for every tensor; inputs and outputs have those of the signature."""
    given = {int(i): name for i, name in zip(graph.outputs, outputs, strict=True)}
    given |= {int(i): name for i, name in zip(graph.inputs, inputs, strict=True)}
    names: list[str] = []
    taken = set(given.values())
    for index, tensor in enumerate(graph.tensors):
        name = given.get(index) or (tensor.name or b"").decode("utf-8", "replace").split(";")[0]
        if index not in given:
            name = name if name and name not in taken else f"{name}#{index}"
        taken.add(name)
        names.append(name)
    return names


def _values(model: TfliteObject, tensor: TfliteObject, types: dict[int, str]) -> Array | None:
    """Return the values of a constant; None for what is computed, and for types that are not read."""
    data, kind = model.buffers[tensor.buffer].data, types[tensor.type]
    if data is None or not len(data) or tensor.sparsity is not None or tensor.isVariable:
        return None
    if kind not in ("float32", "float16", "int32", "int64", "bool", "uint8", "int8"):
        return None
    values = np.asarray(data, np.uint8).view(np.dtype(kind).newbyteorder("<")).astype(kind)
    return values.reshape(tuple(map(int, tensor.shape if tensor.shape is not None else ())))


def _options(operator: TfliteObject) -> dict[str, Attribute]:
    """Return the numbers and lists of numbers among the options of an operator."""
    found: dict[str, Attribute] = {}
    for options in (operator.builtinOptions, operator.builtinOptions2):
        for name, value in vars(options).items() if options is not None else ():
            if isinstance(value, (bool, int, float, np.number)):
                found[name] = float(value) if isinstance(value, (float, np.floating)) else int(value)
            elif isinstance(value, (list, np.ndarray)) and all(isinstance(n, (int, np.integer)) for n in value):
                found[name] = tuple(int(n) for n in value)
    return found


def _folded(node: Operator, constants: dict[str, Array], tensors: dict[str, TfliteObject]) -> Array | None:
    """Return what an operator makes of a constant; None where it depends on the inputs, or is not computed here."""
    if not node.inputs or node.inputs[0] not in constants or len(node.outputs) != 1:
        return None
    values, shape = constants[node.inputs[0]], tensors[node.outputs[0]].shape
    sizes = tuple(map(int, shape if shape is not None else ()))
    if node.kind in ("DEQUANTIZE", "CAST") and values.dtype in (np.float16, np.float32):
        return values.astype(np.float32)
    if node.kind in ("RESHAPE", "SQUEEZE", "EXPAND_DIMS"):
        return values.reshape(sizes)
    if node.kind == "TRANSPOSE" and node.inputs[1] in constants:
        return np.ascontiguousarray(values.transpose([int(n) for n in constants[node.inputs[1]].ravel()]))
    return None


def run_values(*inputs: Array, path: str, names: Sequence[str], ends: Sequence[str]) -> tuple[None, list[Array]]:
    """Run a `.tflite` file sample by sample, in a child, and return values of its graph by name, (n, ...) each.

    Args:
        inputs: in the order of the file.
        path: of it.
        names: of the values that are wanted.
        ends: names of the inputs, then, behind an empty one, of the outputs: as `read` takes them.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    data, cut = fixed_tflite(Path(path)), list(ends).index("")
    graph = schema.ModelT.InitFromPackedBuf(data, 0).subgraphs[0]
    known = _names(graph, ends[:cut], ends[cut + 1 :])
    model = Interpreter(
        model_content=data,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    model.allocate_tensors()
    rows = []
    for i in range(len(inputs[0])):
        for x, index in zip(inputs, graph.inputs, strict=True):
            detail = next(d for d in model.get_input_details() if d["index"] == int(index))
            model.set_tensor(int(index), x[i : i + 1].astype(detail["dtype"]))
        model.invoke()
        rows.append([np.array(model.get_tensor(known.index(name))) for name in names])
    return None, [np.stack(column) for column in zip(*rows, strict=True)]
