"""int8 files of a model by TensorFlow alone and by edgekit, and how good each file is on the test samples."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.data.loading import load_data
from edgekit.data.split import split
from edgekit.export.signature import Signature
from edgekit.frameworks.tensorflow import quiet, tensorflow
from edgekit.stats import bootstrapped, sqnr_db, wilson
from edgekit.tasks.samples import Array

from .models import HARD, trained

CHECKOUT = Path(__file__).parents[2]
RECIPE = 'schema = 1\n[export]\nschemes = ["int8"]\nformats = ["tflite"]\n'
Result = dict[str, Any]


class Test:
    """A model's test samples, and its own outputs for them."""

    def __init__(self, model: Any, folder: Path) -> None:
        self.names = Signature(model).output_names
        with np.load(folder / "data.npz") as data:
            self.x, self.y = data["x_test"], data["y_test" if "y_test" in data else f"y_test/{self.names[0]}"]
        found = model.predict(self.x, verbose=0)
        self.reference = [np.asarray(v, np.float64) for v in (found if isinstance(found, list) else [found])]

    def float_score(self) -> Result:
        """Return how good the model itself is."""
        return self._score(self.reference[0])

    def measured(self, path: Path, x: Array) -> Result:
        """Return how good an int8 file is, and what it lost against the model: points, or percent of the error.

        Args:
            path: of the file.
            x: the test samples as it takes them.
        """
        outputs = [b.reshape(a.shape) for a, b in zip(self.reference, outputs_of(path, self.names, x), strict=True)]
        ratios = [sqnr_db(a, b) for a, b in zip(self.reference, outputs, strict=True)]
        return {
            **self._score(outputs[0]),
            "drop": self._drop(outputs[0]),
            "sqnr_db": [round(ratio, 2) for ratio in ratios],
            "bytes": path.stat().st_size,
        }

    def _score(self, outputs: Array) -> Result:
        wrong = self._errors(outputs)
        if self.y.dtype == np.int64:
            right = wilson(int((wrong == 0).sum()), len(wrong))
            return {"metric": "accuracy", "value": right.value, "interval": [right.low, right.high]}
        error = bootstrapped(lambda rows: float(wrong[rows].mean()), len(wrong), float(wrong.mean()))
        return {"metric": "mean absolute error", "value": error.value, "interval": [error.low, error.high]}

    def _drop(self, outputs: Array) -> list[float]:
        """Return the loss with its interval, paired over the samples."""
        before, after = self._errors(self.reference[0]), self._errors(outputs)

        def lost(rows: Any) -> float:
            base = 1.0 if self.y.dtype == np.int64 else float(before[rows].mean())
            return 100 * float((after[rows] - before[rows]).mean()) / base

        found = bootstrapped(lost, len(before), lost(slice(None)))
        return [round(value, 3) for value in (found.value, found.low, found.high)]

    def _errors(self, outputs: Array) -> Array:
        if self.y.dtype == np.int64:
            return (outputs.argmax(axis=-1) != self.y).astype(np.float64)
        return np.abs(outputs - self.y).mean(axis=-1)


def outputs_of(path: Path, names: Sequence[str], x: Array) -> list[Array]:
    """Run an int8 file over samples; return its outputs in real units."""
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_path=str(path), num_threads=1).get_signature_runner()
    [(key, source)] = runner.get_input_details().items()
    targets = runner.get_output_details()
    found: list[list[Array]] = [[] for _ in names]
    for row in x:
        scale, zero = source["quantization"]
        quantized = np.clip(np.round(row / scale) + zero, -128, 127).astype(np.int8)
        outputs = runner(**{key: quantized.reshape(source["shape"])})
        for values, name in zip(found, names, strict=True):
            scale, zero = targets[name]["quantization"]
            values.append((outputs[name][0].astype(np.float64) - zero) * scale)
    return [np.array(values) for values in found]


