"""Send one job to the runner in a fresh process on a device, and read its answer."""

from __future__ import annotations

import itertools
import json
import signal
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic

import numpy.typing as npt

import edgekit.ondevice
from edgekit.bundle.runs import ACCURACY, LATENCY, Mode, R, Refused, read_run
from edgekit.devices.device import Device
from edgekit.devices.refusal import refusal
from edgekit.devices.transports.base import Completed, OnLine
from edgekit.devices.transports.shell import FULL, refused
from edgekit.devices.work import OUTPUTS_BYTES
from edgekit.errors import InputError, RunnerCrashed, RunnerTimeout
from edgekit.files.temporary import temporary_folder
from edgekit.formats.numpy.archive import read_arrays
from edgekit.processes.child import memory_for, too_much, wants_memory
from edgekit.processes.python import isolated
from edgekit.processes.telemetry import confined
from edgekit.schema.document import LARGE
from edgekit.schema.gate import read_json
from edgekit.schema.types import JsonObject, JsonValue
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.tensors import Quantization

RUNNER = Path(edgekit.ondevice.__file__).with_name("runner.py")
JOB_SCHEMA = 2
RUNNER_MARK = "edgekit-runner: "
"""Begins a line of stderr in which the runner names what it does next."""
RUNTIMES = {"tflite": "ai-edge-litert", "onnx": "onnxruntime"}
"""The runtime that runs a format unless another is asked for."""

_SIGNALS = {
    "SIGILL": "an instruction that this CPU does not have; the runtime was built for a newer CPU",
    "SIGSEGV": "an invalid memory access; a damaged model file, or a bug in the runtime",
    "SIGABRT": "an abort; a damaged model file, or a bug in the runtime",
    "SIGFPE": "a division by zero; a damaged model file, or a bug in the runtime",
    "SIGKILL": "usually by the kernel, out of memory",
    "SIGBUS": "its model file changed or vanished while it was read",
}
FIRST_SHARE, FIRST_SECONDS = 0.1, 10.0
"""On this machine, of a job's time limit: for loading a file and running it once; and at least so many seconds."""
_counter = itertools.count()


@dataclass(frozen=True)
class LatencySettings:
    """How long one process of the latency pass takes.

    Attributes:
        min_samples: timed samples, at least.
        max_samples: when `min_seconds` would give more samples than this, several inferences share a sample.
        min_seconds: of timing, at least.
        warmup_seconds: of warm-up, at least; it goes on until the latency is steady.
    """

    min_samples: int = 100
    max_samples: int = 10_000
    min_seconds: float = 0.5
    warmup_seconds: float = 0.2


BRIEF = LatencySettings(min_samples=50, max_samples=5000, min_seconds=0.1, warmup_seconds=0.1)
"""For many files of which only the ratio to another one is of interest."""


@dataclass(frozen=True)
class Job(Generic[R]):
    """What one runner process is to do; `edgekit/ondevice/runner.py` describes every field.

    Attributes:
        mode: the pass, which decides what is returned.
        runtime: `ai-edge-litert`, `tflite-runtime` or `onnxruntime`.
        model: the file to run.
        threads: asked of the runtime.
        samples: an `.npz` with x, or x/NAME for every input, or None.
        feed: the NAMEs in the order of the file's inputs; empty for a file with one input.
        preprocessing: from stored samples to model inputs, or None.
        quantization: of every input `scale` and `zero_point`, for integers that the file does not describe; or None.
        settings: of the latency pass.
        shapes: sizes of every input, in the order of the file; None: as in the file.
        companions: the files that the model needs beside it: the name in the model -> where it is.
        values: of every input the number that it holds at every inference, or None where it gets samples; or None.
    """

    mode: Mode[R]
    runtime: str
    model: Path
    threads: int = 1
    samples: Path | None = None
    feed: tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None
    quantization: Sequence[Quantization | None] | None = None
    settings: LatencySettings = LatencySettings()
    shapes: Sequence[Sequence[int]] | None = None
    companions: Mapping[str, Path] = field(default_factory=dict)
    values: Sequence[float | None] | None = None


