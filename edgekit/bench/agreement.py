"""Does a device compute what this machine computes? Output against output, sample by sample."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.devices.device import open_device
from edgekit.devices.interpreter import MODULES
from edgekit.devices.jobs import RUNTIMES, Job, load_outputs, run_job
from edgekit.errors import EdgekitError, InputError
from edgekit.samples import Array

FAR_OF_SPAN, FAR_OF_RANGE = 0.10, 0.04
"""A sample is far off if an output differs by more than these shares, of what the outputs span and of all that the
type holds (of a float: of the largest value). Kernels that round differently stay below."""
SWAPPED_STEPS, SWAPPED_OF_SPAN = 2, 0.02
"""Another class is no tie if this machine's outputs set the two further apart than this."""


def compare_with_host(
    job: Job, answer: Mapping[str, Any], outputs: Path, folder: Path, timeout: float
) -> dict[str, Any]:
    """Run a job here, under the device's runtime where this machine has it, and compare its outputs.

    Args:
        job: an accuracy job, as the device did it.
        answer: the device's answer to it.
        outputs: the `.npz` that the device wrote, an array an output, samples first.
        folder: for the outputs of this machine.
        timeout: seconds.

    Returns:
        What `agreement` returns, with `host_runtime`, and `same_runtime`: whether it is the device's by name; or
        `{"unavailable": why}`.
    """
    path = folder / "host-outputs.npz"
    here_under = host_runtime(job)
    try:
        with open_device() as host:
            own = run_job(host, dataclasses.replace(job, runtime=here_under), timeout=timeout, outputs=path)
    except EdgekitError as error:
        return {"unavailable": f"this machine: {error.message}"}
    try:
        here, there = load_outputs(path), load_outputs(outputs)
    except InputError as error:
        return {"unavailable": error.message}
    if not here or set(here) != set(there):
        return {"unavailable": f"outputs {', '.join(there) or 'none'} there, {', '.join(here) or 'none'} here"}
    found = worst([agreement(here[name], there[name]) for name in here])
    ran = own["runtime"]
    same = ran["name"] == answer["runtime"]["name"]
    return {**found, "host_runtime": f"{ran['name']} {ran['version']}", "same_runtime": same}


def host_runtime(job: Job) -> str:
    """Return the runtime to run a device's job under here: the device's, if this machine has it."""
    if find_spec(MODULES[job.runtime]) is not None:
        return job.runtime
    return RUNTIMES["onnx" if job.runtime == "onnxruntime" else "tflite"]


def worst(outputs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the agreement of a file with several outputs: each number of the output that is farthest off."""
    first = next((found for found in outputs if "why" in found), outputs[0])
    if "why" in first or len(outputs) == 1:
        return first
    classes = [found["same_class"] for found in outputs if found["same_class"] is not None]
    far = max(outputs, key=lambda found: (found["far"], found["rms"] / found["span"] if found["span"] else 0.0))
    largest = max(outputs, key=lambda found: found["largest_difference"])
    return {
        **far,
        "same_class": min(classes, default=None),
        "other_class": max(found["other_class"] for found in outputs),
        "equal": min(found["equal"] for found in outputs),
        "largest_difference": largest["largest_difference"],
        "unit": largest["unit"],
    }


def agreement(here: Array, there: Array) -> dict[str, Any]:
    """Compare two runs of one file over the same samples.

    Args:
        here: outputs of shape (samples, ...).
        there: the same of the device, of the same dtype.

    Returns:
        `samples`; `same_class`: how many have the largest value in the same place, None where an output is one value;
        `other_class`: how many have it in another, and not for a tie; `equal`: how many are equal in every value;
        `far`: how many differ by more than rounding can; `largest_difference`, `rms` of all differences and the `span`
        of this machine's outputs: in steps of the output's quantization where `unit` is "steps" (integer outputs), else
        in its own unit. If the shapes or types differ, every sample is far, and `why` says so.
    """
    if here.shape != there.shape or here.dtype != there.dtype:
        why = f"outputs of shape {there.shape} {there.dtype} there, {here.shape} {here.dtype} here"
        nothing = {"same_class": None, "other_class": 0, "equal": 0, "largest_difference": math.inf, "unit": "value"}
        return {"samples": len(here), **nothing, "far": len(here), "rms": math.inf, "span": 0.0, "why": why}
    rows_here, rows_there = here.reshape(len(here), -1), there.reshape(len(there), -1)
    whole = here.dtype.kind in "iub"
    wide = np.int64 if whole else np.float64
    mine, others = rows_here.astype(wide), rows_there.astype(wide)
    same = (mine == others) | ((mine != mine) & (others != others))
    with np.errstate(invalid="ignore"):
        off = np.where(same, 0, np.abs(mine - others)).astype(np.float64)
    off = np.where(np.isnan(off), np.inf, off)
    by_sample = off.max(axis=1, initial=0.0)
    finite = mine[np.isfinite(mine)]
    span = float(finite.max() - finite.min()) if finite.size else 0.0
    holds = _holds(here.dtype) if whole else float(np.abs(finite).max(initial=0))
    classes, swapped = None, 0
    if mine.shape[1] > 1:
        own, other = mine.argmax(axis=1), others.argmax(axis=1)
        rows = np.arange(len(mine))
        with np.errstate(invalid="ignore"):
            apart = mine[rows, own] - mine[rows, other]
        classes = int(np.sum(own == other))
        swapped = int(np.sum(~(apart <= (SWAPPED_STEPS if whole else SWAPPED_OF_SPAN * span)) & (own != other)))
    largest = float(by_sample.max(initial=0.0))
    return {
        "samples": len(here),
        "same_class": classes,
        "other_class": swapped,
        "equal": int(np.sum(same.all(axis=1))),
        "far": int(np.sum(by_sample > max(FAR_OF_SPAN * span, FAR_OF_RANGE * holds))),
        "largest_difference": int(largest) if whole else largest,
        "rms": float(np.sqrt(np.mean(off**2))) if off.size else 0.0,
        "span": span,
        "unit": "steps" if whole else "value",
    }


def _holds(dtype: np.dtype[Any]) -> float:
    """Return what an integer type holds as values of a quantized output; wider types count classes or places."""
    return 2.0 ** (8 * dtype.itemsize) - 1 if dtype.itemsize <= 2 and dtype.kind in "iu" else 0.0
