"""Steps for networks:  python -m benchmarks.networks.judging {OUT.json STEP EXPORTER FOLDER}...

One network as one exporter wrote it, judged: rebuilt, its files run, and beside litert-torch's.

Each public function is a step, works in the network's folder, and returns what the table's line gets.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.bundle.recipe import Recipe
from edgekit.errors import EdgekitError
from edgekit.export.exporter import export
from edgekit.files.whole import write_json
from edgekit.formats.reading import inspect_file
from edgekit.frameworks.tensorflow import tf_keras
from edgekit.models.imported.importing import Imported, import_file
from edgekit.models.imported.proof import as_in_model
from edgekit.models.imported.stepwise import as_in_file
from edgekit.progress import SILENT

Line = dict[str, Any]
FLOAT_SAMPLES = 8
ROUNDS = 5


def rebuilt(folder: Path, exporter: str) -> Line:
    """Import an ONNX file, which proves that the outputs are equal."""
    tf_keras()  # its own start is no part of the import
    _forget_peak()
    path, started = folder / f"{exporter}.onnx", time.perf_counter()
    try:
        made = import_file(path, inspect_file(path))
    except EdgekitError as error:
        return {"refused": f"{error.code}: {error.message}", "seconds": round(time.perf_counter() - started, 1)}
    seconds = time.perf_counter() - started
    return {"seconds": round(seconds, 1), "gigabytes": round(_peak() / 1e9, 2), "proof": made.proof.share}


def files(folder: Path, exporter: str) -> Line:
    """Make the float and the int8 file, import included, and run them: against onnxruntime, and against PyTorch."""
    path = folder / f"{exporter}.onnx"
    made = import_file(path, inspect_file(path))
    samples = zip(made.inputs, _arrays(folder, "calibration"), strict=True)
    x = tuple(as_in_model(x.astype(np.float32), port.order) for port, x in samples)
    recipe, started = Recipe("both", schemes=("float32", "int8"), formats=("tflite",)), time.perf_counter()
    try:
        real, whole = export(made.model, recipe, x if len(x) > 1 else x[0], folder, exporter, SILENT)
    except EdgekitError as error:
        return {"failed": f"{error.code}: {error.message}"}
    seconds, test = round(time.perf_counter() - started, 1), _arrays(folder, "test")
    row: Line = {"float_file": _against_onnxruntime(made, path, real.path, folder), "seconds": seconds}
    outputs = _run(
        whole.path, {port.name: as_in_model(x, port.order) for port, x in zip(made.inputs, test, strict=True)}
    )
    found = [as_in_file(outputs[port.name], port.order, port.shape) for port in made.outputs]
    return {**row, "bytes": whole.path.stat().st_size, **_quality(_expected(folder), found)}


def litert(folder: Path) -> Line:
    """Run litert-torch's int8 file; its images have their channels last, its outputs are those of the module."""
    file = folder / "litert-int8.tflite"
    if not file.exists():
        return {}
    test = [np.moveaxis(x, 1, -1) if x.ndim == 4 else x for x in _arrays(folder, "test")]
    outputs = _run(file, {f"args_{i}": x for i, x in enumerate(test)})
    expected = _expected(folder)
    found = [outputs[f"output_{i}"] for i in range(len(expected))]
    return {"bytes": file.stat().st_size, **_quality(expected, found)}


def latency(folder: Path, exporter: str) -> Line:
    """Time both int8 files in turns, with edgekit's own `compare`."""
    import edgekit

    ours, theirs = folder / f"{exporter}-int8.tflite", folder / "litert-int8.tflite"
    if not (ours.exists() and theirs.exists()):
        return {}
    found = edgekit.compare(
        theirs, ours, processes=ROUNDS, min_samples=20, min_seconds=0.2, memory=False, accuracy=False, out=folder
    )
    ratio = found.changes[0].latency
    if not hasattr(ratio, "interval"):
        return {"failed": ratio.why}
    low, high = (round(n, 3) if np.isfinite(n) else None for n in (ratio.interval.low, ratio.interval.high))
    return {"ratio": round(ratio.interval.value, 3), "interval": [low, high]}