def run_job(
    device: Device, job: Job[R], *, timeout: float, outputs: Path | None = None, on_line: OnLine | None = None
) -> R:
    """Run one job to its end.

    Args:
        device: where; the files of the job are made readable there.
        job: what to do.
        timeout: seconds.
        outputs: accuracy jobs: where to put the raw outputs (`.npz`).
        on_line: called with every line of the runner's log.

    Returns:
        What the runner returned, of the class of the job's mode.

    Raises:
        RunnerCrashed: a signal killed it, or it left no result.
        RunnerTimeout: it did not finish in time.
        RunnerError: the job cannot be done.
        TargetError: the device is lost or full.
    """
    work, number = device.work, next(_counter)
    work.renew()
    remote_outputs = work.scratch(f"outputs-{number}.npz")
    sent: JsonObject = {
        "schema": JOB_SCHEMA,
        "mode": job.mode.name,
        "runtime": job.runtime,
        "model": work.push(job.model, job.companions),
        "threads": job.threads,
        "samples": work.push(job.samples) if job.samples else None,
        "feed": list(job.feed),
        "preprocessing": _preprocessing(job),
        "quantization": list(job.quantization) if job.quantization else None,
        "outputs": remote_outputs if job.mode == ACCURACY else None,
        "shapes": job.shapes,
        "values": list(job.values) if job.values else None,
        **(asdict(job.settings) if job.mode == LATENCY else {}),
    }
    if device.target.kind.is_host:
        files = [job.model, *job.companions.values(), *([job.samples] if job.samples else [])]
        sent |= {"memory_bytes": memory_for(*files), "first_seconds": max(timeout * FIRST_SHARE, FIRST_SECONDS)}
    result_path = work.scratch(f"result-{number}.json")
    with temporary_folder("job") as folder:
        job_path = folder / "job.json"
        job_path.write_text(json.dumps(sent), encoding="utf-8")
        runner = isolated(device.python, work.push(RUNNER), work.send(job_path), result_path, *device.folders)
        argv, env = [*device.prefix, *runner], confined(work.folder)
        try:
            done = device.transport.run(argv, timeout=timeout, env=env, on_line=on_line)
        except TimeoutError as error:
            raise RunnerTimeout(
                f"{job.model.name}: the runner was stopped after {timeout:g} s without a result",
                "a larger --timeout waits longer",
                code="runner-timeout",
            ) from error
        returned = _returned(device, result_path, folder / "result.json", job, done, sent)
    if isinstance(returned, Refused):
        if "memory_bytes" in sent and wants_memory(f"{returned.error} {returned.message}"):
            raise too_much(_running(job), sent["memory_bytes"])
        raise refusal(returned, job.runtime, job.model.name)
    if outputs is not None:
        work.pull(remote_outputs, outputs, OUTPUTS_BYTES)
    return returned


def _preprocessing(job: Job[R]) -> list[JsonValue] | None:
    """Return how each input of the file is fed, in its order."""
    if job.preprocessing is None:
        return None
    return [job.preprocessing.of(name).to_dict() for name in job.feed or ("",)]


def _running(job: Job[R]) -> str:
    return f"{job.model.name}: running it under {job.runtime}"


def _returned(
    device: Device, remote: str, local: Path, job: Job[R], done: Completed, sent: Mapping[str, JsonValue]
) -> R | Refused:
    if done.returncode >= 0:
        try:
            device.work.pull(remote, local)
        except FileNotFoundError:
            pass
        else:
            return _read_result(local, job)
    if done.returncode == -signal.SIGALRM and "first_seconds" in sent:
        raise RunnerTimeout(
            f"{job.model.name}: was stopped: loading it and running it once under {job.runtime} took longer than "
            f"{sent['first_seconds']:g} s",
            "check the model for a loop without end; otherwise give a larger --timeout, a tenth of which is for this",
            code="runner-timeout",
        )
    if FULL.search(done.stderr):
        raise refused(device.transport.address, remote, done.stderr[-2000:])
    if "memory_bytes" in sent and wants_memory(done.stderr[-2000:]):
        raise too_much(_running(job), sent["memory_bytes"])
    code = "runner-killed" if done.returncode < 0 else "runner-without-result"
    raise RunnerCrashed(_crash_sentence(job, done), f"stderr: {_last_lines(done) or 'empty'}", code=code)


def _read_result(path: Path, job: Job[R]) -> R | Refused:
    """Read what a runner returned; the device it comes from may send anything.

    Raises:
        RunnerCrashed: it is none, or not one to this job.
    """
    try:
        return read_run(read_json(path, "runner's result", LARGE), job.mode, "result")
    except InputError as error:
        what = error.message.removeprefix(f"{path}: ").removeprefix("result: ")
        message = f"{job.model.name}: the runner's result cannot be used: {what}"
        raise RunnerCrashed(message, code="runner-without-result") from error


def _crash_sentence(job: Job[R], done: Completed) -> str:
    where = ""
    stages = [line.split(": ", 1)[1] for line in done.stderr.splitlines() if line.startswith(RUNNER_MARK)]
    if stages:
        where = f" during {stages[-1]}"
    if done.returncode < 0:
        known = {number.value: number.name for number in signal.Signals}
        signal_name = known.get(-done.returncode, f"signal {-done.returncode}")
        why = f": {_SIGNALS[signal_name]}" if signal_name in _SIGNALS else ""
        return f"{job.model.name}: the runner was killed by {signal_name}{where} under {job.runtime}{why}"
    return f"{job.model.name}: the runner ended with exit code {done.returncode}{where} and left no result"


def _last_lines(done: Completed) -> str:
    lines = [line for line in done.stderr.splitlines() if line and not line.startswith(RUNNER_MARK)]
    return " | ".join(lines[-3:])[-500:]


def load_outputs(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of an `.npz` that a runner wrote, which may be a hostile device's.

    Raises:
        InputError: it is none, or holds something besides numbers.
    """
    try:
        found = read_arrays(path)
    except InputError as error:
        raise InputError(
            f"the outputs that came back cannot be read: {error.message}", code="outputs-damaged"
        ) from error
    if any(array.dtype.kind not in "biuf" for array in found.values()):
        raise InputError("the outputs that came back are not numbers", code="outputs-damaged")
    return found
