"""From a choice of layers to groups of channels."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.errors import InputError
from edgekit.techniques.channels.groups import Analysis, Group
from edgekit.techniques.matching import by_reason, check_layers, matches, nothing_matches


@dataclass(frozen=True)
class Chosen:
    """The groups that a choice of layers means, and the layers among them that cannot lose channels, with reasons."""

    groups: tuple[Group, ...]
    not_pruned: dict[str, str]


def choose(analysis: Analysis, layers: str) -> Chosen:
    """Choose groups by the layers in them.

    `name:PATTERN` takes every group with a layer whose path or name matches. `conv` takes every group with a
    convolution in it, `dense` only those of dense layers: where a dense layer scales the channels of a convolution
    (squeeze and excitation), they are channels of the convolution.

    Args:
        analysis: of the model.
        layers: `all`, `conv`, `dense`, or `name:` and a pattern with `*`, `?` and `[...]`, case-sensitive.

    Raises:
        InputError: no layer matches, or no channel of those that match can be removed.
    """
    check_layers(layers)
    known = [path for path, entry in analysis.layers.items() if entry.slices.kernel]
    known += [path for path in analysis.not_pruned if path not in known]
    matching = {path for path in known if matches(layers, path, _kind(analysis, path))}
    if not matching:
        raise nothing_matches(analysis.model.name, layers, known)
    rule = all if layers == "dense" else any
    groups = tuple(group for group in analysis.groups if rule(path in matching for path in group.producers))
    not_pruned = {path: why for path, why in analysis.not_pruned.items() if path in matching}
    if not groups:
        tied = {path: "its channels are tied to those of a convolution" for path in matching if path not in not_pruned}
        raise InputError(
            f"model `{analysis.model.name}`: no channels of the layers `{layers}` can be removed "
            f"({by_reason({**not_pruned, **tied})})",
            code="nothing-to-prune",
        )
    return Chosen(groups, not_pruned)


def _kind(analysis: Analysis, path: str) -> str:
    entry = analysis.layers.get(path)
    return type(entry.layer).__name__ if entry is not None else ""
