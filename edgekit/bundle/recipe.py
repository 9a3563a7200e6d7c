"""Recipes: what `edgekit compress` does, as TOML.

schema = 1
description = "one line"
seed = 0                                  # governs everything random

[[stage]]                                 # in order; none for post-training schemes
use = "finetune"
epochs = 3

[export]
schemes = ["float32", "int8"]             # float32 float16 dynamic int8 int16x8 int4-dense int4
formats = ["tflite", "onnx", "c"]

[preprocessing]                           # as the options of these names; left out: as trained
scale = "1/255"                           # inputs are (x * scale - mean) / std
mean = [0.49, 0.48, 0.45]                 # one number, or one a channel
std = 0.25
layout = "NHWC"
channels = "RGB"                          # "BGR": reversed, after mean and std
normalize_outside = false                 # Rescaling and Normalization of the model are done before the file
inputs.NAME.scale = 1.0                   # of several inputs

[calibration]
samples = 500                             # set the quantization ranges
method = "minmax"                         # of the values seen; "percentile" and "mse" let outliers saturate
percentile = 99.9                         # of the values that method "percentile" keeps

[check]
samples = 1000                            # validation samples on which the files are compared

[eval]
samples = 1000                            # test samples in the bundle, for measuring on devices; 0: all
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

from edgekit.bundle.schemes import FORMATS, SCHEMES
from edgekit.errors import InputError
from edgekit.schema.document import parse_toml, read_text
from edgekit.schema.mixups import recognised
from edgekit.schema.toml import LARGEST, Table, document, key_toml, nearest_or_file, to_toml
from edgekit.text.printable import plain_name, quoted, visible

SCHEMA = 1
CALIBRATION_METHODS = ("minmax", "percentile", "mse")
LARGEST_FILE = 1 << 20
MOST_SAMPLES = 2**31 - 1
FEEDING = ("scale", "mean", "std", "layout", "channels")


@dataclass(frozen=True)
class StageSpec:
    """One training stage of a recipe: its registered name and its options as written, not yet checked."""

    use: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Recipe:
    """A resolved recipe: every key has a value."""

    name: str
    description: str = ""
    seed: int = 0
    stages: tuple[StageSpec, ...] = ()
    schemes: tuple[str, ...] = ("float32", "int8")
    formats: tuple[str, ...] = FORMATS
    calibration_samples: int = 500
    calibration_method: str = "minmax"
    calibration_percentile: float = 99.9
    check_samples: int = 1000
    eval_samples: int = 1000
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `Preprocessing` that are not as the model's card says; `inputs` maps names of inputs to such fields."""
    normalize_outside: bool = False

    def with_preprocessing(self, given: Mapping[str, Any]) -> Recipe:
        """Return the recipe with fields of `preprocessing` replaced; what is given for all inputs replaces each's."""
        own, others = self.preprocessing.get("inputs", {}), given.get("inputs", {})
        inputs = {
            name: {**{k: v for k, v in own.get(name, {}).items() if k not in given}, **others.get(name, {})}
            for name in (*own, *others)
        }
        fields = {**self.preprocessing, **given}
        return replace(self, preprocessing=fields | {"inputs": inputs} if inputs else fields)

    def with_stages(self, added: Iterable[StageSpec]) -> Recipe:
        """Return the recipe with more stages behind its own, named and described accordingly."""
        added = tuple(added)
        if not added:
            return self
        stages = (*self.stages, *added)
        order = ", ".join(stage.use for stage in stages)
        name = "+".join([self.name, *(stage.use for stage in added)])
        return replace(self, name=name, description=f"{order}; then {', '.join(self.schemes)} files", stages=stages)

    def changed(
        self,
        *,
        seed: int | None = None,
        eval_samples: int | None = None,
        calibration_samples: int | None = None,
        calibration_method: str | None = None,
    ) -> Recipe:
        """Return the recipe with what is given in place of its own.

        Raises:
            InputError: there is no such calibration method.
        """
        return replace(
            self,
            seed=self.seed if seed is None else seed,
            eval_samples=self.eval_samples if eval_samples is None else eval_samples,
            calibration_samples=calibration_samples or self.calibration_samples,
            calibration_method=known_calibration(calibration_method or self.calibration_method),
        )

    def to_toml(self) -> str:
        """Return the recipe as TOML that `load_recipe` reads back to an equal recipe (but for its name)."""
        lines = [
            f"schema = {SCHEMA}",
            f"description = {to_toml(self.description)}",
            f"seed = {self.seed}",
        ]
        for stage in self.stages:
            lines += ["", "[[stage]]", f"use = {to_toml(stage.use)}"]
            lines += [f"{key_toml(key)} = {to_toml(value)}" for key, value in stage.options.items()]
        lines += [
            "",
            "[export]",
            f"schemes = {to_toml(list(self.schemes))}",
            f"formats = {to_toml(list(self.formats))}",
        ]
        if self.preprocessing or self.normalize_outside:
            lines += ["", "[preprocessing]", *_feeding_lines(self.preprocessing)]
            lines += ["normalize_outside = true"] if self.normalize_outside else []
            for name, fields in self.preprocessing.get("inputs", {}).items():
                lines += ["", f"[preprocessing.inputs.{to_toml(name)}]", *_feeding_lines(fields)]
        for table, samples in (
            ("calibration", self.calibration_samples),
            ("check", self.check_samples),
            ("eval", self.eval_samples),
        ):
            lines += ["", f"[{table}]", f"samples = {samples}"]
            lines += self._ranging_lines() if table == "calibration" else []
        return "\n".join(lines) + "\n"

    def _ranging_lines(self) -> list[str]:
        lines = [f"method = {to_toml(self.calibration_method)}"]
        percentile = f"percentile = {to_toml(self.calibration_percentile)}"
        return [*lines, percentile] if self.calibration_method == "percentile" else lines


