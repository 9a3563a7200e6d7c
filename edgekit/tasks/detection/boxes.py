"""Boxes as arrays: of labels and of detections, one form each, and how much two boxes overlap.

Coordinates are shares of the image's width and height, from its upper left corner. The overlap of two boxes is the same
whatever the sides of the image are stretched by, so that a score does not depend on the size images are resized to.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgekit.tasks.samples import Array

TRUTH, FOUND = 6, 6
"""Columns of a labelled box: class, x1, y1, x2, y2, crowd; and of a detected one: class, score, x1, y1, x2, y2."""
NONE = -1.0
"""The class of a row that is no box: samples have different numbers of boxes, and arrays have not."""
Floats = npt.NDArray[np.float64]


def may_be_boxes(y: Array | None) -> bool:
    """Return whether labels have the shape of boxes; whether they are, the task says."""
    return y is not None and not check_truth(y)


def check_truth(y: Array) -> str:
    """Return what keeps labels from being boxes, or nothing."""
    if y.ndim != 3 or y.shape[2] != TRUTH or y.dtype.kind != "f":
        return f"labels of shape {y.shape} {y.dtype}, expected floating point (samples, boxes, {TRUTH})"
    return ""


def boxes_fault(y: Array) -> str:
    """Return what is wrong with labels that are meant as boxes, or nothing."""
    if fault := check_truth(y):
        return fault
    real = y[y[..., 0] >= 0]
    if (real[:, 0] != np.rint(real[:, 0])).any():
        return "classes that are no whole numbers"
    corners = real[:, 1:5]
    if (corners < 0).any() or (corners > 1).any() or (corners[:, 2:] <= corners[:, :2]).any():
        return "corners that are not x1 < x2, y1 < y2, within 0 to 1"
    return "" if len(real) else "no boxes"


def overlaps(box: Floats, others: Floats) -> Floats:
    """Return the intersection over union of a box with others.

    Args:
        box: x1, y1, x2, y2, shape (4,).
        others: likewise, (n, 4).
    """
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.prod(np.maximum(high - low, 0.0), axis=1)
    either = areas(box[np.newaxis])[0] + areas(others) - shared
    found: Floats = np.divide(shared, either, out=np.zeros_like(shared), where=either > 0)
    return found


def areas(boxes: Floats) -> Floats:
    """Return the areas of boxes (n, 4); 0 where a corner is on the wrong side."""
    found: Floats = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0), axis=1)
    return found


def padded(rows: list[Floats], columns: int) -> Floats:
    """Return the boxes of every sample as one array (samples, most boxes, columns), filled up with rows of `NONE`."""
    out = np.zeros((len(rows), max([1, *map(len, rows)]), columns))
    out[..., 0] = NONE
    for index, boxes in enumerate(rows):
        out[index, : len(boxes)] = boxes
    return out
