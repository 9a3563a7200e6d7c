"""What the graph of a SavedModel would do on this machine, found out before any of it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from edgekit.backend import tensorflow

HARMLESS = (
    *("StatefulPartitionedCall", "While", "If", "Case", "Assert", "CheckNumerics", "CheckNumericsV2", "DeviceIndex"),
    *("VarHandleOp", "ReadVariableOp", "VarIsInitializedOp", "VariableShape", "DisableCopyOnRead", "DestroyResourceOp"),
    *("AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp", "ResourceGather", "ResourceGatherNd"),
    *("HashTableV2", "MutableHashTableV2", "InitializeTableV2", "LookupTableFindV2", "LookupTableSizeV2"),
    *("LookupTableInsertV2", "LookupTableImportV2", "LookupTableExportV2", "LookupTableRemoveV2"),
    *(
        "RngReadAndSkip",
        "RngSkip",
        "StatelessRandomGetAlg",
        "Multinomial",
        "TruncatedNormal",
        "Empty",
        "GuaranteeConst",
    ),
    *("CudnnRNN", "CudnnRNNV2", "CudnnRNNV3", "CudnnRNNBackprop", "CudnnRNNBackpropV2", "CudnnRNNBackpropV3"),
)
"""Operations with a state that stays inside the process."""
HARMLESS_PREFIXES = (
    "Random",
    "StatefulRandom",
    "StatefulStandard",
    "StatefulTruncated",
    "StatefulUniform",
    "TensorArray",
)
REACHING_OUT = ("ReadFile", "MatchingFiles", "ImmutableConst", "PyFuncStateless", "InitializeTableFromTextFile")
"""Operations that read files or run Python, though TensorFlow does not count them as stateful."""


def unsafe_operations(meta_graph: Any) -> list[str]:
    """Name the operations that could reach files, the network, devices or Python: known ones, and unknown ones.

    Functions that only the graph's saver calls are left out: TensorFlow 2 runs none of the main graph when it loads.

    Args:
        meta_graph: a MetaGraphDef of TensorFlow 2.
    """
    library = {function.signature.name: function for function in meta_graph.graph_def.library.function}
    called = set(meta_graph.object_graph_def.concrete_functions)
    for name, function in library.items():
        called.update(callee for callee in _callees(function.node_def, library) if callee != name)
    savers = set(_callees(meta_graph.graph_def.node, library)) - called
    found: dict[str, None] = {}
    for name, function in library.items():
        if name not in savers or "api_implements" in function.attr:
            found.update((node.op, None) for node in function.node_def if not _is_harmless(node.op, library))
    return list(found)


def _callees(nodes: Iterable[Any], library: dict[str, Any]) -> Iterator[str]:
    for node in nodes:
        if node.op in library:
            yield node.op
        for value in node.attr.values():
            yield value.func.name
            yield from (function.name for function in value.list.func)


def _is_harmless(operation: str, library: dict[str, Any]) -> bool:
    if operation in library or operation in HARMLESS or operation.startswith(HARMLESS_PREFIXES):
        return True
    if operation in REACHING_OUT or operation.startswith(("Debug", "Reader", "Xla")) or "Dataset" in operation:
        return False
    tensorflow()
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(operation)
    return definition is not None and not definition.is_stateful
