"""Run exported files in the runtimes that will run them, and compare them with the model they came from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgekit.devices.device import Device
from edgekit.devices.jobs import RUNTIMES, Job, run_job
from edgekit.manifest import Agreement, TensorSpec
from edgekit.preprocessing import Preprocessing
from edgekit.stats import sqnr_db

TIMEOUT = 1800.0


@dataclass(frozen=True)
class Outputs:
    """What a file (or the float model) answered to the validation samples.

    Attributes:
        name: of the file, or `float model`.
        real: outputs in real units, float64 (n, ...).
        step: the scale of the quantized output, None for floating point outputs.
        correct: how many top-1 predictions were right; None for the float model.
    """

    name: str
    real: npt.NDArray[np.float64]
    step: float | None
    correct: int | None = None


def run_file(
    device: Device,
    path: Path,
    input_spec: TensorSpec,
    output_spec: TensorSpec,
    samples: Path,
    preprocessing: Preprocessing,
    folder: Path,
) -> Outputs:
    """Run a `.tflite` or `.onnx` file over stored samples in a fresh runner process.

    Args:
        device: this machine.
        path: the file.
        input_spec: of its only input.
        output_spec: of its first output.
        samples: an `.npz` with x and y.
        preprocessing: from stored samples to model inputs.
        folder: for the raw outputs, temporary.

    Raises:
        RunnerError: the runtime cannot run the file.
    """
    raw_path = folder / f"{path.name}.outputs.npy"
    job = Job(
        "accuracy",
        RUNTIMES[path.suffix[1:]],
        path,
        samples=samples,
        preprocessing=preprocessing,
        quantization=input_spec.quantization(),
    )
    answer = run_job(device, job, timeout=TIMEOUT, outputs=raw_path)
    real = np.load(raw_path, allow_pickle=False).astype(np.float64)
    raw_path.unlink()
    if output_spec.scale is not None:
        real = (real - float(output_spec.zero_point or 0)) * output_spec.scale
    return Outputs(path.name, real, output_spec.scale, answer["correct"])


def compare(reference: Outputs, other: Outputs) -> Agreement:
    """Return how far `other` is from `reference` on the same samples.

    Outputs that are not finite agree with nothing: the differences are infinite then.
    """
    a, b = reference.real.reshape(len(reference.real), -1), other.real.reshape(len(other.real), -1)
    step = other.step or reference.step
    finite = bool(np.isfinite(a).all() and np.isfinite(b).all())
    max_abs = float(np.abs(a - b).max()) if finite else math.inf
    ratio = sqnr_db(a, b) if finite else -math.inf
    return Agreement(
        reference=reference.name,
        other=other.name,
        samples=len(a),
        top1=float((a.argmax(axis=1) == b.argmax(axis=1)).mean()),
        max_abs=max_abs,
        max_steps=max_abs / step if step else None,
        sqnr_db=ratio if math.isfinite(ratio) else None,
    )


def doubts(agreement: Agreement) -> str:
    """Return a warning about an agreement that is worse than quantization explains, or an empty string."""
    lossless = agreement.max_steps is None and "float32" in agreement.other
    if lossless and not agreement.max_abs <= 1e-3:
        return f"{agreement.other} differs from the {agreement.reference} by up to {agreement.max_abs:.2g}"
    if agreement.top1 < 0.95:
        return (
            f"{agreement.other} agrees with the {agreement.reference} on only {agreement.top1:.1%} of "
            f"{agreement.samples} validation samples"
        )
    return ""
