"""What a user says of a detector: `--task detection:boxes=ltrb,strides=[8,16,32]`, or a TOML file with such keys."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

from edgekit.errors import InputError
from edgekit.errors.printable import clipped, quoted
from edgekit.schema.document import parse_toml, read_text
from edgekit.schema.gate import read
from edgekit.schema.rules import Natural, Range, Sized, one_of
from edgekit.schema.types import JsonObject, JsonValue
from edgekit.tasks.detection.description import (
    BACKGROUND,
    MOST_ANCHORS,
    MOST_PIXELS,
    MOST_SCALES,
    SCORES,
    UNITS,
    Anchor,
    Positive,
    Share,
)
from edgekit.tasks.detection.forms import FORMS

KIND = "detection"
LARGEST_FILE = 1 << 20
EXAMPLE = "--task 'detection:boxes=ltrb,strides=[8,16,32]'"


@dataclass(frozen=True)
class Options:
    """What is given of a `Detection`; None: to be found.

    Attributes:
        outputs: what each output holds, such as `boxes+scores`; `-` for one that is not used.
        layout: where the channels are, for outputs whose sizes fit both.

    The others are those of `Detection`.
    """

    boxes: Annotated[str, one_of(*FORMS)] | None = None
    units: Annotated[str, one_of(*UNITS)] | None = None
    scores: Annotated[str, one_of(*SCORES)] | None = None
    background: Annotated[str, one_of(*BACKGROUND)] | None = None
    strides: Annotated[tuple[Annotated[float, Range(1, MOST_PIXELS)], ...], Sized(1, MOST_SCALES)] | None = None
    anchors: (
        Annotated[tuple[Annotated[tuple[Anchor, ...], Sized(1, MOST_ANCHORS)], ...], Sized(1, MOST_SCALES)] | None
    ) = None
    variances: Annotated[tuple[Positive, ...], Sized(4, 4)] | None = None
    threshold: Share | None = None
    overlap: Share | None = None
    most: Annotated[Natural, Range(1, 10_000)] | None = None
    outputs: Annotated[tuple[str, ...], Sized(1, 256)] | None = None
    layout: Annotated[str, one_of("last", "first")] | None = None

    def given(self) -> JsonObject:
        """Return what is given, by its name."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}


NOTHING = Options()


def is_detection(task: str) -> bool:
    """Return whether `--task` names this kind: by its name, or a TOML file."""
    return task.strip().partition(":")[0] == KIND or task.strip().endswith(".toml")


def options_of(task: str) -> Options | None:
    """Return what is said of a detector; None where the task is another, or not said.

    `--task` is `detection`, `detection:KEY=VALUE,...` or a TOML file with a table `[detection]`.

    Raises:
        InputError: it is of another form, or a key or value is not known.
    """
    task = task.strip()
    if not is_detection(task):
        return None
    if task.endswith(".toml"):
        document = parse_toml(read_text(Path(task).expanduser(), "description of a task", LARGEST_FILE), task)
        table = document.get(KIND)
        if set(document) != {KIND} or not isinstance(table, dict):
            raise InputError(
                f"{clipped(task)}: expected one table, `[{KIND}]`",
                f"or give its keys as {EXAMPLE}",
                code="task-unknown",
            )
        source = task
    else:
        table, source = _typed(task.partition(":")[2]), f"--task {KIND}"
    made: Options = read(Options, table, source, "description of a detector", f"see docs/detection.md; {EXAMPLE}")
    return made


def _typed(text: str) -> JsonObject:
    """Read `KEY=VALUE,...`: values are TOML, and bare words are texts."""
    table: JsonObject = {}
    depth, part, parts = 0, "", []
    for character in text:
        depth += (character == "[") - (character == "]")
        if character == "," and depth <= 0:
            parts.append(part)
            part = ""
        else:
            part += character
    for one in filter(None, (p.strip() for p in (*parts, part))):
        key, equals, value = (piece.strip() for piece in one.partition("="))
        if not equals or not re.fullmatch(r"[a-z]+", key) or not value or key in table:
            raise InputError(
                f"`--task {KIND}:...`: cannot read {quoted(one)}", f"expected KEY=VALUE once, as in {EXAMPLE}",
                code="task-unknown",
            )  # fmt: skip
        table[key] = _value(value)
    return table


def _value(text: str) -> JsonValue:
    if re.fullmatch(r"[A-Za-z+-]+[A-Za-z0-9+]*", text):
        return text
    if re.fullmatch(r"\[[A-Za-z0-9+,\s-]*[A-Za-z-][A-Za-z0-9+,\s-]*\]", text):  # a list of bare words
        return [word.strip() for word in text[1:-1].split(",")]
    return parse_toml(f"v = {text}", f"--task {KIND}")["v"]
