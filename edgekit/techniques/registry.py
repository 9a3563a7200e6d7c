"""From a recipe's stages to techniques, and what their options are. The rows are in `edgekit.bundle.stages`."""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from edgekit.bundle.binding import bound
from edgekit.bundle.recipe import StageSpec
from edgekit.bundle.stages import STAGES
from edgekit.errors import InputError
from edgekit.errors.printable import quoted, visible
from edgekit.schema.toml import nearest, to_toml
from edgekit.techniques.stage import Stage, Trained


def resolve(spec: StageSpec, where: str) -> Stage:
    """Return the stage that a recipe's entry asks for.

    Args:
        spec: name and options.
        where: the file and key path, for messages, e.g. `my.toml: stage[0]`.

    Raises:
        InputError: unknown stage, unknown option, or an option of the wrong type or value.
    """
    if spec.use not in STAGES:
        raise InputError(
            f"{where}: unknown stage `{visible(spec.use)}`", nearest(spec.use, list(STAGES)), code="unknown-name"
        )
    kind = bound(STAGES[spec.use].where)
    types = typing.get_type_hints(kind)
    options = {f.name: types[f.name] for f in dataclasses.fields(kind)}
    given = {}
    for key, value in spec.options.items():
        if key not in options:
            raise InputError(
                f"{where}: stage `{spec.use}` has no option `{visible(key)}`",
                nearest(key, list(options)),
                code="key-unknown",
            )
        given[key] = _typed(value, options[key], f"{where}.{key}")
    try:
        return cast(Stage, kind(**given))
    except InputError as error:
        raise InputError(f"{where}: {error.message}", error.hint, code=error.code) from error


@dataclass(frozen=True)
class Option:
    """An option of a stage.

    Attributes:
        name: the key in a recipe.
        default: as TOML.
        help: what it means, from the docstring of the class.
    """

    name: str
    default: str
    help: str


def options_of(use: str) -> list[Option]:
    """Return the options of a registered stage, those of its own first.

    Args:
        use: a key of `edgekit.bundle.stages.STAGES`.
    """
    kind = bound(STAGES[use].where)
    explained = dict(
        line for base in reversed(kind.__mro__) for line in _attributes(base.__doc__ or "") if base is not object
    )
    own = [f for f in dataclasses.fields(kind) if f.name not in Trained.__dataclass_fields__]
    shared = [f for f in dataclasses.fields(kind) if f.name in Trained.__dataclass_fields__]
    return [Option(f.name, to_toml(_as_toml(f.default)), explained.get(f.name, "")) for f in (*own, *shared)]


def _attributes(docstring: str) -> Iterator[tuple[str, str]]:
    """Yield name and text of every entry under `Attributes:`."""
    _, _, section = inspect.cleandoc(docstring).partition("Attributes:\n")
    for entry in re.split(r"\n(?= {4}\w)", f"\n{section}"):
        names, colon, text = entry.strip().partition(":")
        if colon:
            for name in names.split(","):
                yield name.strip(), " ".join(text.split())


def _as_toml(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _typed(value: Any, wanted: Any, where: str) -> Any:
    """Return the value as the field holds it: lists become tuples, integers may stand for floats."""
    if typing.get_origin(wanted) is tuple and isinstance(value, list):
        return tuple(_typed(item, typing.get_args(wanted)[0], where) for item in value)
    accepted = (int, float) if wanted is float else wanted
    is_scalar = isinstance(wanted, type) and typing.get_origin(wanted) is None
    is_right = is_scalar and isinstance(value, bool) is (wanted is bool) and isinstance(value, accepted)
    if not is_right or not _finite(value):
        name = wanted.__name__ if is_scalar else "a list of numbers"
        raise InputError(f"{where} is {quoted(value)}, expected {name}", code="value-wrong-type")
    return value


def _finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)
