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
max_drop = 0.5                            # what int8 may lose: points of accuracy, percent of an error; left out: any
layout = "NHWC"                           # of the inputs and outputs of rebuilt files; left out: channels last

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

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from edgekit.bundle.recipe_file import (
    CALIBRATION_METHODS,
    LAYOUTS,
    MOST_DROP,
    VERSIONS,
    CalibrationTable,
    CheckTable,
    EvalTable,
    ExportTable,
    OptionValue,
    RecipeFile,
)
from edgekit.errors import InputError
from edgekit.errors.printable import clipped, plain_name, quoted, visible
from edgekit.schema.document import parse_toml, read_text
from edgekit.schema.gate import read
from edgekit.schema.mixups import recognised
from edgekit.schema.rules import Line
from edgekit.schema.toml import key_toml, nearest, nearest_or_file, to_toml
from edgekit.schema.types import JsonMapping, JsonValue

DEMO_MODEL = "digits-cnn"
"""What is compressed where no model is given: a reference model."""
LARGEST_FILE = 1 << 20


@dataclass(frozen=True)
class StageSpec:
    """One training stage of a recipe: its registered name and its options as written, not yet checked."""

    use: str
    options: JsonMapping


@dataclass(frozen=True)
class Recipe:
    """A resolved recipe: every key has a value."""

    name: str
    description: str = ""
    seed: int = 0
    stages: tuple[StageSpec, ...] = ()
    schemes: tuple[str, ...] = ExportTable.schemes
    formats: tuple[str, ...] = ExportTable.formats
    calibration_samples: int = CalibrationTable.samples
    calibration_method: str = CalibrationTable.method
    calibration_percentile: float = CalibrationTable.percentile
    check_samples: int = CheckTable.samples
    eval_samples: int = EvalTable.samples
    preprocessing: JsonMapping = field(default_factory=dict)
    """Fields of `Preprocessing` that are not as the model's card says; `inputs` maps names of inputs to such fields."""
    normalize_outside: bool = False
    max_drop: float | None = None
    """What the int8 files may lose (`edgekit.tasks.drop`); None: they are made in one way, whatever that loses."""
    layout_out: str = ""
    """`NHWC` or `NCHW`: where files of a model that is rebuilt as layers have their channels; empty: last."""

    def wants_layers(self, format_: str) -> bool:
        """Return whether a file of this format is rebuilt as layers.

        It is to be trained or to get another layout, or it is ONNX, and files of other formats are wanted.
        """
        if self.stages or self.layout_out:
            return True
        return format_ == "onnx" and any(wanted != "onnx" for wanted in self.formats)

    def with_preprocessing(self, given: JsonMapping) -> Recipe:
        """Return the recipe with fields of `preprocessing` replaced; what is given for all inputs replaces each's."""
        own, others = self.preprocessing.get("inputs", {}), given.get("inputs", {})
        inputs = {
            name: {**{k: v for k, v in own.get(name, {}).items() if k not in given}, **others.get(name, {})}
            for name in (*own, *others)
        }
        fields = {**self.preprocessing, **given}
        return replace(self, preprocessing=fields | {"inputs": inputs} if inputs else fields)

    def default_folder(self, model: Path | None) -> Path:
        """Return the folder, in the current one, of a bundle that this makes of a model; None: of the demo model."""
        return Path(f"{model.stem if model else DEMO_MODEL}-{self.name}")

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
        max_drop: float | None = None,
        layout_out: str | None = None,
    ) -> Recipe:
        """Return the recipe with what is given in place of its own.

        Raises:
            InputError: there is no such calibration method or layout, or `max_drop` is below 0 or none.
        """
        if max_drop is not None and not 0 <= max_drop <= MOST_DROP:
            raise InputError(
                f"`--max-drop {max_drop:g}`: expected a number from 0",
                "e.g. --max-drop 0.5: half a percentage point of accuracy, or 0.5 % of an error",
                code="max-drop-invalid",
            )
        return replace(
            self,
            seed=self.seed if seed is None else seed,
            eval_samples=self.eval_samples if eval_samples is None else eval_samples,
            calibration_samples=calibration_samples or self.calibration_samples,
            calibration_method=known_calibration(calibration_method or self.calibration_method),
            max_drop=self.max_drop if max_drop is None else float(max_drop),
            layout_out=self.layout_out if layout_out is None else known_layout(layout_out),
        )

    def to_toml(self) -> str:
        """Return the recipe as TOML that `load_recipe` reads back to an equal recipe (but for its name)."""
        lines = [
            f"schema = {VERSIONS.newest}",
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
            *([] if self.max_drop is None else [f"max_drop = {to_toml(self.max_drop)}"]),
            *([f"layout = {to_toml(self.layout_out)}"] if self.layout_out else []),
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
        InputError: no such recipe, or something in it is wrong: with file, key path and nearest valid name.
    """
    if name_or_path in named_recipes():
        return parse(_folder().joinpath(f"{name_or_path}.toml").read_text(encoding="utf-8"), name_or_path, name_or_path)
    path = Path(name_or_path).expanduser()
    if path.suffix != ".toml" and not path.exists():
        hint = nearest_or_file(name_or_path, named_recipes())
        raise InputError(f"no recipe `{clipped(name_or_path)}`", hint, code="unknown-name")
    with recognised(path, "recipe"):
        return parse(read_text(path, "recipe", LARGEST_FILE), plain_name(path.stem, 100), str(path))


def parse(text: str, name: str, source: str) -> Recipe:
    """Read a recipe from TOML text; `source` names it in messages.

    Raises:
        InputError: as for `load_recipe`.
    """
    file: RecipeFile = read(RecipeFile, parse_toml(text, source), source, "recipe", versions=VERSIONS)
    return Recipe(
        name=name,
        description=file.description,
        seed=file.seed,
        stages=tuple(map(_stage, file.stage)),
        schemes=file.export.schemes,
        formats=file.export.formats,
        max_drop=file.export.max_drop,
        layout_out=file.export.layout or "",
        calibration_samples=file.calibration.samples,
        calibration_method=file.calibration.method,
        calibration_percentile=file.calibration.percentile,
        check_samples=file.check.samples,
        eval_samples=file.eval.samples,
        preprocessing=file.preprocessing_fields(),
        normalize_outside=file.preprocessing.get("normalize_outside", False),
    )


def _stage(table: JsonMapping) -> StageSpec:
    return StageSpec(table["use"], {key: value for key, value in table.items() if key != "use"})


def known_calibration(name: str) -> str:
    """Return the name of a calibration method.

    Raises:
        InputError: there is none of this name.
    """
    if name not in CALIBRATION_METHODS:
        hint = nearest(name, CALIBRATION_METHODS)
        raise InputError(f"no calibration method `{visible(name)}`", hint, code="unknown-name")
    return name


def known_layout(name: str) -> str:
    """Return the name of a layout, in capitals.

    Raises:
        InputError: there is none of this name.
    """
    if name.upper() not in LAYOUTS:
        raise InputError(
            f"`--layout-out {clipped(name)}`: no such layout", f"use one of: {', '.join(LAYOUTS)}", code="unknown-name"
        )
    return name.upper()


_EXAMPLE = "e.g. --stage prune:amount=0.5,epochs=3"


def parse_stage(text: str) -> StageSpec:
    """Read `--stage NAME:key=value,key=value`; values are TOML, and bare words are strings.

    Raises:
        InputError: the text is not of this form.
    """
    use, _, options = text.partition(":")
    shown = f"--stage {visible(text if len(text) < 200 else text[:200] + '…')}"
    if not re.fullmatch(r"\s*[A-Za-z][\w-]*\s*", use):
        raise InputError(f"{shown}: names no stage", _EXAMPLE, code="stage-not-valid")
    source = f"--stage {use.strip()}"
    options_read: dict[str, OptionValue] = {}
    for part in re.split(r",(?![^\[]*\])", options) if options else []:
        key, equals, value = part.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise InputError(f"{shown}: {quoted(part)} is not key=value", _EXAMPLE, code="stage-not-valid")
        key = key.strip()
        if key in options_read:
            raise InputError(f"{source}: `{visible(key)}` is given twice", code="key-twice")
        options_read[key] = _word(value.strip(), source)
    return StageSpec(use.strip(), read(dict[Line, OptionValue], options_read, source, "stage"))


def _word(text: str, source: str) -> JsonValue:
    """Return what a value of TOML says; what is none is a word."""
    try:
        parsed = parse_toml(f"v = {text}", source)
    except InputError as error:
        if error.code == "not-toml":
            return text
        raise
    return parsed["v"] if len(parsed) == 1 else text


def _feeding_lines(fields: JsonMapping) -> list[str]:
    return [f"{key} = {to_toml(value)}" for key, value in fields.items() if key != "inputs"]


def _folder() -> Traversable:
    return resources.files("edgekit.bundle.recipes")
