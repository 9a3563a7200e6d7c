"""How equal two forms of a model are: what a proof finds, and how outputs are compared for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.tasks.samples import Array


@dataclass(frozen=True)
class Proof:
    """How equal a rebuilt model is to its file.

    Attributes:
        max_abs_diff: the largest difference of two outputs.
        tolerance: what would have been accepted, for the output with that difference.
        samples: how many random samples went through both.
        share: the largest difference, as a share of the largest absolute value of its output.
    """

    max_abs_diff: float
    tolerance: float
    samples: int
    share: float = 0.0


def difference(old: Array, new: Array) -> float:
    """Return the largest absolute difference; infinite for other shapes, or NaN and infinity in other places."""
    if old.shape != new.shape or not np.array_equal(np.isfinite(old), np.isfinite(new)):
        return float("inf")
    finite = np.isfinite(old)
    return float(np.abs(old[finite].astype(np.float64) - new[finite].astype(np.float64)).max(initial=0.0))


def largest(values: Array) -> float:
    """Return the largest absolute value that is finite."""
    return float(np.abs(values[np.isfinite(values)].astype(np.float64)).max(initial=0.0))
