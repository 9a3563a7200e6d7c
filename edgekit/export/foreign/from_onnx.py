"""A float .onnx file that was made elsewhere, in int8: QDQ with static calibration by onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.export.calibration import MINMAX, Ranging
from edgekit.export.exporter import Exported
from edgekit.export.onnx.child import fixed_float32, static_int8
from edgekit.formats.reading import inspect_file
from edgekit.progress import Progress
from edgekit.tasks.samples import Array

Arrays = Sequence[Array]

FORMAT = "onnx"
SCHEMES = ("float32", "int8")
STATIC = "onnxruntime static calibration of {}"


def requantize(
    path: Path,
    schemes: Sequence[str],
    calibration: Arrays,
    folder: Path,
    name: str,
    progress: Progress,
    ranging: Ranging = MINMAX,
) -> list[Exported]:
    """Write a float .onnx file in other schemes.

    Args:
        path: the file, float and readable (see `FileModel`).
        schemes: of `SCHEMES`, in the order to write them.
        calibration: one array of preprocessed samples an input, float32 (n, ...), in the order of the file.
        folder: where to write.
        name: the files are called `NAME-SCHEME.onnx`; they hold their weights, wherever the source has them.
        progress: notified of every file.
        ranging: how the ranges of activations are chosen.

    Raises:
        ConversionError: the file cannot be expressed in a scheme.
        MissingExtraError: onnx or onnxruntime is not installed.
    """
    exported = []
    with progress.task("exporting", len(schemes)) as task:
        for scheme in schemes:
            target = folder / f"{name}-{scheme}.onnx"
            if scheme == "float32":
                fixed_float32(path, target)
                how = f"{path.name}, its batch fixed to 1"
            else:
                names = [tensor.name for tensor in inspect_file(path).inputs]
                feed = dict(zip(names, calibration, strict=True))
                how = STATIC.format(path.name) + static_int8(path, target, feed, ranging=ranging)
            exported.append(Exported(target, FORMAT, scheme, how))
            task.advance(target.name)
    return exported
