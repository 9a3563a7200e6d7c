"""Non-maximum suppression: of boxes of one class that overlap, the one with the highest score is kept."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgekit.tasks.detection.boxes import Floats, overlaps


def suppress(
    boxes: Floats, scores: Floats, classes: npt.NDArray[np.int64], overlap: float, most: int
) -> npt.NDArray[np.int64]:
    """Return the indices of the boxes that are kept, the highest score first.

    Greedy, class by class (Felzenszwalb et al. 2010, section 6.2; the same boxes as torchvision's `batched_nms`). Of
    equal scores the lower class comes first, then the lower index, so that the result does not depend on the machine.

    Args:
        boxes: x1, y1, x2, y2, (n, 4).
        scores: (n,).
        classes: (n,).
        overlap: a box goes where it overlaps a better one of its class by more than this (intersection over union).
        most: boxes that are kept.
    """
    left = np.lexsort((np.arange(len(scores)), classes, -scores))
    kept: list[int] = []
    while len(left) and len(kept) < most:
        best, left = int(left[0]), left[1:]
        kept.append(best)
        same = classes[left] == classes[best]
        gone = np.zeros(len(left), np.bool_)
        gone[same] = overlaps(boxes[best], boxes[left[same]]) > overlap
        left = left[~gone]
    return np.array(kept, np.int64)
