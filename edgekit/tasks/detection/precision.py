"""Mean average precision, as pycocotools computes it, with what it takes to resample the images.

pycocotools matches detections with labelled boxes image by image and accumulates what it matched; here the images of a
bootstrap resample are accumulated likewise, weighted by how often each was drawn, without matching again.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekit.errors import MissingExtraError
from edgekit.stats import Interval, bootstrapped
from edgekit.tasks.detection.boxes import Floats
from edgekit.tasks.samples import Array

MOST_DETECTIONS = 100
"""Of an image and class that count, as in COCO's evaluation."""
OVERLAPS = {"map": slice(None), "map50": slice(0, 1)}
"""Which of the overlaps 0.50, 0.55, ..., 0.95 a metric is the mean of."""
_TINY = float(np.spacing(1))


@dataclass(frozen=True)
class ClassMatches:
    """Detections of one class, the highest score first.

    Attributes:
        images: of each its image, (n,).
        right, wrong: whether it counts as such, of each overlap; bool (overlaps, n). In a crowd it is neither.
        boxes: labelled boxes of each image, crowds left out; (images,).
    """

    images: npt.NDArray[np.int64]
    right: npt.NDArray[np.bool_]
    wrong: npt.NDArray[np.bool_]
    boxes: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Matches:
    """What pycocotools matched.

    Attributes:
        images: number of them.
        classes: those that labels or detections have.
        by_overlap: precision that pycocotools computed, of each class with boxes and overlap; (classes, overlaps).
    """

    images: int
    classes: tuple[ClassMatches, ...]
    by_overlap: Floats

    def value(self, overlaps: slice) -> float:
        """Return the mean average precision.

        Raises:
            ValueError: no image has a labelled box.
        """
        if not len(self.by_overlap):
            raise ValueError("no sample has a labelled box")
        return float(self.by_overlap[:, overlaps].mean())

    def resampled(self, drawn: npt.NDArray[np.int64], overlaps: slice) -> float:
        """Return the mean average precision of images, some of them more than once; 0 where none has a box.

        Args:
            drawn: indices of images.
            overlaps: that it is averaged over.
        """
        weights = np.bincount(drawn, minlength=self.images).astype(np.float64)
        each = [_precision(one, weights, overlaps) for one in self.classes if (weights * one.boxes).any()]
        return float(np.mean(each)) if each else 0.0


def _precision(one: ClassMatches, weights: Floats, overlaps: slice) -> float:
    """Return the average precision over 101 recalls, as `COCOeval.accumulate` does."""
    counts = weights[one.images]
    right = np.cumsum(one.right[overlaps] * counts, axis=1)
    wrong = np.cumsum(one.wrong[overlaps] * counts, axis=1)
    recall = right / float((weights * one.boxes).sum())
    precision = np.maximum.accumulate((right / (right + wrong + _TINY))[:, ::-1], axis=1)[:, ::-1]
    wanted, total = np.linspace(0.0, 1.0, 101), 0.0
    for row, known in zip(precision, recall, strict=True):
        places = np.searchsorted(known, wanted, side="left")
        total += float(row[places[places < len(row)]].sum())
    return total / (len(wanted) * len(recall))


def matches(found: Array, truth: Array) -> Matches:
    """Match detections with labelled boxes.

    Args:
        found: as `detections` returns them, (n, boxes, `FOUND`).
        truth: labels, (n, boxes, `TRUTH`).

    Raises:
        MissingExtraError: pycocotools is not installed.
    """
    evaluation = _evaluated(found, truth)
    images, classes = len(found), []
    for index in range(len(evaluation.params.catIds)):
        parts = [
            (image, part)
            for image, part in enumerate(evaluation.evalImgs[index * images : (index + 1) * images])
            if part is not None
        ]
        boxes = np.zeros(images, np.int64)
        for image, part in parts:
            boxes[image] = int(np.count_nonzero(np.asarray(part["gtIgnore"]) == 0))
        scores = np.concatenate([part["dtScores"] for _, part in parts])
        order = np.argsort(-scores, kind="mergesort")
        matched = np.concatenate([part["dtMatches"] for _, part in parts], axis=1)[:, order] != 0
        ignored = np.concatenate([part["dtIgnore"] for _, part in parts], axis=1)[:, order] != 0
        where = np.concatenate([np.full(len(part["dtScores"]), image, np.int64) for image, part in parts])[order]
        classes.append(ClassMatches(where, matched & ~ignored, ~matched & ~ignored, boxes))
    precision = evaluation.eval["precision"][:, :, :, 0, 0] if classes else np.full((10, 101, 0), -1.0)
    held = (precision > -1).all(axis=(0, 1))
    return Matches(images, tuple(classes), precision[:, :, held].mean(axis=1).T)


def _evaluated(found: Array, truth: Array) -> Any:
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise MissingExtraError("mean average precision", "detection", str(error)) from error
    labelled = [
        {"id": number, "image_id": image, "category_id": int(row[0]), "iscrowd": int(row[5] > 0), **_bbox(row[1:5])}
        for number, (image, row) in enumerate(_rows(truth), 1)
    ]
    detected = [
        {"id": number, "image_id": image, "category_id": int(row[0]), "score": float(row[1]), **_bbox(row[2:6])}
        for number, (image, row) in enumerate(_rows(found), 1)
    ]
    names = sorted({one["category_id"] for one in (*labelled, *detected)})
    images = [{"id": index} for index in range(len(truth))]
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        sides = []
        for annotations in (labelled, detected):
            side = COCO()
            side.dataset = {"images": images, "annotations": annotations, "categories": [{"id": n} for n in names]}
            side.createIndex()
            sides.append(side)
        evaluation = COCOeval(*sides, iouType="bbox")
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0.0, 1e10]], ["all"]
        evaluation.params.maxDets = [MOST_DETECTIONS]
        evaluation.evaluate()
        if names:
            evaluation.accumulate()
    return evaluation


def _rows(boxes: Array) -> Iterator[tuple[int, Array]]:
    for image, rows in enumerate(boxes):
        for row in rows[rows[:, 0] >= 0]:
            yield image, row


def _bbox(corners: Array) -> dict[str, Any]:
    x1, y1, x2, y2 = map(float, corners)
    return {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}


def interval(found: Matches, overlaps: slice) -> Interval:
    """Return the mean average precision with its bootstrap interval over the images."""
    return bootstrapped(lambda drawn: found.resampled(drawn, overlaps), found.images, found.value(overlaps))


def difference(before: Matches, after: Matches, overlaps: slice) -> Interval:
    """Return by how much the precision of one file is above another's on the same images, resampled in pairs."""

    def apart(drawn: npt.NDArray[np.int64]) -> float:
        return before.resampled(drawn, overlaps) - after.resampled(drawn, overlaps)

    return bootstrapped(apart, before.images, before.value(overlaps) - after.value(overlaps))
