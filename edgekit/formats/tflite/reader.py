"""Reading .tflite files."""

from __future__ import annotations

import math
from collections import Counter
from mmap import mmap
from pathlib import Path

from edgekit.errors import InputError
from edgekit.files.whole import gzip_bytes
from edgekit.formats import values
from edgekit.formats.info import FileInfo, Quantization, SignatureInfo, TensorInfo, WeightInfo
from edgekit.formats.source import damaged, load
from edgekit.formats.tflite.attached import attached
from edgekit.formats.tflite.flatbuffer import Damaged, Walker
from edgekit.formats.tflite.graph import IDENTIFIER, Graph, Model, Span, Tensor, parse, quantization
from edgekit.formats.tflite.macs import count_macs

_NOT_WEIGHTS = ("int32", "int64", "uint32", "uint64", "bool", "string", "resource", "variant")
"""Without a scale, constants of these types are shapes, axes, paddings and the like."""

_OPERANDS = {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "CONV_3D": 1, "EMBEDDING_LOOKUP": 1}
"""Operators whose constant inputs, from this place on, are weights whatever their type."""

_BIASES = {
    # Operator -> places of its inputs that are biases.
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "CONV_3D"), (2,)),
    **dict.fromkeys(("TRANSPOSE_CONV", "CONV_3D_TRANSPOSE", "SVDF", "RNN", "UNIDIRECTIONAL_SEQUENCE_RNN"), (3,)),
    **dict.fromkeys(("LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM"), (12, 13, 14, 15, 17)),
    "BIDIRECTIONAL_SEQUENCE_RNN": (3, 7),
    "BIDIRECTIONAL_SEQUENCE_LSTM": (12, 13, 14, 15, 17, 29, 30, 31, 32, 34),
}


def read_tflite(path: Path) -> FileInfo:
    """Read what a .tflite file holds.

    Args:
        path: the file; it may be damaged or hostile.

    Raises:
        InputError: it cannot be read, is not a TFLite file, or its parts do not fit together.
    """
    data = load(path)
    if data[4:8] != IDENTIFIER:
        raise InputError(
            f"{path}: not a TFLite file: bytes 4 to 8 are {data[4:8]!r}, expected {IDENTIFIER!r}",
            "give a .tflite file",
            code="format-unexpected",
        )
    walk = Walker(len(data))
    try:
        model = parse(data, walk)
        return _describe(path, data, model, walk)
    except Damaged as error:
        raise damaged(path, "TFLite", str(error)) from error


def _describe(path: Path, data: bytes | mmap, model: Model, walk: Walker) -> FileInfo:
    main = model.graphs[0]
    signature = next((s for s in model.signatures if s.graph == 0), None)
    operators = Counter(op.name for graph in model.graphs for op in graph.operators)
    weights = _weights(data, model, walk)
    macs, note, batch = count_macs(model, walk, data)
    return FileInfo(
        path=path,
        format="tflite",
        bytes=len(data),
        gzip_bytes=gzip_bytes(path),
        inputs=_ends(main, main.inputs, signature.inputs if signature else {}, walk),
        outputs=_ends(main, main.outputs, signature.outputs if signature else {}, walk),
        operators=dict(operators.most_common()),
        parameters=sum(w.elements for w in weights),
        macs=macs,
        macs_note=note,
        weights=weights,
        description={**_description(model, batch), **attached(path)},
        signatures=tuple(
            SignatureInfo(s.key, s.graph, tuple(s.inputs.values()), tuple(s.outputs.values())) for s in model.signatures
        ),
    )


def _ends(graph: Graph, indices: tuple[int, ...], names: dict[int, str], walk: Walker) -> tuple[TensorInfo, ...]:
    return tuple(
        TensorInfo(names.get(i) or walk.text(t.table, "Name"), t.signature, t.dtype, quantization(t, walk))
        for i, t in ((i, graph.tensors[i]) for i in indices)
    )


