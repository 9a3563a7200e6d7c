"""How much memory the activations of a .tflite file need at the same time.

Operators run in the order of the file. While one runs, its inputs and outputs are there, and all that later ones still
read. The largest sum is what no allocator can do without: the working set by which networks for microcontrollers are
chosen (Liberis and Lane 2019, arXiv 1910.05110; Fedorov et al. 2019, SpArSe, arXiv 1905.12107). An interpreter needs
more: scratch buffers of kernels, structures, gaps between tensors.
"""

from __future__ import annotations

import math
from pathlib import Path

from edgekit.formats.reading import at_arms_length
from edgekit.formats.source import load
from edgekit.formats.tflite.flatbuffer import Walker
from edgekit.formats.tflite.graph import Graph, parse
from edgekit.formats.values import BITS, Array
from edgekit.schema.types import JsonValue


def activation_bytes(path: Path) -> int | None:
    """Return the bytes of activations that are needed at the same time; None for a file with loops or branches.

    Args:
        path: a .tflite file.

    Raises:
        InputError: it cannot be read.
    """
    found: int | None = at_arms_length("largest", path, module=__name__)
    return found


def largest(path: str) -> tuple[JsonValue, list[Array]]:
    """Do what `activation_bytes` asks for, in its child."""
    data = load(Path(path))
    graphs = parse(data, Walker(len(data))).graphs
    return working_set(graphs[0]) if len(graphs) == 1 else None, []


def working_set(graph: Graph) -> int:
    """Return the largest number of bytes that are needed at the same time."""
    first = dict.fromkeys(graph.inputs, 0)
    last = dict.fromkeys(graph.outputs, len(graph.operators))
    for place, operator in enumerate(graph.operators):
        for index in (i for i in (*operator.inputs, *operator.outputs) if i >= 0 and graph.tensors[i].span is None):
            first.setdefault(index, place)
            last[index] = max(last.get(index, place), place)
    sizes = {index: _bytes(graph, index) for index in first}
    return max(
        (
            sum(size for index, size in sizes.items() if first[index] <= place <= last.get(index, first[index]))
            for place in range(max(1, len(graph.operators)))
        ),
        default=0,
    )


def _bytes(graph: Graph, index: int) -> int:
    tensor = graph.tensors[index]
    return math.ceil(math.prod(max(size, 1) for size in tensor.shape) * BITS.get(tensor.dtype, 32) / 8)
