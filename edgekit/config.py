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

[calibration]
samples = 500                             # set the quantization ranges

[check]
samples = 1000                            # validation samples on which the files are compared

[eval]
samples = 1000                            # test samples in the bundle, for measuring on devices; 0: all
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from edgekit.errors import InputError
from edgekit.toml import document, nearest_or_file, to_toml

SCHEMA = 1
SCHEMES = ("float32", "float16", "dynamic", "int8", "int16x8", "int4-dense", "int4")
FORMATS = ("tflite", "onnx", "c")


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
    check_samples: int = 1000
    eval_samples: int = 1000

    def with_stages(self, added: Iterable[StageSpec]) -> Recipe:
        """Return the recipe with more stages behind its own, named and described accordingly."""
        added = tuple(added)
        if not added:
            return self
        stages = (*self.stages, *added)
        order = ", ".join(stage.use for stage in stages)
        name = "+".join([self.name, *(stage.use for stage in added)])
        return replace(self, name=name, description=f"{order}; then {', '.join(self.schemes)} files", stages=stages)

    def to_toml(self) -> str:
        """Return the recipe as TOML that `load_recipe` reads back to an equal recipe (but for its name)."""
        lines = [
            f"schema = {SCHEMA}",
            f"description = {to_toml(self.description)}",
            f"seed = {self.seed}",
        ]
        for stage in self.stages:
            lines += ["", "[[stage]]", f"use = {to_toml(stage.use)}"]
            lines += [f"{key} = {to_toml(value)}" for key, value in stage.options.items()]
        lines += [
            "",
            "[export]",
            f"schemes = {to_toml(list(self.schemes))}",
            f"formats = {to_toml(list(self.formats))}",
        ]
        for table, samples in (
            ("calibration", self.calibration_samples),
            ("check", self.check_samples),
            ("eval", self.eval_samples),
        ):
            lines += ["", f"[{table}]", f"samples = {samples}"]
        return "\n".join(lines) + "\n"


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
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"{path}: cannot read this recipe: {reason}") from error
    return parse(text, path.stem, str(path))


def parse(text: str, name: str, source: str) -> Recipe:
    """Read a recipe from TOML text; `source` names it in messages.

    Raises:
        InputError: as for `load_recipe`.
    """
    keys = ("description", "seed", "stage", "export", "calibration", "check", "eval")
    top = document(text, source, SCHEMA, keys)
    export, calibration, check, evaluation = (top.table(key) for key in ("export", "calibration", "check", "eval"))
    export.allow("schemes", "formats")
    for table in (calibration, check, evaluation):
        table.allow("samples")
    usual = Recipe(name)
    return Recipe(
        name=name,
        description=top.get("description", str, ""),
        seed=top.get("seed", int, 0, lambda v: 0 <= v < 2**32, "0 to 4294967295"),
        stages=tuple(_stage(value, source, index) for index, value in enumerate(top.get("stage", list, []))),
        schemes=export.choices("schemes", SCHEMES, usual.schemes),
        formats=export.choices("formats", FORMATS, usual.formats),
        calibration_samples=calibration.get("samples", int, usual.calibration_samples, _positive, "at least 1"),
        check_samples=check.get("samples", int, usual.check_samples, _positive, "at least 1"),
        eval_samples=evaluation.get("samples", int, usual.eval_samples, lambda v: v >= 0, "at least 0"),
    )


def parse_stage(text: str) -> StageSpec:
    """Read `--stage NAME:key=value,key=value`; values are TOML, and bare words are strings.

    Raises:
        InputError: the text is not of this form.
    """
    use, _, options = text.partition(":")
    found: dict[str, Any] = {}
    for part in re.split(r",(?![^\[]*\])", options) if options else []:
        key, equals, value = part.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise InputError(f"--stage {text}: `{part}` is not key=value", "e.g. --stage prune:amount=0.5,epochs=3")
        try:
            found[key.strip()] = tomllib.loads(f"v = {value}")["v"]
        except tomllib.TOMLDecodeError:
            found[key.strip()] = value.strip()
    if not use.strip():
        raise InputError(f"--stage {text}: names no stage", "e.g. --stage prune:amount=0.5,epochs=3")
    return StageSpec(use.strip(), found)


def _stage(value: Any, source: str, index: int) -> StageSpec:
    if not isinstance(value, dict) or not isinstance(value.get("use"), str):
        raise InputError(f"{source}: stage[{index}] needs a key `use` that names the technique")
    return StageSpec(value["use"], {key: v for key, v in value.items() if key != "use"})


def _positive(value: int) -> bool:
    return value >= 1


def _folder() -> Any:
    return resources.files("edgekit.recipes")