def named_recipes() -> list[str]:
    """Return the names of the recipes in the package, sorted."""
    return sorted(p.name.removesuffix(".toml") for p in _folder().iterdir() if p.name.endswith(".toml"))


def load_recipe(name_or_path: str) -> Recipe:
    """Read a recipe: a name from the package, or the path of a TOML file.

    Raises:
        InputError: no such recipe, or something in it is wrong; said with file, key path and nearest valid name.
    """
    if name_or_path in named_recipes():
        return parse(_folder().joinpath(f"{name_or_path}.toml").read_text(encoding="utf-8"), name_or_path, name_or_path)
    path = Path(name_or_path).expanduser()
    if path.suffix != ".toml" and not path.exists():
        raise InputError(f"no recipe `{name_or_path}`", nearest_or_file(name_or_path, named_recipes()))
    with recognised(path, "recipe"):
        return parse(read_text(path, "recipe", LARGEST_FILE), plain_name(path.stem, 100), str(path))


def parse(text: str, name: str, source: str) -> Recipe:
    """Read a recipe from TOML text; `source` names it in messages.

    Raises:
        InputError: as for `load_recipe`.
    """
    keys = ("description", "seed", "stage", "export", "preprocessing", "calibration", "check", "eval")
    top = document(text, source, SCHEMA, keys)
    export, calibration, check, evaluation = (top.table(key) for key in ("export", "calibration", "check", "eval"))
    export.allow("schemes", "formats")
    calibration.allow("samples", "method", "percentile")
    for table in (check, evaluation):
        table.allow("samples")
    usual = Recipe(name)
    feeding = top.table("preprocessing")
    feeding.allow(*FEEDING, "inputs", "normalize_outside")
    return Recipe(
        name=name,
        description=top.get("description", str, "", prose=True),
        seed=top.get("seed", int, 0, lambda v: 0 <= v < 2**32, "0 to 4294967295"),
        stages=tuple(_stage(value, source, index) for index, value in enumerate(top.get("stage", list, []))),
        schemes=export.choices("schemes", tuple(SCHEMES), usual.schemes),
        formats=export.choices("formats", FORMATS, usual.formats),
        calibration_samples=calibration.get("samples", int, usual.calibration_samples, _positive, "1 to 2147483647"),
        calibration_method=calibration.get(
            "method", str, "minmax", CALIBRATION_METHODS.__contains__, " or ".join(CALIBRATION_METHODS)
        ),
        calibration_percentile=float(
            calibration.get(
                "percentile", (int, float), usual.calibration_percentile, lambda v: 50 <= v <= 100, "50 to 100"
            )
        ),
        check_samples=check.get("samples", int, usual.check_samples, _positive, "1 to 2147483647"),
        eval_samples=evaluation.get(
            "samples", int, usual.eval_samples, lambda v: 0 <= v <= MOST_SAMPLES, "0 to 2147483647"
        ),
        preprocessing=_feeding(feeding, source) | _inputs(feeding.table("inputs"), source),
        normalize_outside=feeding.get("normalize_outside", bool, False),
    )


def known_calibration(name: str) -> str:
    """Return the name of a calibration method.

    Raises:
        InputError: there is none of this name.
    """
    if name not in CALIBRATION_METHODS:
        raise InputError(f"no calibration method `{visible(name)}`", f"one of {', '.join(CALIBRATION_METHODS)}")
    return name


