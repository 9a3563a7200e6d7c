"""Non-maximum suppression against answers worked out by hand."""

from __future__ import annotations

import numpy as np

from edgekit.tasks.detection.boxes import overlaps
from edgekit.tasks.detection.suppression import suppress

BOXES = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10], [0, 5, 10, 15]], np.float64)


def kept(scores: list[float], classes: list[int], overlap: float = 0.5, most: int = 10) -> list[int]:
    """Return which of `BOXES` are kept."""
    return suppress(BOXES, np.array(scores), np.array(classes, np.int64), overlap, most).tolist()


def test_overlaps() -> None:
    np.testing.assert_allclose(overlaps(BOXES[0], BOXES), [1, 9 / 11, 0, 1 / 3])
    assert overlaps(np.zeros(4), np.zeros((1, 4))) == 0


def test_the_best_of_those_that_overlap_is_kept() -> None:
    assert kept([0.8, 0.9, 0.7, 0.6], [0, 0, 0, 0]) == [1, 2, 3]
    assert kept([0.8, 0.9, 0.7, 0.6], [0, 0, 0, 0], overlap=0.3) == [1, 2, 3]  # box 1 and box 3 overlap by 9/31
    assert kept([0.8, 0.9, 0.7, 0.6], [0, 0, 0, 0], overlap=9 / 11) == [1, 0, 2, 3]  # by more than that, not as much


def test_boxes_of_other_classes_stay() -> None:
    assert kept([0.8, 0.9, 0.7, 0.6], [0, 1, 0, 0]) == [1, 0, 2, 3]


def test_equal_scores_go_by_class_then_by_place() -> None:
    assert kept([0.5, 0.5, 0.5, 0.5], [1, 0, 1, 0]) == [1, 3, 0, 2]
    assert kept([0.5, 0.5, 0.5, 0.5], [0, 0, 0, 0]) == [0, 2, 3]


def test_no_more_than_asked_for() -> None:
    assert kept([0.8, 0.9, 0.7, 0.6], [0, 1, 2, 3], most=2) == [1, 0]
    assert suppress(BOXES[:0], np.zeros(0), np.zeros(0, np.int64), 0.5, 10).tolist() == []
