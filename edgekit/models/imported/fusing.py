"""Steps of the intermediate graph that are one layer: training and pruning know it better, files compute it faster."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from edgekit.models.imported.graph import Arithmetic, Convolution, DepthToSpace, Graph, Linear, Step
from edgekit.tasks.samples import Array


def fused(graph: Graph) -> Graph:
    """Return the graph with biases in the layers that they belong to, and channels in the order that blocks want."""
    uses = Counter([*(name for step in graph.steps for name in step.inputs), *graph.outputs])
    places: dict[str, int] = {}
    steps: list[Step] = []
    for step in graph.steps:
        before = next((name for name in step.inputs if name in places), "")
        made = None
        if before and uses[before] == 1:
            made = _with_bias(steps[places[before]], step, graph, before) or _for_blocks(steps[places[before]], step)
        if made is None:
            places.update(dict.fromkeys(filter(None, step.outputs), len(steps)))
            steps.append(step)
            continue
        at = places[before]
        steps[at] = made[0]
        if len(made) == 1:
            places[step.outputs[0]] = at
        else:
            places[step.outputs[0]] = len(steps)
            steps.append(made[1])
    return replace(graph, steps=tuple(steps))


def _with_bias(layer: Step, adding: Step, graph: Graph, value: str) -> list[Step] | None:
    """Return a matrix product or convolution that adds a constant itself; None where the second step is none such."""
    operation = layer.operation
    if not isinstance(operation, (Linear, Convolution)) or operation.bias is not None:
        return None
    if adding.operation != Arithmetic("add") or value not in graph.shapes:
        return None
    other = next((graph.constants[name] for name in adding.inputs if name in graph.constants), None)
    if other is None or len(other.shape) > len(graph.shapes[value]):
        return None
    rank = len(graph.shapes[value])
    axis = rank - 1 if isinstance(operation, Linear) else operation.channels
    bias = _one_a_channel(other, rank, axis, operation.kernel.shape[-1])
    if bias is None:
        return None
    return [replace(layer, operation=replace(operation, bias=bias), outputs=adding.outputs)]


def _one_a_channel(values: Array, rank: int, axis: int, count: int) -> Array | None:
    full = values.reshape((1,) * (rank - values.ndim) + values.shape)
    if full.size not in (1, count) or full.shape[axis] not in (1, count) or full.size != full.shape[axis]:
        return None
    return np.array(np.broadcast_to(full.reshape(-1), (count,)), np.float32)


def _for_blocks(layer: Step, moving: Step) -> list[Step] | None:
    """Return a convolution whose channels stand as TensorFlow's depth_to_space numbers them, and that step."""
    convolution, blocks = layer.operation, moving.operation
    if not isinstance(convolution, Convolution) or not isinstance(blocks, DepthToSpace) or blocks.split_first:
        return None
    if convolution.groups != 1:
        return None
    order = np.arange(convolution.kernel.shape[-1]).reshape(-1, blocks.block**2).T.ravel()
    bias = None if convolution.bias is None else convolution.bias[order]
    sorted_ = replace(convolution, kernel=convolution.kernel[..., order], bias=bias)
    return [replace(layer, operation=sorted_), replace(moving, operation=replace(blocks, split_first=True))]
