"""ONNX graphs in a fixed order, under short names, without what says nothing: the same model in the same few bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edgekit.formats.types import OnnxGraph, OnnxModel, OnnxNode

OPSET = 17
"""Of the files that edgekit makes, and by which operators' inputs and outputs are named."""
_ZERO_IS_DEFAULT = ("Conv", "ConvTranspose")
"""For weights of these, onnxruntime fills in a zero point that is left out; a Gemm it would not fuse any more."""


def tidy(model: OnnxModel, fixed: Mapping[str, str]) -> None:
    """Order and name a graph, share equal constants, and leave out zero points of zero and what nobody reads.

    Args:
        model: an onnx.ModelProto; changed.
        fixed: the names of the inputs and outputs, old to new.
    """
    graph = model.graph
    _drop_zero_points(graph)
    _share(graph)
    sort(graph)
    rename(graph, fixed)
    graph.doc_string = ""  # holds a counter of tf2onnx
    del graph.quantization_annotation[:]


def _drop_zero_points(graph: OnnxGraph) -> None:
    """Leave out the zero points of weights and biases where all are zero, which DequantizeLinear assumes."""
    from onnx import numpy_helper

    constants = {i.name: i for i in graph.initializer}
    uses: dict[str, list[OnnxNode]] = {}
    for node in graph.node:
        for name in node.input:
            uses.setdefault(name, []).append(node)
    for node in graph.node:
        if node.op_type != "DequantizeLinear" or len(node.input) < 3 or node.input[2] not in constants:
            continue
        stored, points = constants.get(node.input[0]), constants[node.input[2]]
        if stored is None or numpy_helper.to_array(points).any():
            continue
        bias = stored.data_type == stored.INT32
        if bias or all(use.op_type in _ZERO_IS_DEFAULT for use in uses.get(node.output[0], [node])):
            del node.input[2]


def _share(graph: OnnxGraph) -> None:
    """Keep one of equal constants."""
    first: dict[tuple[object, ...], str] = {}
    same: dict[str, str] = {}
    for tensor in graph.initializer:
        if tensor.HasField("raw_data"):
            same[tensor.name] = first.setdefault((tensor.data_type, *tensor.dims, tensor.raw_data), tensor.name)
    for node in _all_nodes(graph):
        for place, name in enumerate(node.input):
            node.input[place] = same.get(name, name)


def _all_nodes(graph: OnnxGraph) -> Iterator[OnnxNode]:
    for node in graph.node:
        yield node
        for _, inner in _subgraphs(node):
            yield from _all_nodes(inner)


def sort(graph: OnnxGraph) -> None:
    """Order the nodes depth first from the outputs: an order that the graph's structure alone decides."""
    makers = {output: node for node in graph.node for output in node.output if output}
    ordered: dict[int, OnnxNode] = {}
    stack = [(value.name, False) for value in reversed(graph.output)]
    while stack:
        name, done = stack.pop()
        node = makers.get(name)
        if node is None or id(node) in ordered:
            continue
        if done:
            ordered[id(node)] = node
        else:
            stack.append((name, True))
            stack += [(source, False) for source in reversed([*node.input, *captured(node)])]
    nodes = [type(node).FromString(node.SerializeToString()) for node in ordered.values()]
    for node in nodes:
        if not node.domain:
            node.ClearField("domain")  # ONNX's own, which some nodes say by an empty text, another time by none
        for _, inner in _subgraphs(node):
            sort(inner)
    del graph.node[:]
    graph.node.extend(nodes)


def _subgraphs(node: OnnxNode) -> list[tuple[str, OnnxGraph]]:
    """Return the graphs inside a node, such as the body of a loop, by the names of their attributes."""
    return [(attribute.name, attribute.g) for attribute in node.attribute if attribute.HasField("g")]


def captured(node: OnnxNode) -> list[str]:
    """Return the values that the graphs inside a node take from around it."""
    found: dict[str, None] = {}
    for _, graph in _subgraphs(node):
        own = {value.name for value in (*graph.input, *graph.initializer)}
        for inner in graph.node:
            found |= dict.fromkeys(name for name in (*inner.input, *captured(inner)) if name and name not in own)
            own |= set(inner.output)
        found |= dict.fromkeys(value.name for value in graph.output if value.name not in own)
    return list(found)


def rename(graph: OnnxGraph, fixed: Mapping[str, str], prefix: str = "") -> None:
    """Name nodes by operator and place, values by the node that makes or first uses them: `Conv_3`, `Conv_3.W`.

    tf2onnx numbers names from a global counter, and of equal constants keeps one and its name by chance, so that the
    same model would give other bytes each time; names made elsewhere are long, and stand in the file many times. The
    initializers are put in the order of their first use. (Inside loops tf2onnx leaves other nodes each time, too; files
    with loops differ in bytes, and compute the same.)

    Args:
        graph: an onnx.GraphProto, its nodes sorted.
        fixed: the names of what is known from outside, old to new: inputs and outputs, and around a loop's body all.
        prefix: of the names made here.
    """
    new = {"": "", **fixed}
    taken = set(new.values())

    def name(old: str, wanted: str) -> str:
        if old not in new:
            while wanted in taken:
                wanted += "_"
            new[old] = wanted
            taken.add(wanted)
        return new[old]

    for index, node in enumerate(graph.node):
        node.name = f"{prefix}{node.op_type}_{index}"
        for role, names in (("inputs", node.input), ("outputs", node.output)):
            for position, old in enumerate(names):
                names[position] = name(old, f"{node.name}.{_role(node.op_type, role, position)}")
        for position, old in enumerate(captured(node)):
            name(old, f"{node.name}.captured{position}")
        for kind, inner in _subgraphs(node):
            inputs = {value.name: f"{node.name}.{kind}.{i}" for i, value in enumerate(inner.input)}
            inner.name = f"{node.name}.{kind}"
            rename(inner, {**new, **inputs}, f"{inner.name}.")
    for value in (*graph.input, *graph.output):
        value.name = new[value.name]
    order = {old: index for index, old in enumerate(new)}
    for sparse in graph.sparse_initializer:
        sparse.values.name = new.get(sparse.values.name, sparse.values.name)
    initializers = sorted((i for i in graph.initializer if i.name in new), key=lambda i: order[i.name])
    for initializer in initializers:
        initializer.name = new[initializer.name]
    kept = [type(i).FromString(i.SerializeToString()) for i in initializers]
    del graph.initializer[:], graph.value_info[:]
    graph.initializer.extend(kept)


def _role(operator: str, side: str, position: int) -> str:
    """Return what the ONNX standard calls an input or output of an operator: `W`, `x_scale`, `Y`."""
    import onnx

    try:
        formal = getattr(onnx.defs.get_schema(operator, OPSET), side)
    except onnx.defs.SchemaError:  # an operator of another domain
        formal = []
    return formal[position].name if position < len(formal) else f"{side}{position}"