def by_tensorflow(name: str, folder: Path) -> Result:
    """Make the int8 file as TensorFlow's guide does, with edgekit's calibration samples, and measure it."""
    tf, path, model = tensorflow(), folder / "tensorflow.tflite", trained(name, folder)
    samples = split(load_data(str(folder / "data.npz")), 500).x_calibration
    signature = Signature(model)
    signature.save(folder / "saved")
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved"))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    converter.representative_dataset = lambda: (
        {signature.inputs[0].name: np.asarray(samples[i : i + 1], np.float32)} for i in range(len(samples))
    )
    with quiet():
        path.write_bytes(converter.convert())
    test = Test(model, folder)
    return test.measured(path, test.x)


def by_tensorflow_apart(name: str, work: Path) -> Result:
    """Do the same in a process of its own, as some of TensorFlow's conversions end with a signal."""
    out = work / name / "tensorflow.json"
    command = [sys.executable, "-m", "benchmarks.hard_int8", str(work), "--tensorflow", name]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
    if done.returncode < 0:
        raise RuntimeError(f"TensorFlow's converter ends with {signal.Signals(-done.returncode).name}")
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    found: Result = json.loads(out.read_text())
    return found


def by_edgekit(checkout: Path, name: str, folder: Path, test: Test, max_drop: float | None = None) -> Result:
    """Make the int8 file by `edgekit compress`, and measure it; with a limit also what was tried, and what it took."""
    out = folder / ("bundle" if max_drop is None else "bundle-max-drop")
    (folder / "tflite.toml").write_text(RECIPE)
    command = [sys.executable, "-m", "edgekit", "compress", "model.h5", "--data", "data.npz", "--recipe", "tflite.toml"]
    command += ["--scale", "1", "--out", out.name, "--force", "--fresh", *HARD[name].options]
    command += [] if max_drop is None else ["--max-drop", f"{max_drop:g}"]
    environment = {**os.environ, "PYTHONPATH": str(checkout.resolve())}
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    seconds = round(time.perf_counter() - started, 1)
    (folder / f"{out.name}.log").write_text(done.stdout + done.stderr)
    if done.returncode not in (0, 3):
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    manifest = json.loads((out / "manifest.json").read_text())
    [file] = [a for a in manifest["artifacts"] if (a["format"], a["scheme"]) == ("tflite", "int8")]
    how = manifest["preprocessing"]
    fed = (test.x * np.float32(how["scale"]) - np.float32(how["mean"])) / np.float32(how["std"])
    found = {**test.measured(out / file["file"], fed), "command_seconds": seconds, "made_by": file["made_by"]}
    return found if max_drop is None else {**found, **_escalation(manifest["ledger"], file, done.returncode == 0)}


def _escalation(ledger: Sequence[Result], file: Result, reached: bool) -> Result:
    steps = [
        {
            "step": entry["stage"],
            "seconds": entry["seconds"],
            "drop": entry["drop"]["value"],
            "reverted": len(entry.get("reverted", ())),
            "bytes": entry["bytes"],
        }
        for entry in ledger
    ]
    [*_, passed] = [entry for entry in ledger if entry["sha256"] == file["sha256"]] or [ledger[-1]]
    count = re.search(r"(\d+) of (\d+) operators in float", file["made_by"])
    training = sum(step["seconds"] for step in steps if step["step"].startswith("qat"))
    post = sum(step["seconds"] for step in steps) - training
    return {
        "reached": reached and passed["drop"]["value"] <= 0.5,
        "step": passed["stage"],
        "validation_drop": {key: passed["drop"].get(key) for key in ("value", "low", "high", "unit")},
        "reverted": int(count[1]) if count else 0,
        "operators": int(count[2]) if count else None,
        "steps": steps,
        "post_training_seconds": round(post, 2),
        "training_seconds": round(training, 2),
        "cost": round(post / steps[0]["seconds"], 2),
    }
