"""How far outputs for the same samples are apart. Two producers of an `Agreement`, both pure functions.

`compare` takes outputs in real units, of different files or of a file and the model that it comes from: quantization
makes them differ. `compare_stored` takes what one file gave on two machines, value by value: only rounding may differ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgekit.bundle.agreement import DEVICE, HOST, Agreement, BySample
from edgekit.stats import sqnr_db
from edgekit.tasks.channels import lost_channels
from edgekit.tasks.metrics import decisions, picks
from edgekit.tasks.samples import Array
from edgekit.tasks.task import VALUES, Head, Task

FAR_OF_SPAN, FAR_OF_RANGE = 0.10, 0.04
"""A sample is far off if an output differs by more than these shares, of what the outputs span and of all that the
type holds (of a float: of the largest value). Kernels that round differently stay below."""
SWAPPED_STEPS, SWAPPED_OF_SPAN = 2, 0.02
"""Another class is no tie if the reference's outputs set the two further apart than this."""


@dataclass(frozen=True)
class Outputs:
    """The outputs of a file or model for the samples that files are compared on.

    Attributes:
        name: of the file, or `float model`.
        real: of every output, in the model's order, the values in real units, float64 (n, ...).
        steps: of every output the scale of the quantized values, None for floating point.
    """

    name: str
    real: tuple[Array, ...]
    steps: tuple[float | None, ...]


def compare(reference: Outputs, other: Outputs, task: Task) -> Agreement:
    """Return how far `other` is from `reference` on the same samples: of several outputs the worst of each number.

    Outputs that are not finite agree with nothing: the differences are infinite then.
    """
    each = [
        _difference(a, b, c or d, head)
        for a, b, c, d, head in zip(reference.real, other.real, other.steps, reference.steps, task.heads, strict=True)
    ]
    shares = [_same_share(a, b, head) for a, b, head in zip(reference.real, other.real, task.heads, strict=True)]
    tops = [share for share in shares if share is not None]
    steps = [in_steps for _, in_steps, _ in each if in_steps is not None]
    ratio = min(ratio for _, _, ratio in each)
    return Agreement(
        reference=reference.name,
        other=other.name,
        samples=len(reference.real[0]),
        top1=min(tops) if tops else None,
        max_abs=max(largest for largest, _, _ in each),
        max_steps=max(steps) if steps else None,
        sqnr_db=ratio if math.isfinite(ratio) else None,
        lost=lost_channels(_channels_last(reference.real, task), _channels_last(other.real, task), task.heads),
    )


def _channels_last(outputs: Sequence[Array], task: Task) -> list[Array]:
    """Return outputs with the axis last that holds kinds of values: of a detector's it may be the first."""
    parts = task.detection.parts if task.detection is not None else ()
    first = [part.axis == "first" for part in parts] or [False] * len(outputs)
    return [np.moveaxis(o, 1, -1) if moved else o for o, moved in zip(outputs, first, strict=True)]


def _difference(a: Array, b: Array, step: float | None, head: Head) -> tuple[float, float | None, float]:
    """Return the largest difference, the same in steps, and the SQNR.

    Class numbers are the same or not: how far they are apart means nothing, so that 1 stands for a difference.
    """
    if head.indices:
        return float((np.rint(a) != np.rint(b.reshape(a.shape))).any()), None, math.inf
    finite = bool(np.isfinite(a).all() and np.isfinite(b).all())
    max_abs = float(np.abs(a - b.reshape(a.shape)).max()) if finite else math.inf
    ratio = sqnr_db(a, b.reshape(a.shape)) if finite else -math.inf
    return max_abs, max_abs / step if step else None, ratio


def _same_share(a: Array, b: Array, head: Head) -> float | None:
    """Return the share of decisions that are the same; None where the values decide nothing."""
    first, second = decided(a, head), decided(b.reshape(a.shape), head)
    return None if first is None or second is None else float((first == second).mean())


def decided(outputs: Array, head: Head) -> Array | None:
    """Return what outputs decide, such as classes; None where the values decide nothing."""
    if head.kind in VALUES or head.kind == "detection" or (head.kind == "unlabelled" and head.metric != "agreement"):
        return None
    return picks(outputs, head) if head.kind == "unlabelled" else decisions(outputs, head)


def compare_stored(here: Array, there: Array) -> Agreement:
    """Compare two runs of one file over the same samples, as the file gives its outputs.

    Args:
        here: outputs of the host, of shape (samples, ...).
        there: the same of the device, of the same dtype.

    Returns:
        With `by_sample`. Integers differ by `max_steps` of the output's quantization, floats by `max_abs`. If the
        shapes or types differ, every sample is far, and `by_sample.mismatch` says so.
    """
    if here.shape != there.shape or here.dtype != there.dtype:
        why = f"outputs of shape {there.shape} {there.dtype} on the device, {here.shape} {here.dtype} on the host"
        nothing = BySample(equal=0, far=len(here), other_class=0, rms=math.inf, mismatch=why)
        return Agreement(HOST, DEVICE, len(here), None, math.inf, None, None, by_sample=nothing)
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
    holds = _holds(here) if whole else float(np.abs(finite).max(initial=0))
    top1, swapped = None, 0
    if mine.shape[1] > 1:
        own, other = mine.argmax(axis=1), others.argmax(axis=1)
        rows = np.arange(len(mine))
        with np.errstate(invalid="ignore"):
            apart = mine[rows, own] - mine[rows, other]
        top1 = float(np.mean(own == other))
        swapped = int(np.sum(~(apart <= (SWAPPED_STEPS if whole else SWAPPED_OF_SPAN * span)) & (own != other)))
    largest = float(by_sample.max(initial=0.0))
    counted = BySample(
        equal=int(np.sum(same.all(axis=1))),
        far=int(np.sum(by_sample > max(FAR_OF_SPAN * span, FAR_OF_RANGE * holds))),
        other_class=swapped,
        rms=float(np.sqrt(np.mean(off**2))) if off.size else 0.0,
        span=span,
    )
    return Agreement(
        reference=HOST,
        other=DEVICE,
        samples=len(here),
        top1=top1,
        max_abs=math.nan if whole else largest,
        max_steps=int(largest) if whole else None,
        sqnr_db=None,
        by_sample=counted,
    )


def _holds(values: Array) -> float:
    """Return what an integer type holds as values of a quantized output; wider types count classes or places."""
    dtype = values.dtype
    return 2.0 ** (8 * dtype.itemsize) - 1 if dtype.itemsize <= 2 and dtype.kind in "iu" else 0.0


def worst(outputs: Sequence[Agreement]) -> Agreement:
    """Return the stored agreement of a file with several outputs: each number of the output that is farthest off."""
    each = [(agreement, agreement.by_sample) for agreement in outputs if agreement.by_sample is not None]
    first = next((agreement for agreement, counted in each if counted.mismatch), outputs[0])
    if len(each) == 1 or (first.by_sample is not None and first.by_sample.mismatch):
        return first
    far, farthest = max(each, key=lambda pair: (pair[1].far, pair[1].rms / pair[1].span if pair[1].span else 0.0))
    largest = max(outputs, key=_largest)
    return replace(
        far,
        top1=min((agreement.top1 for agreement in outputs if agreement.top1 is not None), default=None),
        max_abs=largest.max_abs,
        max_steps=largest.max_steps,
        by_sample=replace(
            farthest,
            other_class=max(counted.other_class or 0 for _, counted in each),
            equal=min(counted.equal for _, counted in each),
        ),
    )


def _largest(agreement: Agreement) -> float:
    return agreement.max_abs if agreement.max_steps is None else agreement.max_steps
