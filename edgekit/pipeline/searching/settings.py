"""What all workers of a search must agree on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Annotated

from edgekit.bundle.budget import OPTIONS, Budget
from edgekit.bundle.recipe_file import LAYOUTS
from edgekit.errors import InputError
from edgekit.errors.printable import clipped, name_fault, quoted
from edgekit.schema.rules import Count, Digest, Line, Matching, Natural, Range, Sized, Through, one_of, unique
from edgekit.schema.tables import fields_written
from edgekit.schema.types import JsonObject, JsonValue

SAMPLERS = ("tpe", "gp")
SCHEMES = ("int8", "int4-dense", "int4")
MOST_EFFORT = 100.0
TargetName = Annotated[str, Matching(lambda text: not text or name_fault(text) is None, "the name of a target")]
"""A name and no path: what a storage says is looked up, and not opened."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a search is: the same for all of its workers, and whenever it goes on.

    Attributes:
        budget: what the files may spend.
        target: name of the target that latency is measured on; empty: none is, and MACs stand in.
        gzip: whether sizes count after gzip.
        effort: factor on all epochs.
        augment: of images while anything learns, besides none.
        schemes: of files.
        students: reference models that may learn, besides the model's own architecture; files are in `files`.
        files: SHA-256 of the student files, in their order.
        teacher: SHA-256 of the file of a teacher, or empty.
        sampler: `tpe` or `gp`.
        seed: of everything random in the recipes.
        metric, task, preprocessing, normalize_outside, layout_out, input_shapes, input_values: as for `compress`.
    """

    budget: Budget = field(default_factory=Budget)
    target: TargetName = ""
    gzip: bool = False
    effort: Annotated[float, Range(0, MOST_EFFORT)] = 1.0
    augment: Line = ""
    schemes: Annotated[tuple[Annotated[str, one_of(*SCHEMES)], ...], Sized(1), Through(unique)] = ("int8",)
    students: tuple[Line, ...] = ()
    files: tuple[Digest, ...] = ()
    teacher: Line = ""
    sampler: Annotated[str, one_of(*SAMPLERS)] = "tpe"
    seed: Count = 0
    metric: Line = ""
    task: Line = ""
    preprocessing: dict[str, JsonValue] = field(default_factory=dict)
    normalize_outside: bool = False
    layout_out: Annotated[str, one_of("", *LAYOUTS)] = ""
    input_shapes: dict[str, list[Natural]] = field(default_factory=dict)
    input_values: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> JsonObject:
        """Return the JSON form."""
        return fields_written(self)


NAMES = {
    "seed": "--seed", "gzip": "--gzip", "effort": "--effort", "augment": "--augment", "schemes": "--scheme",
    "students": "--student", "files": "--student", "teacher": "--teacher", "sampler": "--sampler",
    "target": "--target", "metric": "--metric", "task": "--task", "normalize_outside": "--normalize-outside",
    "layout_out": "--layout-out",
    "input_shapes": "--input-shape", "input_values": "--input-value",
    "preprocessing": "--scale, --mean, --std, --layout or --channels", **OPTIONS,
}  # fmt: skip
"""By field the option that sets it."""


def differences(known: Settings, given: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield what differs: the option, its value in the search that is known, and the one that is given."""
    for one, other in ((known, given), (known.budget, given.budget)):
        for f in fields(one):
            if f.name != "budget" and getattr(one, f.name) != getattr(other, f.name):
                yield NAMES[f.name], _text(getattr(one, f.name)), _text(getattr(other, f.name))


def joined(known: Settings, given: Settings) -> Settings:
    """Return the settings of a worker that joins: those of the search, where it gives none of its own.

    Raises:
        InputError: the search has student or teacher files, or a metric of its own, which are not looked for.
    """
    default = Settings()
    names = [f.name for f in fields(given) if f.name != "budget"]
    own = {name: getattr(given, name) for name in names if getattr(given, name) != getattr(default, name)}
    bounds = {f.name: v for f in fields(Budget) if (v := getattr(given.budget, f.name)) is not None}
    for name, lacking in (("--student", len(known.files)), ("--teacher", bool(known.teacher))):
        field_name = "files" if name == "--student" else "teacher"
        if lacking and field_name not in own:
            digests = ", ".join(known.files) if field_name == "files" else known.teacher
            raise InputError(
                f"the search has files under `{name}`, and only their digests are known: {digests}",
                f"give the same files with `{name}`",
                code="study-differs",
            )
    if ":" in known.metric and "metric" not in own:
        raise InputError(
            f"the search has the metric `{clipped(known.metric)}`, a function: no code is run on a storage's word",
            "give it with `--metric`",
            code="study-differs",
        )
    return replace(known, **own, budget=replace(known.budget, **bounds))


def _text(value: object) -> str:
    if value in (None, "", (), {}):
        return "nothing"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else quoted(value)
