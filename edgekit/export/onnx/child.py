"""ONNX files rewritten in a child process: onnxruntime dies of some graphs, and its memory is bounded there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from edgekit.errors import ConversionError, RunnerError
from edgekit.export.calibration import MINMAX, Ranging
from edgekit.export.onnx.ports import twin_scales
from edgekit.export.onnx.static import quantized
from edgekit.export.onnx.tools import explained, silenced
from edgekit.export.onnx.tracing import one_by_one
from edgekit.files.temporary import temporary_folder
from edgekit.formats.companions import gate
from edgekit.formats.fixed_batch import fixed_onnx
from edgekit.formats.info import FileInfo
from edgekit.formats.tflite.reader import read_tflite
from edgekit.formats.types import OnnxModel
from edgekit.processes.child import memory_for, worker
from edgekit.tasks.samples import Array

Feed = Mapping[str, Array]
"""Preprocessed samples, (n, ...), by the name of the input."""
SECONDS = 1800.0
"""In which a file is rewritten and calibrated."""


def static_int8(source: Path, target: Path, feed: Feed, twin: FileInfo | None = None, ranging: Ranging = MINMAX) -> str:
    """Write a float ONNX file in int8 and return what a user should know of how, to stand behind another text.

    Args:
        source: the float file.
        target: the file to write.
        feed: for calibration, in any order.
        twin: the int8 TFLite of the same model, whose scales the inputs and outputs get.
        ranging: how the ranges of activations are chosen.

    Raises:
        ConversionError: it cannot be quantized.
        MissingExtraError: onnx or onnxruntime is not installed.
    """
    return _call("int8", source, target, feed, twin, ranging)


def fixed_float32(source: Path, target: Path) -> None:
    """Write a float ONNX file with a batch of one and all its weights in it.

    Raises:
        ConversionError: it cannot be rewritten.
        MissingExtraError: onnx is not installed.
    """
    _call("float32", source, target, {}, None, MINMAX)


def _call(scheme: str, source: Path, target: Path, feed: Feed, twin: FileInfo | None, ranging: Ranging) -> str:
    arrays = {name: np.asarray(array) for name, array in feed.items()}
    memory = memory_for(source, *gate(source, "onnx").companions.values()) + 4 * sum(a.nbytes for a in arrays.values())
    with temporary_folder("onnx") as scratch:
        try:
            notes, _ = worker().call(
                f"{__name__}:make",
                *arrays.values(),
                what=f"ONNX {scheme}: rewriting {source.name}",
                seconds=SECONDS,
                memory=memory,
                scheme=scheme,
                source=str(source),
                target=str(target),
                names=list(arrays),
                twin=None if twin is None else str(twin.path),
                method=ranging.method,
                percentile=ranging.percentile,
                scratch=str(scratch),
            )
        except RunnerError as error:
            raise ConversionError(error.message, error.hint, code=error.code) from error
    return str(notes)


def make(
    *arrays: Array,
    scheme: str,
    source: str,
    target: str,
    names: list[str],
    twin: str | None,
    method: str,
    percentile: float,
    scratch: str,
) -> tuple[str, list[Array]]:
    """Do what the functions above ask for, in their child."""
    before, tempfile.tempdir = tempfile.tempdir, scratch  # where onnxruntime puts its files, too
    try:
        if scheme == "float32":
            with explained("float32"):
                Path(target).write_bytes(fixed_onnx(Path(source)).SerializeToString())
            return "", []
        feed = dict(zip(names, arrays, strict=True))
        return _int8(Path(source), Path(target), feed, twin, Ranging(method, percentile), Path(scratch)), []
    finally:
        tempfile.tempdir = before


def _int8(source: Path, target: Path, feed: Feed, twin: str | None, ranging: Ranging, scratch: Path) -> str:
    with explained("int8 by static calibration"), silenced():
        import onnxruntime

        model = fixed_onnx(source)
        ports = None if twin is None else twin_scales(model, read_tflite(Path(twin)))
        made, notes = quantized(model, _samples(model, feed), scratch, ports, ranging)
        target.write_bytes(made.SerializeToString())
        onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    return notes


def _samples(model: OnnxModel, feed: Feed) -> Iterator[dict[str, Array]]:
    """Yield one sample after the other, in the dtypes of the inputs."""
    import onnx

    kinds = {v.name: onnx.helper.tensor_dtype_to_np_dtype(v.type.tensor_type.elem_type) for v in model.graph.input}
    for row in one_by_one(feed):
        yield {name: row[name].astype(kind, copy=False) for name, kind in kinds.items()}
