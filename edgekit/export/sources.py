"""What becomes of a source, by its format: a Keras model is converted, a file is quantized again as what it is."""

from __future__ import annotations

from pathlib import Path

from edgekit.bundle.manifest import SUFFIXES
from edgekit.bundle.recipe import Recipe
from edgekit.export.calibration import Ranging
from edgekit.export.exporter import Chosen, Exported, export, plan
from edgekit.export.foreign.from_file import SCHEMES, export_file, plan_file
from edgekit.export.honest import kept_promises
from edgekit.export.mixed.file_ways import OnnxWays, TfliteWays
from edgekit.export.mixed.keras_ways import KerasWays
from edgekit.export.mixed.ways import Ways
from edgekit.export.tflite.convert import Calibration
from edgekit.frameworks.types import KerasModel
from edgekit.models.sources.source import Format
from edgekit.progress import Progress
from edgekit.tasks.samples import Array


def plan_source(format_: Format, recipe: Recipe) -> list[tuple[str, str]]:
    """Return the format and scheme of every file that a recipe makes of a source.

    Raises:
        InputError: the recipe trains, and the source is a file.
        ConversionError: nothing can be made.
    """
    return plan(recipe) if format_ == "keras" else plan_file(format_, recipe)


def takes_scheme(format_: Format, scheme: str) -> bool:
    """Return whether a file of this scheme can be made of a source."""
    return format_ == "keras" or scheme in SCHEMES[format_]


def not_made(format_: Format, recipe: Recipe) -> list[str]:
    """Return the formats and schemes of a recipe that cannot be made of a source."""
    if format_ == "keras":
        return []
    made = plan_source(format_, recipe)
    formats, schemes = {format_ for format_, _ in made}, {scheme for _, scheme in made}
    return [
        *(SUFFIXES[name] for name in recipe.formats if name not in formats),
        *(scheme for scheme in recipe.schemes if scheme not in schemes),
    ]


def export_source(
    format_: Format,
    model: KerasModel,
    float_model: KerasModel,
    recipe: Recipe,
    calibration: Calibration,
    folder: Path,
    name: str,
    progress: Progress,
    chosen: Chosen | None = None,
) -> list[Exported]:
    """Write what `plan_source` says, and check that every file is what its name promises.

    Args:
        format_: of the source.
        model: a `FileModel`; or what the stages made of the source, a tf_keras or plain model.
        float_model: of a model trained with fake quantization the same weights without it; else None.
        recipe: what to make.
        calibration: preprocessed samples, float32 (n, ...); a tuple for several inputs.
        folder: where to write.
        name: the files are called `NAME-SCHEME.FORMAT`.
        progress: notified of every file.
        chosen: the int8 file; None: it is made by default.

    Raises:
        ConversionError: a file cannot be made.
    """
    if format_ == "keras":
        made = export(model, recipe, calibration, folder, name, progress, float_model, chosen)
    else:
        made = export_file(model, recipe, _arrays(calibration), folder, name, progress, chosen)
    return kept_promises(made, progress)


def int8_ways(
    format_: Format,
    model: KerasModel,
    float_model: KerasModel,
    recipe: Recipe,
    calibration: Calibration,
    folder: Path,
    *,
    corrected: bool = True,
) -> Ways:
    """Return the int8 files that can be made of a source.

    Args:
        format_: as of `export_source`, and so are the others that are not named here.
        model: likewise.
        float_model: likewise.
        recipe: how ranges are chosen.
        calibration: likewise.
        folder: for temporaries.
        corrected: whether biases of a Keras model's default file are corrected; of files they always are.

    Raises:
        ConversionError: there is none.
    """
    ranging = Ranging.of(recipe)
    if format_ == "keras":
        return KerasWays(model, float_model, calibration, ranging, folder, corrected=corrected)
    kind = TfliteWays if format_ == "tflite" else OnnxWays
    return kind(model.path, _arrays(calibration), ranging, folder)


def _arrays(calibration: Calibration) -> list[Array]:
    return list(calibration) if isinstance(calibration, tuple) else [calibration]
