"""A detector tried on labelled images: how its boxes are written, how it is fed; one that finds nothing is refused.

The detectors here know the labels: they find them where they are fed the images as they were trained.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from edgekit.data.split import Splits
from edgekit.data.trial.look import look
from edgekit.data.trial.looked import Looked
from edgekit.tasks.detection.finding import describe
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.task import Head, Task
from tests.support.raised import raised

SIDE, STRIDE, CLASSES, IMAGES = 64, 8, 3, 60
CELLS = (SIDE // STRIDE) ** 2
Encode = Callable[[Any, Any], Any]


def cells() -> Any:
    """Return the upper left corner of every cell, in pixels; (CELLS, 2)."""
    y, x = np.divmod(np.arange(CELLS), SIDE // STRIDE)
    return np.stack([x, y], axis=1) * STRIDE


ENCODED: dict[str, Encode] = {
    "xywh": lambda low, high: np.concatenate([(low + high) / 2, high - low], axis=1),
    "xyxy": lambda low, high: np.concatenate([low, high], axis=1),
    "yxyx": lambda low, high: np.concatenate([low[:, ::-1], high[:, ::-1]], axis=1),
    "yolox": lambda low, high: np.concatenate(
        [((low + high) / 2 - cells()) / STRIDE, np.log((high - low) / STRIDE)], axis=1
    ),
    "ltrb": lambda low, high: np.concatenate(
        [(cells() + STRIDE / 2 - low) / STRIDE, (high - cells() - STRIDE / 2) / STRIDE], axis=1
    ),
}


@pytest.fixture(scope="module")
def splits() -> Splits:
    """Images with one box of 20 x 12 pixels each; the first pixel's red tells the image, its blue is 200."""
    rng = np.random.default_rng(3)
    corners = rng.integers(0, SIDE - 20, (IMAGES, 2)) / SIDE
    boxes = np.zeros((IMAGES, 1, 6), np.float32)
    boxes[:, 0, 0] = rng.integers(0, CLASSES, IMAGES)
    boxes[:, 0, 1:3], boxes[:, 0, 3:5] = corners, corners + np.array([20, 12]) / SIDE
    images = rng.integers(0, 50, (IMAGES, SIDE, SIDE, 3)).astype(np.uint8)
    images[:, 0, 0] = np.stack([np.arange(IMAGES) * 3, np.full(IMAGES, 20), np.full(IMAGES, 200)], axis=1)
    return Splits(images[10:], boxes[10:], images[:10], boxes[:10], images[10:])


def knowing(splits: Splits, form: str, scale: float, *, blue_first: bool = False) -> Callable[[Any], Sequence[Any]]:
    """Return a detector that was trained on pixels times `scale`: of others it sees another image's box."""
    truth = {int(x[0, 0, 0]): y for part in ("train", "validation")
             for x, y in zip(getattr(splits, f"x_{part}"), getattr(splits, f"y_{part}"), strict=True)}  # fmt: skip

    def predict(x: Any) -> Sequence[Any]:
        rows = []
        for image in x:
            first, last = (image[0, 0, ::-1] if blue_first else image[0, 0])[[0, 2]] / scale
            known = truth.get(int(np.rint(first))) if abs(last - 200) < 1 else None
            low = np.repeat((np.zeros((1, 2)) if known is None else known[:, 1:3]) * SIDE, CELLS, axis=0)
            high = low + (np.full((1, 2), 8.0) if known is None else (known[:, 3:5] - known[:, 1:3]) * SIDE)
            scores = np.zeros((CELLS, CLASSES))
            scores[5, 0 if known is None else int(known[0, 0])] = 0.9
            rows.append(np.concatenate([ENCODED[form](low, high), scores], axis=1))
        return [np.array(rows)]

    return predict


def tried(splits: Splits, predict: Callable[[Any], Sequence[Any]], **options: Any) -> Looked:
    how = describe(["y"], [(CELLS, 4 + CLASSES)], (SIDE, SIDE), CLASSES)
    task = Task((Head("y", "detection", "map"),), how)
    given = {"given": False, **options}
    return look("net", predict, 1.0, [None], splits, task, Preprocessing(scale=1 / 255), **given)


@pytest.mark.parametrize("form", ENCODED)
def test_how_boxes_are_written_is_found(splits: Splits, form: str) -> None:
    found = tried(splits, knowing(splits, form, 1 / 255))
    assert found.task.detection is not None
    assert (found.task.detection.boxes, found.task.detection.settled) == (form, True)
    assert found.preprocessing == Preprocessing(scale=1 / 255)
    assert form in found.notice and "100.0 % of an image's boxes" in found.notice


def test_how_images_are_fed_is_found_with_it(splits: Splits) -> None:
    found = tried(splits, knowing(splits, "yolox", 1.0, blue_first=True))
    assert found.task.detection is not None and found.task.detection.boxes == "yolox"
    assert (found.preprocessing.scale, found.preprocessing.channels) == (1.0, "BGR")
    assert "chosen by trial" in found.notice and found.record["chosen"] == "by trial"


def test_what_was_given_is_kept(splits: Splits) -> None:
    with raised("no-better-than-chance", "none of", "as it is fed"):
        tried(splits, knowing(splits, "xyxy", 1.0), given=True)
    found = tried(splits, knowing(splits, "xyxy", 1.0), given=True, anyway=True)
    assert found.preprocessing.scale == 1 / 255
    assert [finding.code for finding in found.findings] == ["no-better-than-chance"]


def test_a_detector_that_finds_nothing_is_refused(splits: Splits) -> None:
    def blind(x: Any) -> Sequence[Any]:
        return [np.full((len(x), CELLS, 4 + CLASSES), 0.5)]

    with raised("no-better-than-chance", "xywh", "yolox", "x / 255"):
        tried(splits, blind)


def test_classes_that_are_numbered_otherwise_are_named(splits: Splits) -> None:
    shifted = splits.y_validation + np.array([1, 0, 0, 0, 0, 0]), splits.y_train + np.array([1, 0, 0, 0, 0, 0])
    other = Splits(splits.x_train, shifted[1], splits.x_validation, shifted[0], splits.x_calibration)
    with raised("no-better-than-chance", "100 % of an image's boxes", "other classes"):
        tried(other, knowing(splits, "xyxy", 1 / 255))


def test_images_without_boxes_show_what_values_show(splits: Splits) -> None:
    none = np.full_like(splits.y_train, -1)
    empty = Splits(splits.x_train, none, splits.x_validation, none[:10], splits.x_calibration)
    found = tried(empty, knowing(splits, "xyxy", 1 / 255))
    assert found.task.detection is not None and found.task.detection.boxes == "xyxy"
    assert "none of 16 images" in found.notice


def test_outputs_that_are_not_finite_are_no_form(splits: Splits) -> None:
    with raised("no-better-than-chance"):
        tried(splits, lambda x: [np.full((len(x), CELLS, 4 + CLASSES), np.nan)])