def parse_stage(text: str) -> StageSpec:
    """Read `--stage NAME:key=value,key=value`; values are TOML, and bare words are strings.

    Raises:
        InputError: the text is not of this form.
    """
    use, _, options = text.partition(":")
    told = visible(text if len(text) < 200 else text[:200] + "…")
    if not re.fullmatch(r"\s*[A-Za-z][\w-]*\s*", use):
        raise InputError(f"--stage {told}: names no stage", "e.g. --stage prune:amount=0.5,epochs=3")
    found: dict[str, Any] = {}
    for part in re.split(r",(?![^\[]*\])", options) if options else []:
        key, equals, value = part.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise InputError(
                f"--stage {told}: {quoted(part)} is not key=value", "e.g. --stage prune:amount=0.5,epochs=3"
            )
        key = key.strip()
        _check_option(key, f"--stage {use.strip()}: a key")
        if key in found:
            raise InputError(f"--stage {told}: `{visible(key)}` is given twice")
        found[key] = _word(value.strip(), f"--stage {use.strip()}")
        _check_option(found[key], f"--stage {use.strip()}: `{visible(key)}`")
    return StageSpec(use.strip(), found)


def _word(text: str, source: str) -> Any:
    """Return what a value of TOML says; what is none is a word."""
    try:
        parsed = parse_toml(f"v = {text}", source)
    except InputError as error:
        if ": not TOML: " in error.message:
            return text
        raise
    return parsed["v"] if len(parsed) == 1 else text


def _check_option(value: Any, where: str) -> None:
    """Raise `InputError` unless a value is one that options have: a text, a number, true or false, a list of these."""
    for one in value if isinstance(value, list) else [value]:
        plain = isinstance(one, str) and visible(one) == one
        number = isinstance(one, bool) or (isinstance(one, int) and abs(one) <= LARGEST)
        if not (plain or number or (isinstance(one, float) and math.isfinite(one))):
            raise InputError(
                f"{where} is {quoted(value)}", "expected a text of one line, a finite number, true or false, or a list"
            )


def _stage(value: Any, source: str, index: int) -> StageSpec:
    if not isinstance(value, dict) or not isinstance(value.get("use"), str):
        raise InputError(f"{source}: stage[{index}] needs a key `use` that names the technique")
    for key, option in value.items():
        _check_option(key, f"{source}: a key of `stage[{index}]`")
        _check_option(option, f"{source}: `stage[{index}].{visible(key)}`")
    return StageSpec(value["use"], {key: v for key, v in value.items() if key != "use"})


def _feeding(table: Table, source: str) -> dict[str, Any]:
    """Return the fields of `Preprocessing` that a table holds."""
    one, several = 'a number, or text such as "1/255"', "a number, or a list of them, one a channel"
    found = {
        "scale": table.get("scale", object, None, _is_number, one),
        "mean": table.get("mean", object, None, _are_numbers, several),
        "std": table.get("std", object, None, _are_numbers, several),
        "layout": table.get("layout", str, None),
        "channels": table.get("channels", str, None),
    }
    fields = {key: _read(key, value) for key, value in found.items() if value is not None}
    if fields:
        from edgekit.tasks.preprocessing import Preprocessing

        try:
            Preprocessing(**fields)  # what could never be right is better refused now
        except InputError as error:
            raise InputError(f"{source}: {error.message}", error.hint) from error
    return fields


def _inputs(table: Table, source: str) -> dict[str, Any]:
    """Return the same fields of every input that a table names, under `inputs`."""
    named = {}
    for name, inner in table.tables():
        inner.allow(*FEEDING)
        named[name] = _feeding(inner, source)
    return {"inputs": named} if named else {}


def _read(key: str, value: Any) -> Any:
    if key in ("layout", "channels"):
        return value.upper()
    if key == "scale":
        return number(value)
    return tuple(number(v) for v in (value if isinstance(value, list) else [value]))


def number(value: Any) -> float:
    """Read `0.5`, or the text `1/255`.

    Raises:
        ValueError: it is no number.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(value)
    above, slash, below = str(value).partition("/")
    try:
        return float(above) / float(below) if slash else float(above)
    except ZeroDivisionError as error:
        raise ValueError(value) from error


def _is_number(value: Any) -> bool:
    try:
        number(value)
    except ValueError:
        return False
    return True


def _are_numbers(value: Any) -> bool:
    return all(map(_is_number, value if isinstance(value, list) else [value])) and value != []


def _feeding_lines(fields: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {to_toml(value)}" for key, value in fields.items() if key != "inputs"]


def _positive(value: int) -> bool:
    return 1 <= value <= MOST_SAMPLES


def _folder() -> Any:
    return resources.files("edgekit.bundle.recipes")
