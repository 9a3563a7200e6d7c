"""The stages by name. A new technique is one module and one line here."""

from __future__ import annotations

import dataclasses
import importlib
import math
import typing
from typing import Any, cast

from edgekit.bundle.recipe import StageSpec
from edgekit.errors import InputError
from edgekit.schema.toml import nearest
from edgekit.techniques.stage import Stage
from edgekit.text.printable import quoted, visible

STAGES = {
    "distill": "edgekit.techniques.distill:Distill",
    "prune": "edgekit.techniques.prune:Prune",
    "cluster": "edgekit.techniques.cluster:Cluster",
    "quantize": "edgekit.techniques.qat:Quantize",
    "finetune": "edgekit.techniques.finetune:Finetune",
}


def resolve(spec: StageSpec, where: str) -> Stage:
    """Return the stage that a recipe's entry asks for.

    Args:
        spec: name and options.
        where: the file and key path, for messages, e.g. `my.toml: stage[0]`.

    Raises:
        InputError: unknown stage, unknown option, or an option of the wrong type or value.
    """
    if spec.use not in STAGES:
        raise InputError(f"{where}: unknown stage `{visible(spec.use)}`", nearest(spec.use, list(STAGES)))
    module, _, name = STAGES[spec.use].partition(":")
    kind = getattr(importlib.import_module(module), name)
    types = typing.get_type_hints(kind)
    options = {f.name: types[f.name] for f in dataclasses.fields(kind)}
    given = {}
    for key, value in spec.options.items():
        if key not in options:
            raise InputError(f"{where}: stage `{spec.use}` has no option `{visible(key)}`", nearest(key, list(options)))
        given[key] = _typed(value, options[key], f"{where}.{key}")
    try:
        return cast(Stage, kind(**given))
    except InputError as error:
        raise InputError(f"{where}: {error.message}", error.hint) from error


def _typed(value: Any, wanted: Any, where: str) -> Any:
    """Return the value as the field holds it: lists become tuples, integers may stand for floats."""
    if typing.get_origin(wanted) is tuple and isinstance(value, list):
        return tuple(_typed(item, typing.get_args(wanted)[0], where) for item in value)
    accepted = (int, float) if wanted is float else wanted
    plain = isinstance(wanted, type) and typing.get_origin(wanted) is None
    right = plain and isinstance(value, bool) is (wanted is bool) and isinstance(value, accepted)
    if not right or not _finite(value):
        name = wanted.__name__ if plain else "a list of numbers"
        raise InputError(f"{where} is {quoted(value)}, expected {name}")
    return value


def _finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)
