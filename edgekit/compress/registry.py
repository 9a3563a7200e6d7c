"""The stages by name. A new technique is one module and one line here."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import typing
from typing import cast

from edgekit.compress.stage import Stage
from edgekit.config import StageSpec
from edgekit.errors import InputError

STAGES = {
    "finetune": "edgekit.compress.finetune:Finetune",
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
        raise InputError(f"{where}: unknown stage `{spec.use}`", _nearest(spec.use, list(STAGES)))
    module, _, name = STAGES[spec.use].partition(":")
    kind = getattr(importlib.import_module(module), name)
    types = typing.get_type_hints(kind)
    options = {f.name: types[f.name] for f in dataclasses.fields(kind)}
    for key, value in spec.options.items():
        if key not in options:
            raise InputError(f"{where}: stage `{spec.use}` has no option `{key}`", _nearest(key, list(options)))
        wanted = options[key]
        if isinstance(value, bool) is not (wanted is bool) or not isinstance(
            value, (int, float) if wanted is float else wanted
        ):
            raise InputError(f"{where}.{key} is {value!r}, expected {wanted.__name__}")
    try:
        return cast(Stage, kind(**spec.options))
    except InputError as error:
        raise InputError(f"{where}: {error.message}", error.hint) from error


def _nearest(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean `{close[0]}`?" if close else f"known: {', '.join(known)}"
