"""The families of keras.applications, built by Keras 3 with random weights, through everything that edgekit does.

    python -m benchmarks.applications benchmarks/applications/families.json
    python -m benchmarks.applications --only MobileNet --only Xception OUT.json

Every family runs in a process of its own, one after the other, and its row is written when it is done; a family that
is in the file already is not run again. The columns:

* bridge: largest difference of two outputs of the Keras 3 model and its Keras 2 form
* 25 % of the channels: multiplications left after removing a quarter of the channels (local, l1, no fine-tuning)
* QAT: whether quantization-aware training takes the model, and how many layers it cannot simulate
* int8 TFLite, int8 ONNX: top-1 agreement of the file with the float model, information only: the weights are random
* apart: largest difference of the outputs of the two int8 files, in quantization steps

What fails is shown with edgekit's reason.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from edgekit.bundle.recipe import Recipe
from edgekit.devices.device import open_device
from edgekit.errors import EdgekitError
from edgekit.export.exporter import export
from edgekit.files.whole import write_json
from edgekit.formats.reading import inspect_file
from edgekit.frameworks.layers.knowledge import Handling
from edgekit.frameworks.tensorflow import keras3, quiet, seed_everything
from edgekit.measuring.agreement import Outputs, compare
from edgekit.measuring.core import run_file
from edgekit.measuring.ports import specs
from edgekit.models.bridge.forward import bridge
from edgekit.progress import SILENT
from edgekit.schema.gate import read_json
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.task import CLASSIFICATION
from edgekit.techniques.channels.prune import prune_channels
from edgekit.techniques.qat_preflight import prepare
from edgekit.text.tables import table

SIZE, CLASSES = 96, 10
CALIBRATION, SAMPLES = 16, 16
BYTES = 255.0
UNIT = ("MobileNet", "MobileNetV2", "ResNet50", "DenseNet121", "NASNetMobile", "Xception")
"""Families that take inputs of about 1; the others scale bytes themselves."""
FAMILIES = (*UNIT, "MobileNetV3Small", "EfficientNetB0", "EfficientNetV2B0", "ConvNeXtTiny")
HEADER = ("family", "parameters", "bridge", "25 % of the channels", "QAT", "int8 TFLite", "int8 ONNX", "apart", "s")

Row = dict[str, Any]


def measure(family: str) -> Row:
    """Return one row; every column is a number, a list, or a reason."""
    started = time.perf_counter()
    seed_everything(0)
    source = getattr(keras3().applications, family)(weights=None, input_shape=(SIZE, SIZE, 3), classes=CLASSES)
    row: Row = {"family": family, "input": [SIZE, SIZE, 3], "parameters": source.count_params()}
    rng = np.random.default_rng(0)
    top = 1.0 if family in UNIT else BYTES
    x = (rng.random((CALIBRATION + SAMPLES, SIZE, SIZE, 3), dtype=np.float32) * top).astype(np.float32)
    try:
        bridged = bridge(source, SILENT)
    except EdgekitError as error:
        return {**row, "bridge": str(error), "seconds": round(time.perf_counter() - started)}
    row["bridge"] = bridged.proof.max_abs_diff
    model, calibration, samples = bridged.model, x[:CALIBRATION], x[CALIBRATION:]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        row["pruned_macs"] = _or_reason(lambda: _pruned_macs(model, calibration, folder))
        row["qat"] = _or_reason(lambda: _not_simulated(model, calibration[:4]))
        with quiet():
            real = np.asarray(model.predict(samples, verbose=0), np.float64)
        reference, files = Outputs("float model", (real,), (None,)), {}
        made = _int8_files(model, calibration, folder)
        if isinstance(made["tflite"], Path):
            row["macs"] = inspect_file(made["tflite"]).macs
        for kind, path in made.items():
            found = path if isinstance(path, str) else _or_reason(lambda path=path: _run(path, samples, folder))  # type: ignore[misc]
            if isinstance(found, Outputs):
                files[kind] = found
                found = compare(reference, found, CLASSIFICATION).top1
            row[kind] = found
    if len(files) == 2:
        row["steps_apart"] = compare(files["tflite"], files["onnx"], CLASSIFICATION).max_steps
    return {**row, "seconds": round(time.perf_counter() - started)}


def _or_reason(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except EdgekitError as error:
        return str(error)


def _pruned_macs(model: Any, calibration: Any, folder: Path) -> int | None:
    pruned = prune_channels(model, 0.25).model
    recipe = Recipe("pruned", schemes=("float32",), formats=("tflite",))
    [made] = export(pruned, recipe, calibration, folder, "pruned", SILENT)
    return inspect_file(made.path).macs


def _not_simulated(model: Any, x: Any) -> list[str]:
    prepared = prepare(model, x)
    kinds = {layer.name: type(layer).__name__ for layer in prepared.model.layers}
    return sorted(kinds[name] for name, how in prepared.handling.items() if how is Handling.CALIBRATED)


def _int8_files(model: Any, calibration: Any, folder: Path) -> dict[str, Path | str]:
    """Return the int8 files, or why there is none; the TFLite alone if there is no ONNX."""

    def make(*formats: str) -> Any:
        recipe = Recipe("int8", schemes=("int8",), formats=formats)
        return _or_reason(lambda: export(model, recipe, calibration, folder, "int8", SILENT))

    both = make("tflite", "onnx")
    if isinstance(both, str):
        alone = make("tflite")
        return {"tflite": alone if isinstance(alone, str) else alone[0].path, "onnx": both}
    return {made.format: made.path for made in both}


def _run(path: Path, samples: Any, folder: Path) -> Outputs:
    stored = folder / "samples.npz"
    np.savez(stored, x=samples, y=np.zeros(len(samples), np.int64))
    info = inspect_file(path)
    ins, outs = specs(info.inputs), specs(info.outputs)
    with open_device() as device:
        return run_file(device, path, ins, outs, stored, Preprocessing(), CLASSIFICATION, folder)


def show(rows: list[Row]) -> str:
    """Return the table, with the reasons below it."""
    reasons: list[str] = []

    def cell(row: Row, key: str, text: Callable[[Any], str]) -> str:
        value = row.get(key)
        if value is None:
            return "-"
        if isinstance(value, str):
            reasons.append(f"{row['family']}, {key}: {value}")
            return f"[{len(reasons)}]"
        return text(value)

    lines = [
        (
            row["family"],
            f"{row['parameters']:,}",
            cell(row, "bridge", lambda v: f"{v:.1e}" if v else "0"),
            cell(row, "pruned_macs", lambda v, row=row: f"{v / row['macs']:.2f}x MACs"),  # type: ignore[misc]
            cell(row, "qat", lambda v: f"ok, {len(v)} not simulated" if v else "ok"),
            cell(row, "tflite", lambda v: f"{v:.0%}"),
            cell(row, "onnx", lambda v: f"{v:.0%}"),
            cell(row, "steps_apart", lambda v: f"{v:.1f}"),
            str(row["seconds"]),
        )
        for row in rows
    ]
    return "\n".join([table(HEADER, lines), *(f"[{index + 1}] {why}" for index, why in enumerate(reasons))])


def main(
    out: Path,
    only: Annotated[list[str] | None, typer.Option(help="families, else all")] = None,
    one: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    if one:
        write_json(out, measure(one))
        return
    rows: list[Row] = read_json(out, "table of families")["families"] if out.exists() else []
    done = {row["family"] for row in rows}
    for family in only or FAMILIES:
        if family in done:
            continue
        with tempfile.TemporaryDirectory() as folder:
            answer = Path(folder) / "row.json"
            command = [sys.executable, "-m", "benchmarks.applications", "--one", family, str(answer)]
            ended = subprocess.run(command, check=False, capture_output=True, text=True)
            if ended.returncode or not answer.exists():
                print(f"{family}: the process ended with {ended.returncode}\n{ended.stderr[-2000:]}", file=sys.stderr)
                continue
            rows.append(read_json(answer, "row"))
        write_json(out, {"families": rows})
        print(f"{family}: {rows[-1]['seconds']} s", file=sys.stderr, flush=True)
    print(show(rows))


if __name__ == "__main__":
    typer.run(main)