def _weights(data: bytes | mmap, model: Model, walk: Walker) -> tuple[WeightInfo, ...]:
    # Graphs of one file (the signatures of a language model) share their constants: each is listed once.
    found: dict[tuple[Span, str, tuple[int, ...], Quantization | None], WeightInfo] = {}
    counter = _Counter(data)
    for graph in model.graphs:
        aux = {i for tensor in graph.tensors for i in tensor.aux}
        biases = _biases(graph)
        operands = {i for op in graph.operators if op.name in _OPERANDS for i in op.inputs[_OPERANDS[op.name] :]}
        for index, tensor in enumerate(graph.tensors):
            if tensor.span is None or index in aux:
                continue
            scales = quantization(tensor, walk)
            if tensor.dtype in _NOT_WEIGHTS and scales is None and index not in operands:
                continue
            key = (tensor.span, tensor.dtype, tensor.shape, scales)
            if key not in found:
                found[key] = counter.weight(walk.text(tensor.table, "Name"), tensor, scales, walk, index in biases)
    return tuple(found.values())


def _biases(graph: Graph) -> set[int]:
    """Return the tensors that are used as biases only; int32 with a scale is nothing else."""
    uses = [(i, place in _BIASES.get(op.name, ())) for op in graph.operators for place, i in enumerate(op.inputs)]
    integers = {i for i, t in enumerate(graph.tensors) if t.dtype in ("int32", "int64")}
    return ({i for i, bias in uses if bias} - {i for i, bias in uses if not bias}) | integers


class _Counter:
    """Counts values, but not the same bytes again and again: a hostile file may list them a thousand times."""

    def __init__(self, data: bytes | mmap) -> None:
        self._data = memoryview(data)
        self._left = 4 * len(data)

    def weight(self, name: str, tensor: Tensor, scales: Quantization | None, walk: Walker, bias: bool) -> WeightInfo:
        span, shape = tensor.span, tensor.shape
        assert span is not None
        if any(size < 0 for size in shape):
            raise Damaged(f"the constant `{name}` has the dynamic shape {shape}")
        elements = math.prod(shape)
        sparse = walk.call(tensor.table.Sparsity) is not None
        zeros = unique = None
        if span.start is not None:
            self._left -= span.length
            if self._left < 0:
                raise Damaged("its constants overlap")
            raw = self._data[span.start : span.start + span.length]
            if sparse:
                zeros, unique = _count_sparse(raw, tensor.dtype, elements, scales)
            else:
                expected = values.stored_bytes(tensor.dtype, elements)
                if expected not in (None, span.length):
                    raise Damaged(f"the constant `{name}` has {span.length} bytes, its shape needs {expected}")
                zeros, unique = values.count(raw, tensor.dtype, shape, scales)
        return WeightInfo(name, shape, tensor.dtype, scales, span.length, elements, zeros, unique, sparse, bias)


def _count_sparse(
    raw: memoryview, dtype: str, elements: int, scales: Quantization | None
) -> tuple[int | None, int | None]:
    # What is not stored is zero; what is stored may be zero too, in blocks.
    if dtype not in values.BITS or (scales and len(set(scales.zero_point)) > 1):
        return None, None
    stored = len(raw) * 8 // values.BITS[dtype]
    if stored > elements or len(raw) != values.stored_bytes(dtype, stored):
        raise Damaged(f"a sparse constant stores {stored} of {elements} values")
    zeros, unique = values.count(raw, dtype, (stored,), scales)
    return None if zeros is None else zeros + elements - stored, unique


def _description(model: Model, batch: int) -> dict[str, str]:
    facts = {
        "schema version": str(model.version),
        "producer": model.description,
        "minimum runtime": model.minimum_runtime,
        "signatures": ", ".join(s.key for s in model.signatures),
        "metadata": ", ".join(model.metadata),
        "graphs": str(len(model.graphs)) if len(model.graphs) > 1 else "",
        "fixed batch": f"{batch}; MACs are for one sample" if batch > 1 else "",
    }
    if any(t.span and t.span.start is None for graph in model.graphs for t in graph.tensors):
        facts["external data"] = f"weights in {', '.join(model.external) or 'other files'}; their values were not read"
    if len(model.signatures) > 1:
        for s in model.signatures:
            ends = f"{', '.join(s.inputs.values()) or 'nothing'} -> {', '.join(s.outputs.values()) or 'nothing'}"
            facts[f"signature {s.key}"] = f"{ends} (graph {s.graph})"
    blockwise = sum(bool(t.aux) for graph in model.graphs for t in graph.tensors)
    if blockwise:
        facts["blockwise quantization"] = f"{blockwise} weights; their scales are tensors of their own, not shown"
    return {key: text for key, text in facts.items() if text}
