"""Run exported files in the runtimes that will run them, and compare them with the model they came from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekit.bench.ports import SCALES, feed_names, output_order, read_outputs, unscaled
from edgekit.bundle.manifest import Agreement
from edgekit.devices.device import Device
from edgekit.devices.jobs import RUNTIMES, Job, run_job
from edgekit.errors import InputError
from edgekit.models.keras.asking import predicted
from edgekit.stats import sqnr_db
from edgekit.tasks.channels import lost_channels
from edgekit.tasks.metrics import decisions, picks
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.scoring import labels
from edgekit.tasks.task import VALUES, Head, Task
from edgekit.tasks.tensors import TensorSpec

TIMEOUT = 1800.0
FAR_DB = 10.0
"""Below this ratio of signal to noise the values of a regression are hardly those of the float model."""
SAME_DB = 60.0
"""Above this ratio float values are the same for all purposes; a source that computes in float16 is as far as that."""


@dataclass(frozen=True)
class Outputs:
    """What a file (or the float model) answered to the samples that files are compared on.

    Attributes:
        name: of the file, or `float model`.
        real: of every output, in the model's order, the values in real units, float64 (n, ...).
        steps: of every output the scale of the quantized values, None for floating point.
    """

    name: str
    real: tuple[npt.NDArray[np.float64], ...]
    steps: tuple[float | None, ...]


def run_file(
    device: Device,
    path: Path,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    samples: Path,
    preprocessing: Preprocessing,
    task: Task,
    folder: Path,
) -> Outputs:
    """Run a `.tflite` or `.onnx` file over stored samples in a fresh runner process.

    Args:
        device: this machine.
        path: the file.
        inputs: of the file, in its order.
        outputs: of the file, in its order.
        samples: an `.npz` with x, or x/NAME for every input.
        preprocessing: from stored samples to model inputs.
        task: what the outputs are for, in the model's order.
        folder: for the raw outputs, temporary.

    Raises:
        InputError: the integers of an input or output have no scale.
        RunnerError: the runtime cannot run the file.
    """
    if lacking := unscaled("input", inputs) or unscaled("output", [outputs[i] for i in output_order(outputs, task)]):
        raise InputError(f"{path.name}: {lacking}", SCALES)
    job = Job(
        "accuracy",
        RUNTIMES[path.suffix[1:]],
        path,
        samples=samples,
        feed=feed_names(inputs),
        preprocessing=preprocessing,
        quantization=[spec.quantization() for spec in inputs],
    )
    raw_path = folder / f"{path.name}.outputs.npz"
    run_job(device, job, timeout=TIMEOUT, outputs=raw_path)
    found = read_outputs(raw_path, outputs, task)
    raw_path.unlink()
    return Outputs(path.name, found, tuple(outputs[i].scale for i in output_order(outputs, task)))


def reference_labels(
    task: Task, model: Any, x: Any, y: Any, preprocessing: Preprocessing
) -> tuple[npt.NDArray[Any], ...]:
    """Return what a file's outputs are scored against: the labels, or without any what the float model answers."""
    if task.main.kind == "unlabelled":
        return answers(model, preprocessing.apply(x))
    return labels(task, x, y, preprocessing)


def answers(model: Any, inputs: Any) -> tuple[npt.NDArray[np.float64], ...]:
    """Return what a Keras model answers, one float64 array an output.

    Args:
        model: a tf_keras model, or what behaves like one.
        inputs: preprocessed samples, one array or a tuple of them.
    """
    return tuple(np.asarray(output, np.float64) for output in predicted(model, inputs))


def compare(reference: Outputs, other: Outputs, task: Task) -> Agreement:
    """Return how far `other` is from `reference` on the same samples: of several outputs the worst of each number.

    Outputs that are not finite agree with nothing: the differences are infinite then.
    """
    each = [
        _compare(a, b, c or d, head)
        for a, b, c, d, head in zip(reference.real, other.real, other.steps, reference.steps, task.heads, strict=True)
    ]
    shares = [_same(a, b, head) for a, b, head in zip(reference.real, other.real, task.heads, strict=True)]
    tops = [share for share in shares if share is not None]
    steps = [found[1] for found in each if found[1] is not None]
    ratio = min(found[2] for found in each)
    return Agreement(
        reference=reference.name,
        other=other.name,
        samples=len(reference.real[0]),
        top1=min(tops) if tops else None,
        max_abs=max(found[0] for found in each),
        max_steps=max(steps) if steps else None,
        sqnr_db=ratio if math.isfinite(ratio) else None,
        lost=lost_channels(reference.real, other.real, task.heads),
    )


def _compare(
    a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], step: float | None, head: Head
) -> tuple[float, float | None, float]:
    """Return the largest difference, the same in steps, and the SQNR.

    Class numbers are the same or not: how far they are apart means nothing, so that 1 stands for a difference.
    """
    if head.indices:
        return float((np.rint(a) != np.rint(b.reshape(a.shape))).any()), None, math.inf
    finite = bool(np.isfinite(a).all() and np.isfinite(b).all())
    max_abs = float(np.abs(a - b.reshape(a.shape)).max()) if finite else math.inf
    ratio = sqnr_db(a, b.reshape(a.shape)) if finite else -math.inf
    return max_abs, max_abs / step if step else None, ratio


def _same(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], head: Head) -> float | None:
    """Return the share of decisions that are the same; None where the values decide nothing."""
    first, second = decided(a, head), decided(b.reshape(a.shape), head)
    return None if first is None or second is None else float((first == second).mean())


def decided(outputs: npt.NDArray[np.float64], head: Head) -> npt.NDArray[Any] | None:
    """Return what outputs decide, such as classes; None where the values decide nothing."""
    if head.kind in VALUES or (head.kind == "unlabelled" and head.metric != "agreement"):
        return None
    return picks(outputs, head) if head.kind == "unlabelled" else decisions(outputs, head)


def doubts(agreement: Agreement, part: str = "validation") -> str:
    """Return a warning about an agreement that is worse than quantization explains, or an empty string.

    Args:
        agreement: of a file.
        part: of the data that its samples are of.
    """
    lossless = agreement.max_steps is None and "float32" in agreement.other
    ties = agreement.sqnr_db is None and (agreement.top1 or 0) >= 0.99  # class numbers: a tie may end either way
    near = agreement.max_abs <= 1e-3 or (agreement.sqnr_db is not None and agreement.sqnr_db >= SAME_DB)
    if lossless and not near and not ties:
        return f"{agreement.other} differs from the {agreement.reference} by up to {agreement.max_abs:.2g}"
    if agreement.top1 is not None and agreement.top1 < 0.95:
        return (
            f"{agreement.other} agrees with the {agreement.reference} on only {agreement.top1:.1%} of "
            f"{agreement.samples} {part} samples"
        )
    if agreement.top1 is None and agreement.sqnr_db is not None and agreement.sqnr_db < FAR_DB:
        return (
            f"{agreement.other} is far from the {agreement.reference}: its SQNR is {agreement.sqnr_db:.1f} dB on "
            f"{agreement.samples} {part} samples"
        )
    return ""
