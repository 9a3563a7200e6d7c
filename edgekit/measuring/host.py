"""Does a device compute what the host computes? One job on both, its outputs side by side, and what that is worth."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from edgekit.bundle.agreement import Agreement
from edgekit.bundle.facts import Unavailable
from edgekit.bundle.reason import Reason
from edgekit.bundle.runs import AccuracyRun
from edgekit.devices.device import open_device
from edgekit.devices.interpreter import MODULES
from edgekit.devices.jobs import RUNTIMES, Job, load_outputs, run_job
from edgekit.errors import EdgekitError, InputError, RunnerError, RunnerTimeout
from edgekit.measuring.agreement import compare_stored, worst
from edgekit.stats import wilson

FEW = 8
"""Samples of the first look; without any, one of seeded random values, which are the same on every machine."""
ROUNDING_OF_SPAN = {True: 0.02, False: 0.05}
"""Root mean square of all differences, of the span: what rounding explains under one runtime, and under two."""
ROUNDING_STEPS, ROUNDING_OF_VALUE = 1.5, 1e-4
FAR_SHARE, FEW_SHARE = 0.05, 0.01
OTHER_CLASS_SHARE, SOME_OTHER_CLASS = 0.20, 0.05
"""Shares of the samples from which on outputs disagree (the interval's lower end), and from which they are suspect."""


def first_outputs(
    job: Job[AccuracyRun],
    run: Callable[[Job[AccuracyRun], Path], AccuracyRun],
    folder: Path,
    timeout: float,
    *,
    of_classes: bool,
) -> RunnerError | None:
    """Return what is wrong with the first outputs of a file on a device: they disagree, or did not come in time.

    What a runner cannot do at all is left to the passes that need it.

    Args:
        job: over a few samples, or over none.
        run: does it on the device, with a path for the outputs.
        folder: for outputs.
        timeout: seconds, for the host.
        of_classes: whether the place of the largest output is the prediction.
    """
    outputs = folder / "first-outputs.npz"
    try:
        there = run(job, outputs)
    except RunnerTimeout as error:
        return error
    except RunnerError:
        return None
    word, reason = disagreement(compare_with_host(job, there, outputs, folder, timeout), of_classes)
    if word != "invalid" or reason is None:
        return None
    return RunnerError(f"{reason.sentence}; it was not measured", code=reason.code)


def compare_with_host(
    job: Job[AccuracyRun], there: AccuracyRun, outputs: Path, folder: Path, timeout: float
) -> Agreement | Unavailable:
    """Run a job here, under the device's runtime where the host has it, and compare its outputs.

    Args:
        job: as the device did it.
        there: what the device's runner returned.
        outputs: the `.npz` that it wrote, an array an output, samples first.
        folder: for the outputs of the host.
        timeout: seconds.
    """
    path = folder / "host-outputs.npz"
    try:
        with open_device() as host:
            own = run_job(host, dataclasses.replace(job, runtime=host_runtime(job)), timeout=timeout, outputs=path)
    except EdgekitError as error:
        return Unavailable(f"on the host: {error.message}")
    try:
        mine, others = load_outputs(path), load_outputs(outputs)
    except InputError as error:
        return Unavailable(error.message)
    if not mine or set(mine) != set(others):
        return Unavailable(
            f"the device returned outputs {', '.join(others) or 'none'}, the host {', '.join(mine) or 'none'}"
        )
    found = worst([compare_stored(mine[name], others[name]) for name in mine])
    assert found.by_sample is not None
    same = dataclasses.replace(found.by_sample, same_runtime=own.runtime.name == there.runtime.name)
    return dataclasses.replace(found, reference=f"{own.runtime.name} {own.runtime.version}", by_sample=same)


def host_runtime(job: Job[AccuracyRun]) -> str:
    """Return the runtime to run a device's job under here: the device's, if the host has it."""
    if find_spec(MODULES[job.runtime]) is not None:
        return job.runtime
    return RUNTIMES["onnx" if job.runtime == "onnxruntime" else "tflite"]


def disagreement(agreement: Agreement | Unavailable, of_classes: bool) -> tuple[str, Reason | None]:
    """Judge an agreement of a device with the host: `invalid` or `suspect` with a reason, or `valid` without one.

    Args:
        agreement: maybe of an older edgekit, which counted fewer things.
        of_classes: whether the place of the largest output is the prediction.
    """
    if isinstance(agreement, Unavailable) or agreement.by_sample is None or not agreement.samples:
        return "valid", None
    samples, counted = agreement.samples, agreement.by_sample
    changed = samples - agreement.same_class if of_classes and agreement.same_class is not None else 0
    swapped = (changed if counted.other_class is None else counted.other_class) if changed else 0
    if wilson(counted.far, samples).low > FAR_SHARE or wilson(swapped, samples).low > OTHER_CLASS_SHARE:
        disagree = f"its outputs disagree with the host's: {described(agreement, of_classes)}"
        return "invalid", Reason("outputs-disagree", disagree)
    rounding = max(
        ROUNDING_OF_SPAN[counted.same_runtime] * counted.span,
        ROUNDING_OF_VALUE * counted.span if agreement.max_steps is None else ROUNDING_STEPS,
    )
    many = swapped > max(1, SOME_OTHER_CLASS * samples) or counted.far > FEW_SHARE * samples
    if many or counted.rms > rounding:
        differ = f"its outputs differ from the host's by more than rounding: {described(agreement, of_classes)}"
        return "suspect", Reason("outputs-differ", differ)
    return "valid", None


def described(agreement: Agreement, of_classes: bool) -> str:
    """Return what differs, in half a sentence."""
    counted, steps = agreement.by_sample, agreement.max_steps
    if counted is not None and counted.mismatch:
        return counted.mismatch
    off = f"{agreement.max_abs:.2g}" if steps is None else f"{steps:.0f} step{'s' * (steps != 1)}"
    parts = []
    if of_classes and agreement.same_class is not None:
        parts.append(f"the same class on {agreement.same_class:,} of {agreement.samples:,} samples")
    if counted is not None and counted.far:
        parts.append(f"{counted.far:,} of {agreement.samples:,} samples far off")
    return ", ".join([*parts, f"up to {off} apart"])
