"""From `all`, `conv`, `dense` or `name:PATTERN` to layers: the option `layers` of pruning and clustering."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from edgekit.errors import InputError
from edgekit.frameworks.layers.knowledge import Role
from edgekit.frameworks.layers.register import of_role

PATTERN = "name:"
CHOICES = ("all", "conv", "dense", f"{PATTERN}PATTERN")
SCOPES = ("local", "global")
"""How an amount is shared: the same of every chosen layer, or the least important of all of them together."""
SHOWN = 12
DENSE = of_role(Role.DENSE)


def check_layers(layers: str) -> None:
    """Refuse a choice of layers that means nothing for any model.

    Raises:
        InputError: it is not one of `CHOICES`.
    """
    if layers not in CHOICES[:3] and (not layers.startswith(PATTERN) or layers == PATTERN):
        raise InputError(f"unknown choice of layers `{layers}`", f"one of: {', '.join(CHOICES)}", code="unknown-name")


def matches(layers: str, path: str, kind: str) -> bool:
    """Return whether a layer is among those chosen.

    Args:
        layers: one of `CHOICES`; a pattern has `*`, `?` and `[...]`, and is case-sensitive.
        path: the layer's name, after the names of the nested models around it: `backbone/conv1`.
        kind: the name of its class; empty if it is not known. A convolution is what has `Conv` in that name: a layer of
            the user's own is chosen, too, and named as what cannot be worked on.
    """
    if layers == "all":
        return True
    if layers.startswith(PATTERN):
        pattern = layers.removeprefix(PATTERN)
        return fnmatchcase(path, pattern) or fnmatchcase(path.rpartition("/")[2], pattern)
    return kind in DENSE if layers == "dense" else "Conv" in kind


def nothing_matches(name: str, layers: str, known: Sequence[str]) -> InputError:
    """Return the error for a choice that no layer of the model `name` matches.

    Args:
        name: of the model.
        layers: the choice.
        known: the layers that can be chosen.
    """
    if not known:
        return InputError(
            f"model `{name}` has no convolution or dense layer",
            "there is nothing in it that this stage makes smaller",
            code="no-layer-matches",
        )
    if not layers.startswith(PATTERN):
        kind = "dense layer" if layers == "dense" else "convolution"
        return InputError(f"model `{name}` has no {kind}", f"its layers: {_listed(known)}", code="no-layer-matches")
    word = re.sub(r"[*?\[\]]+", "", layers.removeprefix(PATTERN))
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(f'`{path}`' for path in near)}?" if near else f"its layers: {_listed(known)}"
    return InputError(f"no layer of model `{name}` matches `{layers}`", hint, code="no-layer-matches")


def by_reason(not_pruned: Mapping[str, str]) -> str:
    """Return layers and why they stay as they are in one sentence, every reason once."""
    paths_of: dict[str, list[str]] = {}
    for path, why in not_pruned.items():
        paths_of.setdefault(why, []).append(path)
    return "; ".join(f"{_listed(paths)}: {why}" for why, paths in paths_of.items())


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
