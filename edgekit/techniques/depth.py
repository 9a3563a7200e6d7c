"""Depth: the blocks of a model that give back the shape that they take, and the same model without some of them.

A residual block whose shortcut is plain, or a convolution with as many filters as channels come in, can be left out,
and what is behind still fits: the shapes of all other layers stay (stochastic depth leaves out the same blocks while
it trains: Huang et al. 2016, arXiv 1603.09382).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.errors import InputError
from edgekit.frameworks.layers.knowledge import Role
from edgekit.frameworks.layers.register import of_role
from edgekit.frameworks.tensorflow import tensorflow, tf_keras
from edgekit.frameworks.types import KerasLayer, KerasModel, KerasNode, SymbolicTensor, Tensor
from edgekit.models.keras.calls import calls, flat, shape_of
from edgekit.models.keras.rebuild import clone, rebuild

KERNELS = frozenset({*of_role(Role.CONVOLUTION), *of_role(Role.DENSE)})
"""Layers that mix channels: without one a block saves next to nothing."""
BELONGING = frozenset({*of_role(Role.NORMALIZATION), *of_role(Role.ACTIVATION), *of_role(Role.REGULARIZATION)})
"""Layers that go with the kernel before them."""


@dataclass(frozen=True)
class Block:
    """A part of a model between two tensors of one shape, through the first of which everything goes.

    Attributes:
        start, end: the two tensors.
        layers: names of what is between them.
        nodes: their calls.
    """

    start: SymbolicTensor
    end: SymbolicTensor
    layers: tuple[str, ...]
    nodes: tuple[KerasNode, ...]


def blocks_of(model: KerasModel) -> list[Block]:
    """Return the blocks of a model that can be left out, in its order, none inside another.

    Args:
        model: a built Sequential or functional tf_keras model; nested models are looked into.
    """
    return _blocks(rebuild(model))


def shallower(model: KerasModel, count: int) -> KerasModel:
    """Return a model without its last blocks, and with its weights.

    Args:
        model: as for `blocks_of`; left as it is.
        count: how many blocks go, the last first; 0 returns the model itself.

    Raises:
        InputError: it has not so many.
    """
    if count == 0:
        return model
    source = rebuild(model)
    blocks = _blocks(source)
    if count > len(blocks):
        raise InputError(
            f"`shallower` is {count}, and model `{model.name}` has {len(blocks)} blocks that can be left out",
            "a block gives back the shape that it takes, such as a residual block with a plain shortcut",
            code="value-out-of-range",
        )
    return _without(source, blocks[len(blocks) - count :])


def _blocks(model: KerasModel) -> list[Block]:
    nodes, narrow = calls(model), _narrows(model)
    shared = _shared(nodes)
    found: list[Block] = []
    place = 0
    while place < len(narrow):
        end = _end(nodes, narrow, place)
        if end:
            inside = tuple(nodes[narrow[place][1] : narrow[end][1]])
            if not any(id(node.layer) in shared for node in inside):
                names = tuple(node.layer.name for node in inside)
                found.append(Block(narrow[place][0], narrow[end][0], names, inside))
        place = end or place + 1
    return found


def _end(nodes: Sequence[KerasNode], narrow: Sequence[tuple[SymbolicTensor, int]], place: int) -> int:
    """Return where a block ends that begins at a narrow place: behind what belongs to its last kernel; 0: none does."""
    start, first = narrow[place]

    def alike(other: int) -> bool:
        tensor = narrow[other][0]
        return shape_of(tensor) == shape_of(start) and tensor.dtype == start.dtype

    ends = range(place + 1, len(narrow) - 1)  # the last is the model's output
    if ends and narrow[ends[0]][1] == first + 1 and _is(BELONGING, nodes[first]):
        return 0  # it goes with the kernel before
    found = next((n for n in ends if alike(n) and any(_is(KERNELS, node) for node in nodes[first : narrow[n][1]])), 0)
    while found and found + 1 in ends and alike(found + 1):
        if not all(_is(BELONGING, node) for node in nodes[narrow[found][1] : narrow[found + 1][1]]):
            break
        found += 1
    return found


def _narrows(model: KerasModel) -> list[tuple[SymbolicTensor, int]]:
    """Return the tensors through which everything goes, in order, each with the number of calls before it."""
    nodes = calls(model)
    last: dict[int, int] = {}
    for place, node in enumerate(nodes):
        for tensor in node.keras_inputs:
            last[id(tensor)] = place
    for tensor in flat(model._nested_outputs):
        last[id(tensor)] = len(nodes)
    live = {id(tensor): tensor for tensor in flat(model._nested_inputs)}
    found = [(tensor, 0) for tensor in live.values()] if len(live) == 1 else []
    for place, node in enumerate(nodes):
        live |= {id(tensor): tensor for tensor in flat(node.outputs)}
        live = {key: tensor for key, tensor in live.items() if last.get(key, -1) > place}
        if len(live) == 1:
            found += [(tensor, place + 1) for tensor in live.values()]
    return found


def _is(kinds: frozenset[str], node: KerasNode) -> bool:
    return type(node.layer).__name__ in kinds


def _shared(nodes: Sequence[KerasNode]) -> set[int]:
    """Return the layers that are called more than once, by `id()`."""
    often = Counter(id(node.layer) for node in nodes)
    return {key for key, count in often.items() if count > 1}


def _without(model: KerasModel, blocks: Sequence[Block]) -> KerasModel:
    """Build a flat model again without some of its blocks."""
    keras, nest = tf_keras(), tensorflow().nest
    left_out = {id(node) for block in blocks for node in block.nodes}
    ends = {id(block.end): block.start for block in blocks}
    sources = flat(model._nested_inputs)
    inputs = [keras.layers.InputLayer.from_config(t._keras_history.layer.get_config()).output for t in sources]
    made: dict[int, Tensor] = dict(zip(map(id, sources), inputs, strict=True))
    layers: dict[int, KerasLayer] = {}

    def now(tensor: SymbolicTensor) -> Tensor:
        while id(tensor) in ends:
            tensor = ends[id(tensor)]
        return made[id(tensor)]

    for node in calls(model):
        if id(node) in left_out:
            continue
        given = {id(tensor): now(tensor) for tensor in node.keras_inputs}
        args, kwargs = nest.map_structure(
            lambda value, given=given: given.get(id(value), value), (node.call_args, node.call_kwargs)
        )
        if id(node.layer) not in layers:
            layers[id(node.layer)] = clone(node.layer)
        layer = layers[id(node.layer)]
        made.update(zip(map(id, flat(node.outputs)), flat(layer(*args, **kwargs)), strict=True))
    outputs = nest.map_structure(now, model._nested_outputs)
    shorter = keras.Model(nest.pack_sequence_as(model._nested_inputs, inputs), outputs, name=model.name)
    for node in calls(model):
        if id(node) not in left_out and node.layer.weights:
            layers[id(node.layer)].set_weights(node.layer.get_weights())
    return shorter
