"""Send one job to the runner in a fresh process on a device, and read its answer."""

from __future__ import annotations

import itertools
import json
import signal
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import edgekit.ondevice
from edgekit.devices.device import Device
from edgekit.errors import RunnerCrashed, RunnerError, RunnerTimeout
from edgekit.preprocessing import Preprocessing
from edgekit.transports.base import Completed, OnLine

RUNNER = Path(edgekit.ondevice.__file__).with_name("runner.py")
JOB_SCHEMA = 1
RUNTIMES = {"tflite": "ai-edge-litert", "onnx": "onnxruntime"}
"""The runtime that runs a format unless another is asked for."""

_SIGNALS = {
    "SIGILL": "it met an instruction this CPU does not have: the runtime was built for a newer CPU",
    "SIGSEGV": "it read memory that is not its own: a damaged model file, or a fault of the runtime",
    "SIGABRT": "it aborted: a damaged model file, or a fault of the runtime",
    "SIGFPE": "it divided by zero: a damaged model file, or a fault of the runtime",
    "SIGKILL": "something killed it: usually the kernel, for want of memory",
    "SIGBUS": "its model file changed or vanished while it was read",
}
_counter = itertools.count()


@dataclass(frozen=True)
class Job:
    """What one runner process is to do; `edgekit/ondevice/runner.py` describes every field.

    Attributes:
        mode: `latency`, `memory` or `accuracy`.
        runtime: `ai-edge-litert`, `tflite-runtime` or `onnxruntime`.
        model: the file to run.
        threads: asked of the runtime.
        samples: an `.npz` with x and y, or None.
        preprocessing: from stored samples to model inputs, or None.
        quantization: `scale` and `zero_point` of an integer input that the file does not describe, or None.
        settings: of the latency mode.
    """

    mode: str
    runtime: str
    model: Path
    threads: int = 1
    samples: Path | None = None
    preprocessing: Preprocessing | None = None
    quantization: Mapping[str, Any] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def run_job(
    device: Device, job: Job, *, timeout: float, outputs: Path | None = None, on_line: OnLine | None = None
) -> dict[str, Any]:
    """Run one job to its end.

    Args:
        device: where; the files of the job are made readable there.
        job: what to do.
        timeout: seconds.
        outputs: accuracy jobs: where to put the raw outputs (`.npy`).
        on_line: told of every line of the runner's log.

    Returns:
        The runner's answer, with `ok` true.

    Raises:
        RunnerCrashed: a signal killed it, or it left no answer.
        RunnerTimeout: it did not finish in time.
        RunnerError: it answered that the job cannot be done.
        TargetError: the device is lost or full.
    """
    work, number = device.work, next(_counter)
    work.renew()
    remote_outputs = work.scratch(f"outputs-{number}.npy")
    sent = {
        "schema": JOB_SCHEMA,
        "mode": job.mode,
        "runtime": job.runtime,
        "model": work.push(job.model),
        "threads": job.threads,
        "samples": work.push(job.samples) if job.samples else None,
        "preprocessing": job.preprocessing.to_dict() if job.preprocessing else None,
        "quantization": job.quantization,
        "outputs": remote_outputs if outputs else None,
        **job.settings,
    }
    answer_path = work.scratch(f"result-{number}.json")
    with tempfile.TemporaryDirectory(prefix="edgekit-job-") as folder:
        job_path = Path(folder) / "job.json"
        job_path.write_text(json.dumps(sent), encoding="utf-8")
        argv = [*device.prefix, device.python, work.push(RUNNER), work.send(job_path), answer_path]
        env = {"PYTHONDONTWRITEBYTECODE": "1", **device.env}
        try:
            done = device.transport.run(argv, timeout=timeout, env=env, on_line=on_line)
        except TimeoutError as error:
            raise RunnerTimeout(
                f"{job.model.name}: the runner was stopped after {timeout:g} s without an answer"
            ) from error
        answer = _read_answer(device, answer_path, Path(folder) / "result.json", job, done)
    if not answer["ok"]:
        raise RunnerError(f"{job.model.name}: {_explain(answer, job)}")
    if outputs is not None:
        work.pull(remote_outputs, outputs)
    return answer


def _read_answer(device: Device, remote: str, local: Path, job: Job, done: Completed) -> dict[str, Any]:
    if done.returncode >= 0:
        try:
            device.work.pull(remote, local)
            answer: dict[str, Any] = json.loads(local.read_text(encoding="utf-8"))
            return answer
        except (FileNotFoundError, json.JSONDecodeError):
            pass
    raise RunnerCrashed(_crash_sentence(job, done), "its last words: " + (_last_words(done) or "none"))


def _crash_sentence(job: Job, done: Completed) -> str:
    where = ""
    stages = [line.split(": ", 1)[1] for line in done.stderr.splitlines() if line.startswith("edgekit-runner: ")]
    if stages:
        where = f" during {stages[-1]}"
    if done.returncode < 0:
        signal_name = signal.Signals(-done.returncode).name
        why = _SIGNALS.get(signal_name, "it was killed")
        return f"{job.model.name}: the runner died of {signal_name}{where} under {job.runtime}: {why}"
    return f"{job.model.name}: the runner ended with exit code {done.returncode}{where} and left no answer"


def _last_words(done: Completed) -> str:
    lines = [line for line in done.stderr.splitlines() if line and not line.startswith("edgekit-runner: ")]
    return " | ".join(lines[-3:])[-500:]


def _explain(answer: Mapping[str, Any], job: Job) -> str:
    message = " ".join(str(answer["message"]).split())[:500]
    if answer["error"] in ("ModuleNotFoundError", "ImportError"):
        return f"{job.runtime} cannot be imported on the device: {message}"
    return message if answer["error"] == "JobError" else f"{job.runtime} refused it: {message}"
