"""The analysis of a model: which channels of which layers must go together, and what is not pruned."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from edgekit.errors import InputError
from edgekit.frameworks.types import KerasLayer, KerasModel, KerasNode
from edgekit.models.keras.calls import calls, check_model, flat, inner_layers, is_graph, shape_of
from edgekit.techniques.channels import slicing
from edgekit.techniques.channels.rules import follow
from edgekit.techniques.channels.tracking import MAKES, Call, Ids, Kept, LayerChannels, Tracker

Members = tuple[tuple[str, int], ...]
"""What goes together: (layer, output channel) pairs."""


@dataclass(frozen=True)
class Group:
    """Layers whose channels can only be removed together.

    Attributes:
        name: unique in the model; the layers joined by `+`.
        producers: the layers whose output channels these are: convolutions, dense layers, depthwise convolutions.
        followers: layers with weights a channel that come along: BatchNormalization, PReLU.
        consumers: the layers that read the channels and mix them.
        roots: the id of every removable unit of the group.
        members: the output channels of every unit, usually one a producer.
    """

    name: str
    producers: tuple[str, ...]
    followers: tuple[str, ...]
    consumers: tuple[str, ...]
    roots: tuple[int, ...]
    members: tuple[Members, ...]

    @property
    def size(self) -> int:
        """How many units can be removed, one by one; for a plain layer its number of channels."""
        return len(self.roots)

    @property
    def multiplicities(self) -> frozenset[int]:
        """How many channels one unit has in every producer; 1 unless groups or depth multipliers are in play."""
        return frozenset(Counter(path for path, _ in self.members[0]).values())


@dataclass(frozen=True)
class Analysis:
    """What can be removed from a model.

    Attributes:
        model: the model itself.
        groups: disjoint, in the order of the model.
        not_pruned: layers none of whose channels can be removed: name to reason.
        layers: all layers that depend on channels, by path (`nested/conv1`).
        nested: ids of the inputs of every nested model, by `id()` of the model.
        roots: the representative of every channel id.
    """

    model: KerasModel
    groups: tuple[Group, ...]
    not_pruned: dict[str, str]
    layers: dict[str, LayerChannels]
    nested: dict[int, list[Ids]]
    roots: Ids

    def kept(self, removed: Mapping[str, Iterable[int]]) -> Kept:
        """Return which channel ids stay.

        Args:
            removed: group name to the units that go, as positions in `Group.roots`.

        Raises:
            InputError: nothing of a group would stay, or there is no such group.
        """
        unknown = set(removed) - {group.name for group in self.groups}
        if unknown:
            raise InputError(f"no group of channels is called `{'`, `'.join(sorted(unknown))}`", code="unknown-name")
        gone = np.zeros(len(self.roots), bool)
        for group in self.groups:
            positions = sorted(set(removed.get(group.name, ())))
            if len(positions) == group.size:
                raise InputError(
                    f"`{group.name}`: all of its {group.size} channels would be removed", code="value-out-of-range"
                )
            gone[np.asarray(group.roots)[positions]] = True
        return ~gone[self.roots]

    def sizes(self, kept: Kept) -> dict[str, tuple[int, int]]:
        """Return the number of output channels of every layer with filters: path to (before, after)."""
        made = {path: entry for path, entry in self.layers.items() if entry.slices.kernel}
        return {path: (len(entry.ids_out), int(kept[entry.ids_out].sum())) for path, entry in made.items()}

    def parameters(self, kept: Kept) -> int:
        """Return how many parameters the model will have."""
        entries = {id(entry.layer): entry for entry in self.layers.values()}
        return sum(
            slicing.parameters(entries[id(layer)], kept) if id(layer) in entries else layer.count_params()
            for layer in inner_layers(self.model)
        )


def analyse(model: KerasModel) -> Analysis:
    """Follow every channel through a tf_keras model.

    Args:
        model: a built Sequential or functional model, nested ones included.

    Raises:
        InputError: the model is subclassed, was never built, or has no weights.
    """
    check_model(model)
    walk = _Walk()
    inputs = [walk.tracker.fresh(shape_of(tensor)) for tensor in flat(model._nested_inputs)]
    for ids in inputs:
        walk.tracker.fix(ids, "its channels are tied to those of the model's input")
    for ids in walk.graph(model, inputs, ""):
        walk.tracker.fix(ids, "its channels are an output of the model")
    groups, not_pruned = _groups(walk.tracker)
    return Analysis(
        model, groups, {**not_pruned, **walk.unknown}, walk.tracker.book, walk.nested_inputs, walk.tracker.roots()
    )


class _Walk:
    """One walk through a model and the models nested in it."""

    def __init__(self) -> None:
        self.tracker = Tracker()
        self.unknown: dict[str, str] = {}
        self.nested_inputs: dict[int, list[Ids]] = {}
        self._nested_outputs: dict[int, list[Ids]] = {}
        self._paths: dict[int, str] = {}

    def graph(self, model: KerasModel, inputs: list[Ids], prefix: str) -> list[Ids]:
        """Follow the channels through a graph, and return the ids of its outputs."""
        ids = dict(zip(map(id, flat(model._nested_inputs)), inputs, strict=True))
        for node in calls(model):
            path = self._path(node.layer, prefix)
            arriving = [ids[id(tensor)] for tensor in node.keras_inputs]
            if is_graph(node.layer):
                leaving = self._nested(node.layer, arriving, path)
            else:
                leaving = follow(_call(node, path, arriving), self.tracker, self.unknown)
            ids.update(zip(map(id, flat(node.outputs)), leaving, strict=True))
        return [ids[id(tensor)] for tensor in flat(model._nested_outputs)]

    def _path(self, layer: KerasLayer, prefix: str) -> str:
        """Return the name of a layer after the names of the models around it, made unique."""
        if id(layer) not in self._paths:
            self._paths[id(layer)] = _unique(prefix + layer.name, self._paths.values())
        return self._paths[id(layer)]

    def _nested(self, model: KerasModel, inputs: list[Ids], path: str) -> list[Ids]:
        """Follow the channels through a nested model, which has the same channels at every call, as any layer."""
        if id(model) not in self.nested_inputs:
            self.nested_inputs[id(model)] = inputs
            self._nested_outputs[id(model)] = self.graph(model, inputs, f"{path}/")
        for before, now in zip(self.nested_inputs[id(model)], inputs, strict=True):
            self.tracker.tie(before, now)
        return self._nested_outputs[id(model)]


def _call(node: KerasNode, path: str, ids: list[Ids]) -> Call:
    arguments = flat([node.call_args, node.call_kwargs])
    tensors = {id(tensor) for tensor in node.keras_inputs}
    return Call(
        path,
        node.layer,
        ids,
        [shape_of(tensor) for tensor in node.keras_inputs],
        [shape_of(tensor) for tensor in flat(node.outputs)],
        [value for value in arguments if id(value) not in tensors],
        swapped=bool(arguments) and id(arguments[0]) not in tensors,
    )


def _groups(tracker: Tracker) -> tuple[tuple[Group, ...], dict[str, str]]:
    """Sort the units (all channels that are tied together) by the layers they are channels of."""
    members, followers, consumers = _units(tracker)
    units: dict[tuple[tuple[str, int], ...], list[int]] = defaultdict(list)
    why: dict[str, str] = {}
    for root, pairs in members.items():
        reason = tracker.reason(root)
        if reason is None:
            units[tuple(sorted(Counter(path for path, _ in pairs).items()))].append(root)
        else:
            for path, _ in pairs:
                why.setdefault(path, reason)
    groups: dict[str, Group] = {}
    for roots in units.values():
        producers = tuple(dict.fromkeys(path for path, _ in members[roots[0]]))
        if len(roots) == 1:
            for path in producers:
                why.setdefault(path, _single(members[roots[0]], producers))
            continue
        along, readers = (
            tuple(sorted(set().union(*(those[root] for root in roots)), key=list(tracker.book).index))
            for those in (followers, consumers)
        )
        name = _unique("+".join(producers), groups)
        pairs_by_unit = tuple(tuple(members[root]) for root in roots)
        groups[name] = Group(name, producers, along, readers, tuple(roots), pairs_by_unit)
    free = {path for group in groups.values() for path in group.producers}
    return tuple(groups.values()), {path: why[path] for path in tracker.book if path in why and path not in free}


def _units(
    tracker: Tracker,
) -> tuple[dict[int, list[tuple[str, int]]], dict[int, set[str]], dict[int, set[str]]]:
    """Return by root: the output channels in it, the layers that come along, the layers that read it."""
    members: dict[int, list[tuple[str, int]]] = defaultdict(list)
    followers: dict[int, set[str]] = defaultdict(set)
    consumers: dict[int, set[str]] = defaultdict(set)
    for path, entry in tracker.book.items():
        if entry.slices.kernel:
            for channel, index in enumerate(entry.ids_out.tolist()):
                members[tracker.root(index)].append((path, channel))
        if entry.slices.role == MAKES or (entry.slices.axes and not entry.slices.kernel):
            readers = consumers if entry.slices.role == MAKES else followers
            for index in set(entry.ids_in.tolist()):
                readers[tracker.root(index)].add(path)
    return members, followers, consumers


def _unique(name: str, taken: Collection[str]) -> str:
    count, unique = 1, name
    while unique in taken:
        count += 1
        unique = f"{name}#{count}"
    return unique


def _single(members: list[tuple[str, int]], producers: tuple[str, ...]) -> str:
    if len(members) == 1:
        return "it has a single channel"
    if len(producers) == 1:
        return "its channels could only go all together"
    return f"the channels of {', '.join(producers)} could only go all together"
