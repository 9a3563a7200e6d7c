"""A file that is run again and again, sample by sample, in a child process that keeps it loaded."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from edgekit.bundle.runs import MEMORY
from edgekit.devices.device import open_device
from edgekit.devices.jobs import RUNTIMES, Job, run_job
from edgekit.devices.refusal import INSPECT, essence
from edgekit.errors import InputError, RunnerError
from edgekit.errors.printable import visible
from edgekit.files.opening import brief
from edgekit.measuring.loaded import REFUSALS, load_onnx, load_tflite
from edgekit.processes.child import Child, memory_for, wants_memory
from edgekit.processes.serve import alarm
from edgekit.tasks.samples import Array

TIMEOUT = 600.0
SECONDS = 60.0
"""In which a file is loaded, and every sample is answered: a loop without end is no model."""
CHUNK = 64
"""Samples a message."""
MAX_OUTPUTS = 4 << 30
"""Bytes of all outputs for all samples."""


def try_out(path: Path, format_: str, shapes: Sequence[Sequence[int]], companions: Mapping[str, Path]) -> None:
    """Run a file once in a runner, which knows what its runtime's refusals mean.

    Args:
        path: the file.
        format_: `tflite` or `onnx`.
        shapes: of its inputs, with a batch of one.
        companions: the files that it needs beside it.

    Raises:
        InputError: its runtime refuses it, or dies of it.
    """
    with open_device() as device:
        job = Job(MEMORY, RUNTIMES[format_], path, shapes=shapes, companions=companions)
        try:
            run_job(device, job, timeout=TIMEOUT)
        except RunnerError as error:
            why = error.message.removeprefix(f"{path.name}: ")  # the path says it
            hint = _see(path) if not error.hint or error.hint.startswith(INSPECT) else error.hint
            raise InputError(f"{path}: cannot be run: {why}", hint, code="file-not-runnable") from error


class FileRunner:
    """Runs a file in a child process, which keeps it loaded.

    Args:
        path: the file, which the gate let pass.
        format_: `tflite` or `onnx`.
        names: of its outputs, for messages.
    """

    def __init__(self, path: Path, format_: str, names: Sequence[str]) -> None:
        self._path, self._format, self._names, self._child = path, format_, list(names), Child()

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return the outputs for a batch, (n, ...) each.

        Args:
            inputs: (n, ...) each, in the order of the file and in its dtypes.

        Raises:
            InputError: the runtime cannot run the file, dies of it, or its outputs are too many.
        """
        found: list[list[Array]] = []
        total = 0
        for start in range(0, len(inputs[0]), CHUNK):
            chunk = [a[start : start + CHUNK] for a in inputs]
            try:
                _, outputs = self._child.call(
                    f"{__name__}:run_samples",
                    *chunk,
                    what=f"{brief(self._path)}: running it",
                    seconds=SECONDS * (len(chunk[0]) + 1),
                    limit=f"{SECONDS:g} s a sample",
                    memory=memory_for(self._path),
                    path=str(self._path),
                    format_=self._format,
                    names=self._names,
                )
            except RunnerError as error:
                raise InputError(error.message, error.hint or _see(self._path), code=error.code) from error
            total += sum(output.nbytes for output in outputs)
            if total > MAX_OUTPUTS:
                raise InputError(
                    f"{brief(self._path)}: its outputs for {len(inputs[0])} samples take more than "
                    f"{MAX_OUTPUTS >> 30} GiB",
                    "give fewer samples",
                    code="outputs-too-large",
                )
            found.append(outputs)
        joined = [_of_one_size(column, np.concatenate, self._path, self._names[i]) for i, column in _columns(found)]
        return [_by_sample(outputs) for outputs in joined]


def run_samples(*inputs: Array, path: str, format_: str, names: Sequence[str]) -> tuple[None, list[Array]]:
    """Do what `FileRunner.run` asks for, in its child."""
    run = _loaded(path, format_)
    rows = []
    for i in range(len(inputs[0])):
        alarm(SECONDS)
        try:
            rows.append(run([a[i : i + 1] for a in inputs]))
        except REFUSALS as error:
            raise refused(Path(path), error) from error
    return None, [_of_one_size(column, np.stack, Path(path), names[i]) for i, column in _columns(rows)]


def _columns(rows: Sequence[Sequence[Array]]) -> Iterator[tuple[int, Sequence[Array]]]:
    return enumerate(zip(*rows, strict=True))


def _of_one_size(parts: Sequence[Array], join: Callable[[Sequence[Array]], Array], path: Path, name: str) -> Array:
    """Join what a file gave for an output, sample by sample or chunk by chunk."""
    try:
        return join(parts)
    except ValueError as error:
        raise InputError(
            f"{brief(path)}: its output `{name}` has other sizes for other samples, so that it cannot be compared",
            "export it with outputs of fixed sizes: before the operator that selects (NonMaxSuppression), or padded",
            code="output-size-varies",
        ) from error


def _by_sample(outputs: Array) -> Array:
    """Return outputs (n, ...) of n samples, each as the runtime gave it; a first axis of one is the batch and goes.

    The runner does the same, so that a file is compared with what it was made of.
    """
    return outputs[:, 0] if outputs.ndim > 1 and outputs.shape[1] == 1 else outputs


@lru_cache(1)
def _loaded(path: str, format_: str) -> Callable[[Sequence[Array]], list[Array]]:
    alarm(SECONDS)
    try:
        return load_tflite(Path(path)).run if format_ == "tflite" else load_onnx(Path(path))
    except REFUSALS as error:
        raise refused(Path(path), error) from error


def refused(path: Path, error: Exception) -> InputError:
    """Return the error for a file that its runtime does not run.

    Raises:
        MemoryError: that is what it lacks.
    """
    if wants_memory(str(error)):
        raise MemoryError(str(error)) from error
    reason = visible(essence(str(error))) or type(error).__name__
    return InputError(f"{path}: its runtime cannot run it: {reason}", _see(path), code="file-not-runnable")


def _see(path: Path) -> str:
    return f"{INSPECT} {shlex.quote(str(path))}"
