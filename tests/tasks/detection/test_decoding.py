"""Raw outputs to boxes: every form against numbers worked out by hand, and every way outputs are laid out."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from edgekit.schema.gate import read
from edgekit.tasks.detection.decoding import cells_of, detections, joined
from edgekit.tasks.detection.description import Detection, Part
from edgekit.tasks.detection.forms import FORMS, Cells, Coordinates
from edgekit.tasks.task import Head, Task
from tests.support.raised import raised

TOGETHER = Part(("boxes", "scores"))
PLAIN = Detection(2, 100, 200, (TOGETHER,), "xywh", "pixels", "plain")
CELL = Cells(np.array([[20.0, 12.0]]), np.array([[8.0]]), np.array([[10.0, 30.0]]))
PIXELS, STRIDES = np.array([1.0, 1.0]), np.array([[8.0]])
VARIANCES = (0.1, 0.1, 0.2, 0.2)


def logit(p: float) -> float:
    """Return what a sigmoid makes p of."""
    return math.log(p / (1 - p))


DISTANCES = [0.5, 1.0, 1.5, 2.0]
BINS = np.full((4, 4), -50.0)
BINS[[0, 0], [0, 1]] = 0  # half of 0, half of 1
BINS[1, 1] = BINS[3, 2] = 0
BINS[[2, 2], [1, 2]] = 0


@pytest.mark.parametrize(
    ("form", "numbers", "unit", "corners"),
    [
        ("xywh", [50, 40, 20, 10], PIXELS, [40, 35, 60, 45]),
        ("xywh", [0.25, 0.4, 0.1, 0.1], np.array([200.0, 100.0]), [40, 35, 60, 45]),
        ("xyxy", [40, 35, 60, 45], PIXELS, [40, 35, 60, 45]),
        ("yxyx", [35, 40, 45, 60], PIXELS, [40, 35, 60, 45]),
        ("ltrb", DISTANCES, STRIDES, [16, 4, 32, 28]),
        ("ltrb", [4, 8, 12, 16], PIXELS, [16, 4, 32, 28]),
        ("dfl", BINS.ravel(), STRIDES, [16, 4, 32, 28]),
        ("deltas", [1, -1, math.log(2) / 0.2, 0], PIXELS, [11, -6, 31, 24]),
        ("yolo3", [0, logit(0.75), math.log(2), 0], PIXELS, [10, -1, 30, 29]),
        ("yolo5", [0, logit(0.75), 0, logit(0.75)], PIXELS, [15, 16 - 33.75, 25, 16 + 33.75]),
        ("yolox", [0.5, 1, 0, math.log(2)], PIXELS, [16, 8, 24, 24]),
    ],
)
def test_forms(form: str, numbers: list[float], unit: np.ndarray, corners: list[float]) -> None:
    found = FORMS[form].decode(np.array([numbers], np.float64), CELL, Coordinates(unit, VARIANCES))
    np.testing.assert_allclose(found, [corners], atol=1e-9)


def test_a_huge_logarithm_stays_finite() -> None:
    found = FORMS["deltas"].decode(np.array([[0, 0, 1e9, 1e9]]), CELL, Coordinates(PIXELS, VARIANCES))
    assert np.isfinite(found).all()


def test_boxes_come_as_shares_of_the_image_best_first_and_suppressed() -> None:
    raw = np.array([[[50, 50, 20, 20, 0.6, 0.0], [51, 50, 20, 20, 0.7, 0.2], [150, 50, 20, 40, 0.0, 0.9]]])
    found = detections([raw], dataclasses.replace(PLAIN, overlap=0.5))
    np.testing.assert_allclose(
        found,
        [[[1, 0.9, 0.7, 0.3, 0.8, 0.7], [0, 0.7, 0.205, 0.4, 0.305, 0.6], [1, 0.2, 0.205, 0.4, 0.305, 0.6]]],
    )


def test_channels_may_be_first_and_outputs_apart(rng: np.random.Generator) -> None:
    raw = np.concatenate([rng.random((3, 5, 4)) * 100, rng.random((3, 5, 2))], axis=2)
    expected = detections([raw], PLAIN)
    first = dataclasses.replace(PLAIN, parts=(Part(("boxes", "scores"), "first"),))
    np.testing.assert_array_equal(detections([raw.transpose(0, 2, 1)], first), expected)
    apart = dataclasses.replace(PLAIN, parts=(Part(("scores",)), Part(()), Part(("boxes",), "first")))
    outputs = [raw[..., 4:], np.zeros((3, 7)), raw[..., :4].transpose(0, 2, 1)]
    np.testing.assert_array_equal(detections(outputs, apart), expected)


def test_scales_follow_the_finest_and_anchors_stand_behind_each_other(rng: np.random.Generator) -> None:
    anchors = (((4.0, 4.0), (8.0, 8.0)), ((16.0, 16.0), (32.0, 32.0)))
    part = Part(("boxes", "objectness", "scores"), "first", 2)
    how = Detection(1, 16, 32, (part, part), "yolo5", "pixels", "sigmoid", strides=(8, 16), anchors=anchors)
    coarse, fine = rng.normal(size=(1, 2, 6, 1, 2)), rng.normal(size=(1, 2, 6, 2, 4))
    maps = [scale.reshape(1, 12, *scale.shape[3:]) for scale in (coarse, fine)]
    boxes = joined(maps, how, "boxes")
    assert boxes is not None
    assert boxes.shape == (1, 2 * 2 * 4 + 2 * 1 * 2, 4)
    np.testing.assert_array_equal(boxes[0, 2 * (1 * 4 + 2) + 1], fine[0, 1, :4, 1, 2])
    cells = cells_of(how)
    assert cells is not None
    np.testing.assert_array_equal(cells.centres[2 * (1 * 4 + 2) + 1], [20, 12])
    np.testing.assert_array_equal(cells.anchors[[0, 1, -1]], [[4, 4], [8, 8], [32, 32]])
    as_ultralytics = dataclasses.replace(how, parts=(Part(part.holds, "last", 2),) * 2)  # (n, anchors, y, x, channels)
    np.testing.assert_array_equal(
        detections([scale.transpose(0, 1, 3, 4, 2) for scale in (coarse, fine)], as_ultralytics), detections(maps, how)
    )


def test_scores_of_a_softmax_lose_their_background() -> None:
    how = dataclasses.replace(PLAIN, scores="softmax", background="first", threshold=0.0)
    raw = np.array([[[50, 50, 20, 20, math.log(2), math.log(1), math.log(5)]]])
    np.testing.assert_allclose(detections([raw], how)[0, :, :2], [[1, 5 / 8], [0, 1 / 8]])
    last = dataclasses.replace(how, background="last")
    np.testing.assert_allclose(detections([raw], last)[0, :, :2], [[0, 2 / 8], [1, 1 / 8]])


def test_a_sample_that_is_not_finite_is_nan() -> None:
    raw = np.ones((2, 3, 6))
    raw[1, 0, 5] = np.nan
    found = detections([raw], PLAIN)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1, 0]).all()


@pytest.mark.parametrize(
    ("shapes", "how"),
    [
        ([(1, 5, 7)], PLAIN),
        ([(1, 5, 6), (1, 5, 6)], PLAIN),
        ([(1, 5, 4)], dataclasses.replace(PLAIN, parts=(Part(("boxes",)),))),
        ([(1, 5, 4), (1, 6, 2)], dataclasses.replace(PLAIN, parts=(Part(("boxes",)), Part(("scores",))))),
        ([(1, 5, 6)], dataclasses.replace(PLAIN, boxes="ltrb", units="strides", strides=(8.0,))),
    ],
)
def test_outputs_that_are_not_as_described_are_refused(shapes: list[tuple[int, ...]], how: Detection) -> None:
    with raised("detection-does-not-fit", str(shapes[0][1:])):
        detections([np.ones(shape) for shape in shapes], how)


def test_a_task_is_read_back_and_an_older_one_as_it_was() -> None:
    anchors = (((4.0, 4.0),),)
    how = dataclasses.replace(PLAIN, boxes="deltas", strides=(8.0,), anchors=anchors)
    task = Task((Head("a", "detection", "map"), Head("b", "detection", "map")), how)
    assert Task.from_dict(task.to_dict()) == task
    assert task.scored == task.heads[:1]
    assert "detection" not in Task().to_dict()


@pytest.mark.parametrize(
    "change",
    [
        {"strides": [1e-3]},
        {"strides": [1.0], "height": 65536, "width": 65536},
        {"boxes": "ltrb"},
        {"boxes": "deltas", "strides": [8.0]},
        {"anchors": [[[1, 2]]]},
        {"anchors": [[[1, 2, 3]]], "strides": [8.0]},
        {"most": 10**9},
        {"threshold": math.nan},
        {"classes": 0},
        {"parts": []},
        {"unknown": 1},
        {"scores": "<script>"},
    ],
)
def test_hostile_descriptions_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(Exception, match=r"manifest|task") as caught:
        read(Task, {"heads": [{"name": "a"}], "detection": {**PLAIN.to_dict(), **change}}, "task", "manifest")
    assert type(caught.value).__name__ == "InputError"
