"""Steps of the intermediate graph that are one layer: training and pruning know it better, files compute it faster."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from edgekit.models.imported.graph import (
    Arithmetic,
    Convolution,
    DepthToSpace,
    Graph,
    GroupNormalization,
    LayerNormalization,
    Linear,
    Step,
)
from edgekit.tasks.samples import Array

Weighted = Linear | Convolution | LayerNormalization | GroupNormalization
_WITH_WEIGHTS = (Linear, Convolution, LayerNormalization, GroupNormalization)
_WITH_CHANNELS = (Convolution, GroupNormalization)
_NORMALIZATIONS = (LayerNormalization, GroupNormalization)


def fused(graph: Graph) -> Graph:
    """Return the graph with factors and biases in the layers that they belong to, and channels as blocks want them."""
    uses = Counter([*(name for step in graph.steps for name in step.inputs), *graph.outputs])
    places: dict[str, int] = {}
    steps: list[Step] = []
    for step in graph.steps:
        before = next((name for name in step.inputs if name in places), "")
        made = None
        if before and uses[before] == 1:
            made = _with_constant(steps[places[before]], step, graph, before)
            made = made or _for_blocks(steps[places[before]], step)
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


def _with_constant(layer: Step, after: Step, graph: Graph, value: str) -> list[Step] | None:
    """Return a layer that multiplies with a constant, or adds one, itself; None where the second step is none such."""
    operation, arithmetic = layer.operation, after.operation
    if not isinstance(operation, _WITH_WEIGHTS) or not isinstance(arithmetic, Arithmetic) or value not in graph.shapes:
        return None
    known = [graph.constants[name] for name in after.inputs if name in graph.constants]
    rank = len(graph.shapes[value])
    if arithmetic.kind not in ("add", "multiply") or not known or known[0].ndim > rank:
        return None
    if isinstance(operation, LayerNormalization) and operation.first != rank - 1:
        return None
    axis = operation.channels if isinstance(operation, _WITH_CHANNELS) else rank - 1
    numbers = _one_a_channel(known[0], rank, axis, graph.shapes[value][axis])
    if numbers is None:
        return None
    made = _multiplied(operation, numbers) if arithmetic.kind == "multiply" else _shifted(operation, numbers)
    return [replace(layer, operation=made, outputs=after.outputs)]


def _multiplied(operation: Weighted, numbers: Array) -> Weighted:
    if isinstance(operation, _NORMALIZATIONS):
        beta = None if operation.beta is None else operation.beta * numbers
        return replace(operation, gamma=operation.gamma * numbers, beta=beta)  # type: ignore[arg-type]
    bias = None if operation.bias is None else operation.bias * numbers
    return replace(operation, kernel=operation.kernel * numbers, bias=bias)


def _shifted(operation: Weighted, numbers: Array) -> Weighted:
    if isinstance(operation, _NORMALIZATIONS):
        return replace(operation, beta=numbers if operation.beta is None else operation.beta + numbers)
    return replace(operation, bias=numbers if operation.bias is None else operation.bias + numbers)


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
