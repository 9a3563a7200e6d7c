"""Post-training schemes of a float .tflite file that was made elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekit.calibration import MINMAX, Ranging
from edgekit.errors import ConversionError, RunnerError
from edgekit.export import int4, tflite_quantizer
from edgekit.export import tflite_weights as weights
from edgekit.export.exporter import Exported
from edgekit.export.fixed_batch import fixed_tflite
from edgekit.export.pack import READING, pack
from edgekit.isolated.child import memory_for, worker
from edgekit.progress import Progress
from edgekit.temporary import temporary_folder

Arrays = Sequence[npt.NDArray[Any]]

FORMAT = "tflite"
SECONDS = 1800.0
"""In which a file is rewritten; int4 tries every layer on samples."""
SCHEMES = ("float32", "float16", "dynamic", *tflite_quantizer.SCHEMES, *int4.SCHEMES)
_MADE_BY = {
    "float32": "{}, its batch fixed to 1",
    "float16": "{}, its weights stored as float16",
    "dynamic": "{}, the weights of large layers stored as int8",
    **dict.fromkeys(tflite_quantizer.SCHEMES, "TensorFlow's quantizer from {}"),
    **dict.fromkeys(int4.SCHEMES, "TensorFlow's quantizer from {}, then int4 weights where the outputs tolerate them"),
}


def requantize(
    path: Path,
    schemes: Sequence[str],
    calibration: Arrays,
    folder: Path,
    name: str,
    progress: Progress,
    ranging: Ranging = MINMAX,
) -> list[Exported]:
    """Write a float .tflite file in other schemes.

    Args:
        path: the file, float and readable (see `FileModel`).
        schemes: of `SCHEMES`, in the order to write them.
        calibration: one array of preprocessed samples an input, float32 (n, ...), in the order of the file.
        folder: where to write.
        name: the files are called `NAME-SCHEME.tflite`.
        progress: told of every file.
        ranging: how the ranges of activations are chosen.

    Raises:
        ConversionError: the file cannot be expressed in a scheme.
    """
    narrowed = [scheme for scheme in schemes if scheme in int4.SCHEMES]
    if narrowed and len(calibration) != 1:
        raise ConversionError(f"TFLite {narrowed[0]} of a model with {len(calibration)} inputs is not supported")
    exported = []
    with (
        progress.task("exporting", len(schemes)) as task,
        temporary_folder("quantize") as made,
    ):
        _work(path, "store", schemes=list(schemes), folder=str(made))
        wanted = {"int8" if scheme in narrowed else scheme for scheme in schemes}
        calibrated = [scheme for scheme in tflite_quantizer.SCHEMES if scheme in wanted]
        if calibrated:
            data = _float(made).read_bytes()
            for scheme, found in tflite_quantizer.quantize(data, calibrated, calibration, ranging).items():
                (made / f"{scheme}.tflite").write_bytes(found)
        for scheme in schemes:
            source = made / f"{'int8' if scheme in narrowed else scheme}.tflite"
            target = folder / f"{name}-{scheme}.tflite"
            samples = [np.asarray(calibration[0], np.float32)] if scheme in narrowed else []
            _work(path, "finish", *samples, source=str(source), scheme=scheme, target=str(target))
            exported.append(Exported(target, FORMAT, scheme, _MADE_BY[scheme].format(path.name)))
            task.advance(target.name)
    return exported


def _work(path: Path, name: str, *arrays: npt.NDArray[Any], **arguments: Any) -> None:
    """Let a function of this module work on a file in this process's child."""
    try:
        worker().call(
            f"{__name__}:{name}",
            *arrays,
            what=f"{path}: rewriting it",
            seconds=SECONDS,
            memory=memory_for(path),
            path=str(path),
            **arguments,
        )
    except RunnerError as error:
        raise ConversionError(error.message, error.hint) from error


def _float(folder: Path) -> Path:
    return folder / "float32.tflite"


def store(path: str, schemes: Sequence[str], folder: str) -> tuple[None, list[Any]]:
    """Write the files of the schemes that need no calibration into a folder; float32 is always among them."""
    for scheme, data in _stored(Path(path), schemes).items():
        (Path(folder) / f"{scheme}.tflite").write_bytes(data)
    return None, []


def finish(
    *samples: npt.NDArray[np.float32], path: str, source: str, scheme: str, target: str
) -> tuple[None, list[Any]]:
    """Write a file of a scheme as it ships: packed, and narrowed to int4 where the scheme asks for it."""
    data = pack(Path(source).read_bytes())
    Path(target).write_bytes(int4.narrow(data, scheme, samples[0]) if samples else data)
    return None, []


def _stored(path: Path, schemes: Sequence[str]) -> dict[str, bytes]:
    """Return the files of the schemes that need no calibration; float32 is always among them."""
    try:
        made = {"float32": fixed_tflite(path)}
        if "float16" in schemes:
            made["float16"] = weights.to_float16(made["float32"])
        if "dynamic" in schemes:
            made["dynamic"] = weights.to_dynamic(made["float32"])
    except READING as error:
        raise ConversionError(f"{path}: this TFLite file is cut off or damaged") from error
    return made
