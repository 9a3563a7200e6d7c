"""Post-training schemes of a float .tflite file that was made elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgekit.bundle.schemes import from_int8
from edgekit.errors import ConversionError, RunnerError
from edgekit.export.calibration import MINMAX, Ranging
from edgekit.export.exporter import Exported
from edgekit.export.foreign import best_quantizer
from edgekit.export.foreign.normal_form import normal_form
from edgekit.export.tflite import int4, weights
from edgekit.export.tflite import quantizer as tflite_quantizer
from edgekit.export.tflite.dense_scales import one_scale
from edgekit.files.temporary import temporary_folder
from edgekit.formats.fixed_batch import fixed_tflite
from edgekit.formats.tflite.pack import READING, pack
from edgekit.processes.child import memory_for, worker
from edgekit.processes.wire import Value
from edgekit.progress import Progress
from edgekit.tasks.samples import Array

Arrays = Sequence[Array]

FORMAT = "tflite"
SECONDS = 1800.0
"""In which a file is rewritten; int4 tries every layer on samples."""
SCHEMES = ("float32", "float16", "dynamic", *tflite_quantizer.SCHEMES, *int4.SCHEMES)
_MADE_BY = {
    "float32": "{}, its batch fixed to 1",
    "float16": "{}, its weights stored as float16",
    "dynamic": "{}, the weights of large layers stored as int8",
    **dict.fromkeys(int4.SCHEMES, "then int4 weights where the outputs tolerate them"),
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
        progress: notified of every file.
        ranging: how the ranges of activations are chosen.

    Raises:
        ConversionError: the file cannot be expressed in a scheme.
    """
    narrowed = [scheme for scheme in schemes if scheme in int4.SCHEMES]
    if narrowed and len(calibration) != 1:
        raise int4.several_inputs(narrowed[0], len(calibration))
    exported = []
    with (
        progress.task("exporting", len(schemes)) as task,
        temporary_folder("quantize") as made,
    ):
        notes = _work(path, "store", schemes=list(schemes), folder=str(made))
        wanted = {"int8" if scheme in narrowed else scheme for scheme in schemes}
        calibrated = [scheme for scheme in tflite_quantizer.SCHEMES if scheme in wanted]
        origin = ", ".join([path.name, *notes])
        how = {scheme: _MADE_BY[scheme].format(origin) for scheme in schemes if scheme in _MADE_BY}
        if calibrated:
            data = _float(made).read_bytes()
            for scheme, found in best_quantizer.quantize(data, calibrated, calibration, made, ranging).items():
                (made / f"{scheme}.tflite").write_bytes(found.data)
                how[scheme] = ", ".join(filter(None, [f"{found.how} from {origin}", found.note]))
        for scheme in schemes:
            source = "int8" if from_int8(scheme) else scheme
            target = folder / f"{name}-{scheme}.tflite"
            samples = [np.asarray(column) for column in calibration] if source == "int8" else []
            _work(path, "finish", *samples, folder=str(made), source=source, scheme=scheme, target=str(target))
            made_by = f"{how['int8']}, {how[scheme]}" if scheme in narrowed else how[scheme]
            exported.append(Exported(target, FORMAT, scheme, made_by))
            task.advance(target.name)
    return exported


def _work(path: Path, name: str, *arrays: Array, **arguments: Value) -> Value:
    """Let a function of this module work on a file in this process's child, and return what it returns."""
    try:
        value, _ = worker().call(
            f"{__name__}:{name}",
            *arrays,
            what=f"{path}: rewriting it",
            seconds=SECONDS,
            memory=memory_for(path),
            path=str(path),
            **arguments,
        )
    except RunnerError as error:
        raise ConversionError(error.message, error.hint, code=error.code) from error
    return value


def _float(folder: Path) -> Path:
    return folder / "float32.tflite"


def store(path: str, schemes: Sequence[str], folder: str) -> tuple[list[str], list[Array]]:
    """Write the files of the schemes that need no calibration into a folder; float32 is always among them.

    Returns:
        What was done to the file that its reader should know.
    """
    made, notes = _stored(Path(path), schemes)
    for scheme, data in made.items():
        (Path(folder) / f"{scheme}.tflite").write_bytes(data)
    return notes, []


def finish(
    *samples: npt.NDArray[np.float32], path: str, folder: str, source: str, scheme: str, target: str
) -> tuple[None, list[Array]]:
    """Write a file of a scheme as it ships: packed, with few scales, and narrowed to int4 where the scheme asks for it.

    Args:
        samples: one array an input, for files that are made of the int8 file.
        path: the file that all are made of.
        folder: where the files are that `store` and the quantizers made.
        source: the scheme of the one to begin with.
        scheme: the scheme to write.
        target: the file to write.
    """
    data = pack((Path(folder) / f"{source}.tflite").read_bytes())
    if scheme in int4.SCHEMES:
        data = int4.narrow(data, scheme, np.asarray(samples[0], np.float32))
    elif scheme == "int8":
        data = one_scale(data, _float(Path(folder)).read_bytes, samples)
    Path(target).write_bytes(data)
    return None, []


def _stored(path: Path, schemes: Sequence[str]) -> tuple[dict[str, bytes], list[str]]:
    """Return the files of the schemes that need no calibration, float32 always among them, and what was done."""
    try:
        plain, notes = normal_form(fixed_tflite(path))
        made = {"float32": plain}
        if "float16" in schemes:
            made["float16"] = weights.to_float16(plain)
        if "dynamic" in schemes:
            made["dynamic"] = weights.to_dynamic(plain)
    except READING as error:
        raise ConversionError(f"{path}: this TFLite file is cut off or damaged", code="file-damaged") from error
    return made, notes
