"""Before a file is measured on a device, its first outputs there are compared with this machine's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgekit.bench.agreement import compare_with_host
from edgekit.bench.disagreement import disagreement
from edgekit.devices.jobs import Job
from edgekit.errors import RunnerError, RunnerTimeout

FEW = 8
"""Samples; without any, one of seeded random values, which are the same on every machine."""


def first_outputs(
    job: Job, run: Callable[[Job, Path], dict[str, Any]], folder: Path, timeout: float, *, of_classes: bool
) -> RunnerError | None:
    """Return what is wrong with the first outputs of a file on a device: they disagree, or did not come in time.

    What a runner cannot do at all is left to the passes that need it.

    Args:
        job: an accuracy job over a few samples, or over none.
        run: does it on the device, with a path for the outputs.
        folder: for outputs.
        timeout: seconds, for this machine.
        of_classes: whether the place of the largest output is the answer.
    """
    outputs = folder / "first-outputs.npz"
    try:
        answer = run(job, outputs)
    except RunnerTimeout as error:
        return error
    except RunnerError:
        return None
    word, reason = disagreement(compare_with_host(job, answer, outputs, folder, timeout), of_classes)
    return RunnerError(f"{reason}; it was not measured") if word == "invalid" else None
