"""A float .onnx file that was made elsewhere, in int8: QDQ with static calibration by onnxruntime."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekit.errors import ConversionError, RunnerError
from edgekit.export.exporter import Exported
from edgekit.export.fixed_batch import fixed_onnx
from edgekit.export.onnx import explained, quantize_qdq, silenced
from edgekit.inspect.companions import gate
from edgekit.isolated.child import memory_for, worker
from edgekit.progress import Progress
from edgekit.temporary import temporary_folder

Arrays = Sequence[npt.NDArray[Any]]

FORMAT = "onnx"
SCHEMES = ("float32", "int8")
OLDEST_OPSET, OPSET = 13, 17
"""Scales per channel came with opset 13; a file that is older is upgraded to 17."""
SECONDS = 1800.0
"""In which a file is rewritten and calibrated."""
STATIC = "onnxruntime static calibration of {}"


def requantize(
    path: Path, schemes: Sequence[str], calibration: Arrays, folder: Path, name: str, progress: Progress
) -> list[Exported]:
    """Write a float .onnx file in other schemes.

    Args:
        path: the file, float and readable (see `FileModel`).
        schemes: of `SCHEMES`, in the order to write them.
        calibration: one array of preprocessed samples an input, float32 (n, ...), in the order of the file.
        folder: where to write.
        name: the files are called `NAME-SCHEME.onnx`; they hold their weights, wherever the source has them.
        progress: told of every file.

    Raises:
        ConversionError: the file cannot be expressed in a scheme.
        MissingExtraError: onnx or onnxruntime is not installed.
    """
    exported = []
    with progress.task("exporting", len(schemes)) as task:
        for scheme in schemes:
            target = folder / f"{name}-{scheme}.onnx"
            how = _made(path, scheme, target, calibration if scheme == "int8" else ())
            exported.append(Exported(target, FORMAT, scheme, how))
            task.advance(target.name)
    return exported


def _made(path: Path, scheme: str, target: Path, calibration: Arrays) -> str:
    """Write a file in this process's child, and return how it was made."""
    arrays = [np.asarray(a) for a in calibration]
    memory = memory_for(path, *gate(path, FORMAT).companions.values()) + 4 * sum(a.nbytes for a in arrays)
    with temporary_folder("onnx") as scratch:
        try:
            how, _ = worker().call(
                f"{__name__}:make",
                *arrays,
                what=f"ONNX {scheme}: rewriting {path.name}",
                seconds=SECONDS,
                memory=memory,
                path=str(path),
                scheme=scheme,
                target=str(target),
                scratch=str(scratch),
            )
        except RunnerError as error:
            raise ConversionError(error.message, error.hint) from error
    return str(how)


def make(*calibration: npt.NDArray[Any], path: str, scheme: str, target: str, scratch: str) -> tuple[str, list[Any]]:
    """Do what `requantize` asks for, in its child."""
    usual, tempfile.tempdir = tempfile.tempdir, scratch  # where onnxruntime puts its files, too
    try:
        if scheme == "float32":
            return _float32(Path(path), Path(target)), []
        return _int8(Path(path), Path(target), calibration, Path(scratch)), []
    finally:
        tempfile.tempdir = usual


def _float32(path: Path, target: Path) -> str:
    with explained("float32"):
        target.write_bytes(fixed_onnx(path).SerializeToString())
    return f"{path.name}, its batch fixed to 1"


def _int8(path: Path, target: Path, calibration: Arrays, scratch: Path) -> str:
    prepared = scratch / "prepared.onnx"
    with explained("int8 by static calibration"), silenced():
        opset = _prepare(path, prepared)
        quantize_qdq(prepared, target, _samples(prepared, calibration))
    _check_quantized(path, target)
    upgraded = f", upgraded from opset {opset} to {OPSET}" if opset < OLDEST_OPSET else ""
    return STATIC.format(path.name) + upgraded


def _prepare(path: Path, prepared: Path) -> int:
    """Write the file as the quantizer wants it: batch fixed, opset new enough, shapes inferred, batch norms folded.

    Returns:
        The opset of the source.
    """
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    model = fixed_onnx(path)
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if opset < OLDEST_OPSET:
        model = onnx.version_converter.convert_version(model, OPSET)
    onnx.save(model, prepared)
    quant_pre_process(str(prepared), str(prepared), skip_symbolic_shape=True)
    return int(opset)


def _samples(prepared: Path, calibration: Arrays) -> list[dict[str, npt.NDArray[Any]]]:
    import onnx

    graph = onnx.load(prepared).graph
    constants = {tensor.name for tensor in graph.initializer}
    ends = [
        (value.name, onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
        for value in graph.input
        if value.name not in constants
    ]
    columns = {name: np.asarray(a).astype(kind, copy=False) for (name, kind), a in zip(ends, calibration, strict=True)}
    return [{name: column[i : i + 1] for name, column in columns.items()} for i in range(len(calibration[0]))]


def _check_quantized(path: Path, target: Path) -> None:
    import onnx

    if not any(node.op_type == "DequantizeLinear" for node in onnx.load(target).graph.node):
        target.unlink()
        raise ConversionError(
            f"ONNX int8: {path.name} has no operator that onnxruntime can quantize",
            "leave int8 out of the schemes",
        )
