"""From `all`, `conv`, `dense` or `name:PATTERN` to groups of channels."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from edgekit.errors import InputError
from edgekit.techniques.channels.groups import Analysis, Group

PATTERN = "name:"
CHOICES = ("all", "conv", "dense", f"{PATTERN}PATTERN")


@dataclass(frozen=True)
class Chosen:
    """The groups that a choice of layers means, and the layers among them that cannot lose channels, with reasons."""

    groups: tuple[Group, ...]
    whole: dict[str, str]


def check_layers(layers: str) -> None:
    """Refuse a choice of layers that means nothing for any model.

    Raises:
        InputError: it is not one of `CHOICES`.
    """
    if layers not in CHOICES[:3] and (not layers.startswith(PATTERN) or layers == PATTERN):
        raise InputError(f"unknown choice of layers `{layers}`", f"one of: {', '.join(CHOICES)}")


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
    known += [path for path in analysis.whole if path not in known]
    matching = {path for path in known if _matches(analysis, layers, path)}
    if not matching:
        raise nothing_matches(analysis.model.name, layers, known)
    rule = all if layers == "dense" else any
    groups = tuple(group for group in analysis.groups if rule(path in matching for path in group.producers))
    whole = {path: why for path, why in analysis.whole.items() if path in matching}
    if not groups:
        tied = {path: "its channels are tied to those of a convolution" for path in matching if path not in whole}
        raise InputError(
            f"model {analysis.model.name}: no channels of the layers `{layers}` can be removed "
            f"({by_reason({**whole, **tied})})"
        )
    return Chosen(groups, whole)


def _matches(analysis: Analysis, layers: str, path: str) -> bool:
    if layers == "all":
        return True
    if layers.startswith(PATTERN):
        pattern = layers.removeprefix(PATTERN)
        return fnmatchcase(path, pattern) or fnmatchcase(path.rpartition("/")[2], pattern)
    entry = analysis.layers.get(path)
    return entry is not None and (type(entry.layer).__name__ == "Dense") is (layers == "dense")


def nothing_matches(name: str, layers: str, known: list[str]) -> InputError:
    """Return the error for a choice that no layer of the model `name` matches.

    Args:
        name: of the model.
        layers: the choice.
        known: the layers that can be chosen.
    """
    if not known:
        return InputError(
            f"model {name} has no convolution or dense layer",
            "there is nothing in it that this stage makes smaller",
        )
    if not layers.startswith(PATTERN):
        kind = "dense layer" if layers == "dense" else "convolution"
        return InputError(f"model {name} has no {kind}", f"its layers: {_some(known)}")
    word = re.sub(r"[*?\[\]]+", "", layers.removeprefix(PATTERN))
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(f'`{path}`' for path in near)}?" if near else f"its layers: {_some(known)}"
    return InputError(f"no layer of model {name} matches `{layers}`", hint)


def _some(names: list[str]) -> str:
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def by_reason(whole: dict[str, str]) -> str:
    """Return layers that stay whole in one sentence, every reason once."""
    found: dict[str, list[str]] = {}
    for path, why in whole.items():
        found.setdefault(why, []).append(path)
    return "; ".join(f"{_some(paths)}: {why}" for why, paths in found.items())