def _against_onnxruntime(made: Imported, path: Path, file: Path, folder: Path) -> float:
    """Return the largest difference of an output, as a share of its largest value."""
    import onnxruntime

    test = [x[:FLOAT_SAMPLES] for x in _arrays(folder, "test")]
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [port.name for port in made.inputs]
    rows = [session.run(None, dict(zip(names, sample, strict=True))) for sample in _one_by_one(test)]
    outputs = _run(file, {port.name: as_in_model(x, port.order) for port, x in zip(made.inputs, test, strict=True)})
    worst = 0.0
    for port, old in zip(made.outputs, zip(*rows, strict=True), strict=True):
        expected = np.concatenate(old)
        new = as_in_file(outputs[port.name], port.order, port.shape).reshape(expected.shape)
        worst = max(worst, float(np.abs(new - expected).max() / np.abs(expected).max()))
    return worst


def _one_by_one(arrays: Sequence[Any]) -> list[list[Any]]:
    return [[x[i : i + 1] for x in arrays] for i in range(len(arrays[0]))]


def _arrays(folder: Path, part: str) -> list[Any]:
    stored = np.load(folder / "samples.npz")
    return [stored[key] for key in sorted(stored.files) if key.startswith(f"{part}_")]


def _expected(folder: Path) -> list[Any]:
    stored = np.load(folder / "samples.npz")
    return [stored[f"output_{i}"] for i in range(sum(key.startswith("output_") for key in stored.files))]


def _run(file: Path, feeds: dict[str, Any]) -> dict[str, Any]:
    """Return the outputs of a `.tflite` by name, in float, of samples one by one."""
    from ai_edge_litert.interpreter import Interpreter

    model = Interpreter(str(file))
    model.allocate_tensors()
    runner = model.get_signature_runner()
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    made: dict[str, list[Any]] = {name: [] for name in outputs}
    for i in range(len(next(iter(feeds.values())))):
        model.reset_all_variables()  # LSTMs keep their state
        given = {name: _stored(x[i : i + 1], inputs[name]) for name, x in feeds.items()}
        for name, values in runner(**given).items():
            made[name].append(_real(values, outputs[name]))
    return {name: np.concatenate(values) for name, values in made.items()}


def _stored(x: Any, detail: Any) -> Any:
    scale, zero = detail["quantization"]
    if not scale or detail["dtype"] == np.float32:
        return np.ascontiguousarray(x.astype(detail["dtype"]))
    limits = np.iinfo(detail["dtype"])
    return np.clip(np.round(x / scale) + zero, limits.min, limits.max).astype(detail["dtype"])


def _real(values: Any, detail: Any) -> Any:
    scale, zero = detail["quantization"]
    return (values.astype(np.float32) - zero) * scale if scale else values.astype(np.float32)


def _quality(expected: Sequence[Any], found: Sequence[Any]) -> Line:
    """Return the signal-to-noise ratio of the worst output, and how often the class is the same."""
    ratios = []
    for old, new in zip(expected, found, strict=True):
        noise = float(((old - new.reshape(old.shape)) ** 2).sum())
        ratios.append(10 * np.log10(float((old**2).sum()) / max(noise, 1e-30)))
    line: Line = {"sqnr_db": round(min(ratios), 1)}
    if len(expected) == 1 and expected[0].ndim == 2 and expected[0].shape[1] > 1:
        same = expected[0].argmax(1) == found[0].reshape(expected[0].shape).argmax(1)
        line["same_class"] = round(float(same.mean()), 3)
    return line


def _forget_peak() -> None:
    """Let the most memory that this process and its children had count from now on."""
    for pid in _processes():
        with contextlib.suppress(OSError):
            Path(f"/proc/{pid}/clear_refs").write_text("5")


def _peak() -> int:
    """Return the most memory that this process and its children had, in bytes, added up."""
    return sum(_status(Path(f"/proc/{pid}"), "VmHWM") * 1024 for pid in _processes())


def _processes() -> list[int]:
    own = os.getpid()
    all_ = [path for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [own, *(int(path.name) for path in all_ if _status(path, "PPid") == own)]


def _status(process: Path, key: str) -> int:
    try:
        lines = (process / "status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{key}:")), 0)


STEPS: dict[str, Callable[..., Line]] = {"import": rebuilt, "files": files, "litert": litert, "latency": latency}


def main(*jobs: str) -> None:
    """Do the jobs, four arguments each."""
    for made, step, exporter, folder in zip(*(jobs[i::4] for i in range(4)), strict=True):
        row = STEPS[step](Path(folder), *filter(None, [exporter]))
        write_json(Path(made), row)
        tf_keras().backend.clear_session()
        gc.collect()


if __name__ == "__main__":
    main(*sys.argv[1:])
