"""Mean average precision: a case worked out by hand, pycocotools' own summary, and the bootstrap over images."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from edgekit.stats import COSTLY_RESAMPLES
from edgekit.tasks.detection.boxes import padded
from edgekit.tasks.detection.precision import OVERLAPS, difference, interval, matches
from edgekit.tasks.drop import POINTS, drop
from edgekit.tasks.scoring import score, scores
from edgekit.tasks.task import Head, Task
from tests.support.raised import raised

MAP = Head("boxes", "detection", "map")


def truth(*images: list[tuple[float, ...]]) -> np.ndarray:
    """Return labels: class, x1, y1, x2, y2, crowd."""
    return padded([np.array(rows, np.float64).reshape(-1, 6) for rows in images], 6)


found = truth  # class, score, x1, y1, x2, y2


LABELS = truth(
    [(0, 0.1, 0.1, 0.3, 0.3, 0), (1, 0.5, 0.5, 0.9, 0.9, 0)],
    [(0, 0.0, 0.0, 0.2, 0.2, 0)],
    [],
)
"""Two boxes of class 0, one of class 1, and an image without any."""


def test_a_case_by_hand() -> None:
    detected = found(
        [(0, 0.9, 0.1, 0.1, 0.3, 0.3), (1, 0.8, 0.5, 0.5, 0.9, 0.9)],
        [],
        [(0, 0.95, 0.1, 0.1, 0.3, 0.3)],
    )
    # class 1: 1. class 0: the best is wrong, the second right: precision 1/2 up to a recall of 1/2, 51 of 101 recalls.
    assert matches(detected, LABELS).value(OVERLAPS["map50"]) == pytest.approx((1 + 51 / 101 / 2) / 2, abs=1e-12)
    assert score(detected, LABELS, MAP).value == pytest.approx((1 + 51 / 101 / 2) / 2, abs=1e-12)


def test_a_box_that_is_off_counts_at_the_overlaps_that_it_has() -> None:
    labels = truth([(0, 0.0, 0.0, 0.5, 0.5, 0)])
    detected = found([(0, 0.9, 0.0, 0.0, 0.5, 0.36)])  # 0.72 of the box: of 10 overlaps, 0.50 to 0.70 are reached
    assert matches(detected, labels).value(OVERLAPS["map"]) == pytest.approx(0.5)
    assert matches(detected, labels).value(OVERLAPS["map50"]) == pytest.approx(1.0)


def test_a_crowd_is_neither_right_nor_missed() -> None:
    labels = truth([(0, 0.0, 0.0, 0.2, 0.2, 0), (0, 0.5, 0.5, 1.0, 1.0, 1)])
    detected = found([(0, 0.9, 0.6, 0.6, 0.7, 0.7), (0, 0.8, 0.0, 0.0, 0.2, 0.2)])
    assert matches(detected, labels).value(OVERLAPS["map"]) == pytest.approx(1.0)


def test_as_pycocotools_summarizes(rng: np.random.Generator) -> None:
    labels, detected = drawn(rng, 25)
    own = matches(detected, labels)
    for name, stat in zip(("map", "map50"), summary(detected, labels), strict=True):
        assert own.value(OVERLAPS[name]) == pytest.approx(stat, abs=1e-12)
        assert own.resampled(np.arange(25), OVERLAPS[name]) == pytest.approx(stat, abs=1e-12)


def test_a_resample_is_as_pycocotools_computes_it_anew(rng: np.random.Generator) -> None:
    labels, detected = drawn(rng, 12)
    detected[..., 1] += np.arange(detected[..., 1].size).reshape(detected.shape[:2]) * 1e-9  # no equal scores
    rows = rng.integers(0, 12, 12)
    assert matches(detected, labels).resampled(rows, OVERLAPS["map"]) == pytest.approx(
        matches(detected[rows], labels[rows]).value(OVERLAPS["map"]), abs=1e-12
    )


def test_the_interval_is_of_the_images_and_a_drop_is_paired(rng: np.random.Generator) -> None:
    labels, detected = drawn(rng, 25)
    own = interval(matches(detected, labels), OVERLAPS["map"])
    assert own.low < own.value < own.high
    same = difference(matches(detected, labels), matches(detected, labels), OVERLAPS["map"])
    assert (same.value, same.low, same.high) == (0, 0, 0)
    assert COSTLY_RESAMPLES >= 100
    lost = drop([detected], [detected[:, :3]], [labels], Task((MAP,)))
    assert lost.unit == POINTS
    assert lost.interval.low < lost.interval.value
    assert lost.interval.value == pytest.approx(
        100 * (score(detected, labels, MAP).value - score(detected[:, :3], labels, MAP).value)
    )


def test_nothing_to_find_or_no_boxes_is_said() -> None:
    with raised("metric-failed", "map", "box"):
        score(found([(0, 0.9, 0, 0, 1, 1)]), truth([]), MAP)
    with raised("metric-failed", "(3,)"):
        scores([np.zeros((3, 1, 6))], [np.zeros(3)], Task((MAP,)))


def test_nothing_found_is_nothing_right() -> None:
    assert score(found([], [], []), LABELS, MAP).value == 0


def drawn(rng: np.random.Generator, images: int) -> tuple[np.ndarray, np.ndarray]:
    """Return labels, some of them crowds, and detections around them, some of another class, with equal scores."""
    labels, detected = [], []
    for _ in range(images):
        count = int(rng.integers(1, 5))
        low = rng.random((count, 2)) * 0.6
        corners = np.concatenate([low, low + 0.1 + rng.random((count, 2)) * 0.3], axis=1)
        classes = rng.integers(0, 3, count)
        labels.append(np.column_stack([classes, corners, rng.random(count) < 0.2]))
        twice = np.tile(corners, (2, 1)) + rng.normal(0, 0.02, (2 * count, 4))
        twice[:, 2:] = np.maximum(twice[:, 2:], twice[:, :2])
        guessed = np.where(rng.random(2 * count) < 0.8, np.tile(classes, 2), rng.integers(0, 4, 2 * count))
        detected.append(np.column_stack([guessed, np.round(rng.random(2 * count), 1), twice]))
    return padded(labels, 6), padded(detected, 6)


def summary(detected: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return mAP and mAP at 0.5 as `COCOeval.summarize` has them."""
    sides = []
    for boxes, score_column, first in ((labels, None, 1), (detected, 1, 2)):
        annotations = []
        for image, rows in enumerate(boxes):
            for row in rows[rows[:, 0] >= 0]:
                x1, y1, x2, y2 = map(float, row[first : first + 4])
                annotations.append(
                    {"id": len(annotations) + 1, "image_id": image, "category_id": int(row[0]), "area": 1.0,
                     "bbox": [x1, y1, x2 - x1, y2 - y1], "iscrowd": int(score_column is None and row[5]),
                     **({} if score_column is None else {"score": float(row[score_column])})}
                )  # fmt: skip
        side = COCO()
        side.dataset = {
            "images": [{"id": i} for i in range(len(boxes))],
            "annotations": annotations,
            "categories": [{"id": i} for i in range(4)],
        }
        sides.append(side)
    with contextlib.redirect_stdout(io.StringIO()):
        for side in sides:
            side.createIndex()
        evaluation = COCOeval(*sides, iouType="bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0]), float(evaluation.stats[1])
