"""Does a device compute what this machine computes? Output against output, sample by sample."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.columns import Array
from edgekit.devices.device import Device
from edgekit.devices.jobs import Job, run_job
from edgekit.errors import EdgekitError, InputError
from edgekit.feeding import load_outputs


def compare_with_host(host: Device, job: Job, device_outputs: Path, folder: Path, timeout: float) -> dict[str, Any]:
    """Run a job here and compare its outputs with a device's.

    Args:
        host: this machine.
        job: an accuracy job, with a runtime that this machine has.
        device_outputs: the `.npz` that the device wrote, an array an output, samples first.
        folder: for the outputs of this machine.
        timeout: seconds.

    Returns:
        What `agreement` returns, with `host_runtime`; or `{"unavailable": why}`.
    """
    path = folder / "host-outputs.npz"
    try:
        answer = run_job(host, job, timeout=timeout, outputs=path)
    except EdgekitError as error:
        return {"unavailable": f"this machine: {error.message}"}
    try:
        here, there = load_outputs(path), load_outputs(device_outputs)
    except InputError as error:
        return {"unavailable": error.message}
    if not here or set(here) != set(there):
        return {"unavailable": f"outputs {', '.join(there) or 'none'} there, {', '.join(here) or 'none'} here"}
    found = worst([agreement(here[name], there[name]) for name in here])
    return {**found, "host_runtime": f"{answer['runtime']['name']} {answer['runtime']['version']}"}


def worst(outputs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the agreement of a file with several outputs: each number of the output that is farthest off."""
    first = next((found for found in outputs if "unavailable" in found), outputs[0])
    if "unavailable" in first or len(outputs) == 1:
        return first
    classes = [found["same_class"] for found in outputs if found["same_class"] is not None]
    far = max(outputs, key=lambda found: found["largest_difference"])
    return {
        "samples": first["samples"],
        "same_class": min(classes, default=None),
        "equal": min(found["equal"] for found in outputs),
        "largest_difference": far["largest_difference"],
        "unit": far["unit"],
    }


def agreement(here: Array, there: Array) -> dict[str, Any]:
    """Compare two runs of one file over the same samples.

    Args:
        here: outputs of shape (samples, ...).
        there: the same of the device, of the same dtype.

    Returns:
        `samples`; `same_class`: how many have the largest value in the same place, None where an output is one value;
        `equal`: how many are equal in every value; `largest_difference`: in steps of the output's quantization where
        `unit` is "steps" (integer outputs), else in its own unit. Or `{"unavailable": why}`.
    """
    if here.shape != there.shape or here.dtype != there.dtype:
        return {"unavailable": f"outputs of shape {there.shape} {there.dtype} there, {here.shape} {here.dtype} here"}
    rows_here, rows_there = here.reshape(len(here), -1), there.reshape(len(there), -1)
    classes = rows_here.shape[1]
    whole = here.dtype.kind in "iu"
    wide = np.int64 if whole else np.float64
    difference = np.abs(rows_here.astype(wide) - rows_there.astype(wide)).max() if here.size else 0
    return {
        "samples": len(here),
        "same_class": int(np.sum(rows_here.argmax(axis=1) == rows_there.argmax(axis=1))) if classes > 1 else None,
        "equal": int(np.sum((rows_here == rows_there).all(axis=1))),
        "largest_difference": int(difference) if whole else float(difference),
        "unit": "steps" if whole else "value",
    }
