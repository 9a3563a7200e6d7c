"""What everything else measures with: a file over samples to its outputs, and files against each other in rounds."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from edgekit.bundle.runs import ACCURACY, SampledRun
from edgekit.devices.device import Device
from edgekit.devices.jobs import RUNTIMES, Job, run_job
from edgekit.errors import InputError
from edgekit.measuring.agreement import Outputs
from edgekit.measuring.ports import SCALES, feed_names, output_order, read_outputs, unscaled
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.task import Task
from edgekit.tasks.tensors import TensorSpec

T = TypeVar("T")
RUN_SECONDS, TIME_SECONDS = 1800.0, 600.0
"""When a process is given up that runs a file over samples, and one that times it."""


def run_file(
    device: Device,
    path: Path,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    samples: Path,
    preprocessing: Preprocessing,
    task: Task,
    folder: Path,
    threads: int = 1,
) -> Outputs:
    """Run a `.tflite` or `.onnx` file over stored samples in a fresh runner process.

    Args:
        device: where.
        path: the file.
        inputs: of the file, in its order.
        outputs: of the file, in its order.
        samples: an `.npz` with x, or x/NAME for every input.
        preprocessing: from stored samples to model inputs.
        task: what the outputs are for, in the model's order.
        folder: for the raw outputs, temporary.
        threads: asked of the runtime.

    Raises:
        InputError: the integers of an input or output have no scale.
        RunnerError: the runtime cannot run the file.
    """
    order = output_order(outputs, task)
    if lacking := unscaled("input", inputs) or unscaled("output", [outputs[i] for i in order]):
        raise InputError(f"{path.name}: {lacking}", SCALES, code="scale-missing")
    job = Job(
        ACCURACY,
        RUNTIMES[path.suffix[1:]],
        path,
        threads,
        samples=samples,
        feed=feed_names(inputs),
        preprocessing=preprocessing,
        quantization=[spec.quantization() for spec in inputs],
    )
    raw_path = folder / f"{path.name}.outputs.npz"
    try:
        run_job(device, job, timeout=RUN_SECONDS, outputs=raw_path)
        real = read_outputs(raw_path, outputs, task)
    finally:
        raw_path.unlink(missing_ok=True)
    return Outputs(path.name, real, tuple(outputs[i].scale for i in order))


def time_files(device: Device, jobs: Sequence[Job[SampledRun]], rounds: int) -> list[list[SampledRun]]:
    """Time files in turns, each time in a fresh process.

    Args:
        device: where.
        jobs: one a file, of the latency pass.
        rounds: processes a file.

    Returns:
        Of every job its runs, round by round.

    Raises:
        RunnerError: the runtime cannot run a file.
    """
    runs: list[list[SampledRun]] = [[] for _ in jobs]
    for index in interleaved(range(len(jobs)), rounds):
        runs[index].append(run_job(device, jobs[index], timeout=TIME_SECONDS))
    return runs


def interleaved(items: Sequence[T], rounds: int) -> Iterator[T]:
    """Yield all items, then all of them again, and so on, each time in an order by chance (randomized blocks).

    Those of a round see the machine in nearly the same state, and what comes first or last is no better off, whatever
    pattern the machine has in time.
    """
    chance = random.SystemRandom()
    for _ in range(rounds):
        yield from chance.sample(items, len(items))
