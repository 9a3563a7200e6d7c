"""How much of a tensor's range its readers tell apart: sigmoid computes the same of -30 and of -300.

int8 has one step for all of a tensor, and where the range goes on to values that end as 0 or 1 in any case, as with
dead channels and long tails in front of swish, the step is coarse for nothing. Such values may saturate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from edgekit.export.calibration import UNBOUNDED, Ends
from edgekit.formats.fixed_batch import builtin_code
from edgekit.formats.types import TfliteModel, TfliteObject

_FLAT: Mapping[str, Ends] = {
    "LOGISTIC": (-12.0, 12.0),
    "TANH": (-6.0, 6.0),
    "HARD_SWISH": (-3.0, math.inf),
    "GELU": (-6.0, math.inf),
    "ELU": (-12.0, math.inf),
}
"""Outside of these ends, an operator's result differs by less than 2e-5 from that at the end, or is x itself."""
_SWISH: Ends = (-12.0, math.inf)
"""Of x in x * sigmoid(x), which is -7e-5 at the end."""
_COMPUTING = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "BATCH_MATMUL", "ADD", "SUB", "MUL")
"""Operators whose result has a range of its own. Others, such as RESHAPE and pooling, share that of what they read."""


def told_apart(model: TfliteModel) -> dict[int, Ends]:
    """Return the ends of what is read of tensors of the main graph; those without an end on either side are left out.

    Args:
        model: a float file.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    names = {number: name for name, number in vars(schema.BuiltinOperator).items() if name[0] != "_"}
    kinds = [names.get(builtin_code(model.operatorCodes[o.opcodeIndex]), "") for o in graph.operators]
    readers: dict[int, list[int]] = {}
    for place, operator in enumerate(graph.operators):
        for tensor in operator.inputs:
            readers.setdefault(int(tensor), []).append(place)
    results = {int(tensor) for tensor in graph.outputs}
    found: dict[int, Ends] = {}
    for operator, kind in zip(graph.operators, kinds, strict=True):
        tensor = int(operator.outputs[0])
        if kind not in _COMPUTING or tensor in results or tensor not in readers:
            continue
        ends = [_read(graph.operators, kinds, place, readers[tensor]) for place in readers[tensor]]
        widest = min(low for low, _ in ends), max(high for _, high in ends)
        if widest != UNBOUNDED:
            found[tensor] = widest
    return found


def _read(operators: Sequence[TfliteObject], kinds: Sequence[str], place: int, readers: Sequence[int]) -> Ends:
    """Return what an operator tells apart of a tensor that `readers`, of which it is one, read."""
    if kinds[place] != "MUL":
        return _FLAT.get(kinds[place], UNBOUNDED)
    both = {int(tensor) for tensor in operators[place].inputs}
    gates = [operators[other] for other in readers if kinds[other] == "LOGISTIC"]
    return _SWISH if any(both == {int(gate.inputs[0]), int(gate.outputs[0])} for gate in gates) else UNBOUNDED


def narrowed(model: TfliteModel, ranges: Mapping[int, Ends]) -> dict[int, Ends]:
    """Return ranges without what readers do not tell apart.

    Args:
        model: the float file.
        ranges: by the index of the tensor in the main graph.
    """
    limits = told_apart(model)
    return {index: _within(ends, *limits.get(index, UNBOUNDED)) for index, ends in ranges.items()}


def _within(ends: Ends, low: float, high: float) -> Ends:
    return min(max(ends[0], low), high), min(max(ends[1], low), high)
