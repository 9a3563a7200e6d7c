"""The gate for all JSON and TOML that edgekit reads: a value is of its declared type, or refused with its key path.

What a file may hold is declared where its contents are at home, as dataclasses and TypedDicts; `read` compiles a
declaration and checks a value against it. A class whose JSON form is not its fields has a class method `declared` that
returns another declaration; one whose fields must fit each other has a method `check_consistent` that raises `Wrong`.
Numbers are integers of 64 bits and finite, unless they are declared otherwise with `Annotated` and the rules of
`edgekit.schema.rules`.

    edgekit.bundle.records.Record      run.json               edgekit.bundle.manifest.Manifest    manifest.json
    edgekit.bundle.recipe_file         recipe.toml            edgekit.devices.target.TargetFile   targets/NAME.toml
    edgekit.bundle.ledger.Entry        inside of a manifest   edgekit.models.files.saving         MODEL.keras.json
    edgekit.bundle.runs                what a runner returns

A dataclass has no other keys than its fields, and the message names the nearest, unless it is `open_ended`
(`edgekit.schema.tables`): what a runner returns, the facts of a host and a plan may hold more than this edgekit reads.
A TypedDict keeps keys that are not declared.
Each kind of file has a number, its schema; older ones are brought up to date first (`edgekit.schema.versions`).

msgspec and cattrs were looked at. Their errors are sentences without a hint, and their rules know neither key paths of
other fields nor the nearest name, so every message here would be taken apart and made again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from edgekit.errors import InputError
from edgekit.errors.printable import path_text, quoted
from edgekit.schema.checks import check_of
from edgekit.schema.document import SMALL, parse_json, read_text
from edgekit.schema.rules import Wrong
from edgekit.schema.types import JsonValue
from edgekit.schema.versions import Versions

T = TypeVar("T")


def read(
    kind: type[T] | Any, value: JsonValue, source: str, what: str, hint: str = "", versions: Versions | None = None
) -> T:
    """Return a value as a declared type.

    Args:
        kind: a dataclass, a TypedDict, or a table declared with `Annotated`.
        value: as `parse_json` or `tomllib` gave it.
        source: the file, for messages.
        what: the file should be, such as `record`.
        hint: the next step, where a message has none of its own.
        versions: of files that state their schema.

    Raises:
        InputError: it is not of this type: with file, key path, what is there and what was expected; or it is of a
            schema that this edgekit does not read.
    """
    if not isinstance(value, Mapping):
        raise InputError(
            f"{source}: not a {what}: holds {quoted(value)}, expected a table", hint, code="value-wrong-type"
        )
    try:
        return cast(T, check_of(cast(Any, kind))(value if versions is None else versions.current(value)))
    except Wrong as error:
        place = path_text(error.path)
        where = f"`{place}` " if place else ""
        raise InputError(f"{source}: {where}{error.reason}", error.hint or hint, code=error.code) from None


def read_json(path: Path, what: str, limit: int = SMALL, *, follow: bool = True) -> JsonValue:
    """Return what a JSON file holds, not yet checked against a declaration.

    Args:
        path: the file.
        what: it should be, such as `record`.
        limit: bytes.
        follow: whether the path may be a symbolic link.

    Raises:
        InputError: it is missing, no regular file, too large, or not JSON.
    """
    return parse_json(read_text(path, what, limit, follow=follow), str(path), what)
