"""Tables of a .tflite file that edits share: codes of operators, and what nothing uses any more."""

from __future__ import annotations

import numpy as np

from edgekit.formats.fixed_batch import builtin_code
from edgekit.formats.types import TfliteModel, TfliteSchema


def operator_code(model: TfliteModel, schema: TfliteSchema, builtin: int, version: int) -> int:
    """Return the place of an operator's code, of this version or a later one; it is added where it is missing."""
    for place, code in enumerate(model.operatorCodes):
        if builtin_code(code) == builtin:
            code.version = max(code.version, version)
            return place
    return _added(model, schema, builtin, version)


def exact_operator_code(model: TfliteModel, schema: TfliteSchema, builtin: int, version: int) -> int:
    """Return the place of an operator's code of just this version, as `operator_code` does."""
    for place, code in enumerate(model.operatorCodes):
        if builtin_code(code) == builtin and code.version == version:
            return place
    return _added(model, schema, builtin, version)


def _added(model: TfliteModel, schema: TfliteSchema, builtin: int, version: int) -> int:
    model.operatorCodes.append(
        schema.OperatorCodeT(deprecatedBuiltinCode=min(builtin, 127), builtinCode=builtin, version=version)
    )
    return len(model.operatorCodes) - 1


def drop_unused(model: TfliteModel) -> None:
    """Drop operator codes and constants that nothing uses: a runtime may lack the one, and the other takes bytes."""
    operators = [operator for graph in model.subgraphs for operator in graph.operators]
    used = sorted({operator.opcodeIndex for operator in operators})
    for operator in operators:
        operator.opcodeIndex = used.index(operator.opcodeIndex)
    model.operatorCodes = [model.operatorCodes[index] for index in used]
    held = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    held |= {entry.buffer for entry in model.metadata or []}
    held |= set() if model.metadataBuffer is None else {int(index) for index in model.metadataBuffer}
    for index, buffer in enumerate(model.buffers):
        if index not in held:
            buffer.data = None


def drop_unused_tensors(model: TfliteModel) -> None:
    """Drop the tensors of the main graph that no operator, end or signature uses; the others move up.

    Where scales are tensors of their own, and so known by number, all stay.
    """
    graph = model.subgraphs[0]
    if any(t.quantization is not None and t.quantization.details is not None for t in graph.tensors):
        return
    signatures = [s for s in model.signatureDefs or [] if s.subgraphIndex == 0]
    entries = [entry for s in signatures for side in (s.inputs, s.outputs) for entry in side or []]
    fields = [(graph, field) for field in ("inputs", "outputs")]
    fields += [(operator, field) for operator in graph.operators for field in ("inputs", "outputs", "intermediates")]
    vectors = [(o, field, vector) for o, field in fields if (vector := getattr(o, field)) is not None]
    used = {int(i) for _, _, vector in vectors for i in vector} | {int(entry.tensorIndex) for entry in entries}
    kept = [index for index in range(len(graph.tensors)) if index in used]
    places = {-1: -1} | {index: place for place, index in enumerate(kept)}
    for owner, field, vector in vectors:
        setattr(owner, field, np.array([places[int(i)] for i in vector], np.int32))
    for entry in entries:
        entry.tensorIndex = places[int(entry.tensorIndex)]
    graph.tensors = [graph.tensors[index] for index in kept]


def require_runtime(model: TfliteModel, version: tuple[int, int, int]) -> None:
    """Let the metadata name no older version of TensorFlow Lite than this as the first that runs the file."""
    for entry in model.metadata or []:
        if entry.name == b"min_runtime_version":
            buffer = model.buffers[entry.buffer]
            stated = bytes([] if buffer.data is None else buffer.data).rstrip(b"\0")
            try:
                older = tuple(map(int, stated.split(b"."))) < version
            except ValueError:
                continue
            if older:
                text = ".".join(map(str, version)).encode()
                buffer.data = np.frombuffer(text.ljust(16, b"\0"), np.uint8)
