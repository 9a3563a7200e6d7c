"""What can be made of a float file that was made elsewhere: post-training schemes, in its own format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgekit.bundle.recipe import Recipe
from edgekit.errors import ConversionError, InputError
from edgekit.export import c_header
from edgekit.export.calibration import Ranging
from edgekit.export.exporter import HEADER, Chosen, Exported
from edgekit.export.foreign import from_onnx, from_tflite
from edgekit.models.files.file_model import FileModel
from edgekit.progress import Progress
from edgekit.tasks.samples import Array

SCHEMES = {"tflite": from_tflite.SCHEMES, "onnx": from_onnx.SCHEMES}


def plan_file(format_: str, recipe: Recipe) -> list[tuple[str, str]]:
    """Return the format and scheme of every file that a recipe makes of a `.tflite` or `.onnx` file.

    Args:
        format_: of the source, `tflite` or `onnx`; there is no way from one to the other.
        recipe: its formats are reduced to this one, and to the C header of an int8 `.tflite`.

    Raises:
        InputError: the recipe trains.
        ConversionError: nothing is left of it.
    """
    if recipe.stages:
        raise InputError(
            f"recipe `{recipe.name}` trains ({', '.join(stage.use for stage in recipe.stages)}), and a .{format_} file "
            "gets post-training schemes only",
            "choose a recipe without stages, such as int8, or give the Keras model that the file was made of",
            code="source-not-trainable",
        )
    schemes = SCHEMES[format_]
    wanted = [(format_, s) for s in recipe.schemes if s in schemes and format_ in recipe.formats]
    if not wanted:
        raise ConversionError(
            f"recipe `{recipe.name}` asks for nothing that can be made of a .{format_} file: formats "
            f"{', '.join(recipe.formats)}, schemes {', '.join(recipe.schemes)}",
            f"output format: .{format_} only, with schemes {', '.join(schemes)}; other formats need the Keras model",
            code="nothing-to-export",
        )
    header = format_ == "tflite" and "c" in recipe.formats and "int8" in recipe.schemes
    return [*wanted, *([("c", "int8")] if header else [])]


def export_file(
    model: FileModel,
    recipe: Recipe,
    calibration: Sequence[Array],
    folder: Path,
    name: str,
    progress: Progress,
    chosen: Chosen | None = None,
) -> list[Exported]:
    """Write what `plan_file` says.

    Args:
        model: the float source.
        recipe: its `schemes` and `formats` are used.
        calibration: one array of preprocessed samples an input, float32 (n, ...), in the order of the file.
        folder: where to write.
        name: the files are called `NAME-SCHEME.FORMAT`.
        progress: notified of every file.
        chosen: the int8 file; None: it is made by default.

    Raises:
        InputError: the recipe trains.
        ConversionError: a file cannot be made.
    """
    wanted = plan_file(model.format, recipe)
    schemes = [scheme for format_, scheme in wanted if format_ == model.format]
    requantize = from_tflite.requantize if model.format == "tflite" else from_onnx.requantize
    exported = requantize(model.path, schemes, calibration, folder, name, progress, Ranging.of(recipe))
    if chosen is not None:
        exported = [_as_chosen(item, chosen) if item.scheme == "int8" else item for item in exported]
    if ("c", "int8") in wanted:
        source = next(item.path for item in exported if item.scheme == "int8")
        c_header.write_header(folder / HEADER, source, name, progress)
        exported.append(Exported(folder / HEADER, "c", "int8", f"the bytes of {source.name}"))
    return exported


def _as_chosen(item: Exported, chosen: Chosen) -> Exported:
    """Write the chosen file in place of the default one."""
    item.path.write_bytes(chosen.file)
    return replace(item, made_by=chosen.said_of(item.made_by), reverted=chosen.reverted)
