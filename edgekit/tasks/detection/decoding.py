"""From the raw outputs of a detector to detections: scores and boxes, decoded and suppressed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.errors import InputError
from edgekit.tasks.detection.boxes import FOUND, Floats, padded
from edgekit.tasks.detection.description import Detection, Part
from edgekit.tasks.detection.forms import FORMS, Cells, Coordinates, sigmoid
from edgekit.tasks.detection.suppression import suppress
from edgekit.tasks.samples import Array

MOST_CANDIDATES = 10_000
"""Boxes of an image that are compared with each other; those with the lowest scores are left out."""


def detections(outputs: Sequence[Array], how: Detection) -> Floats:
    """Return what a detector found, (samples, most boxes, `FOUND`), the highest score first.

    Of a sample whose outputs are not finite, all is NaN.

    Args:
        outputs: raw, in real units, one array an output in the model's order, (n, ...).
        how: they are decoded; settled.

    Raises:
        InputError: the outputs are not as described.
    """
    if not how.settled:
        raise InputError(
            "the values of the detector's outputs do not show how they are meant",
            "say so: --task 'detection:boxes=xywh,units=pixels,scores=plain' (docs/detection.md)",
            code="detection-not-described",
        )
    try:
        boxes, objectness, scores, cells = _parts(outputs, how)
    except (ValueError, IndexError) as error:
        shapes = ", ".join(str(output.shape[1:]) for output in outputs)
        raise InputError(
            f"the outputs of shapes {shapes} are not as the task describes: {error}",
            "describe them with --task 'detection:...' (docs/detection.md)",
            code="detection-does-not-fit",
        ) from error
    unit = _unit(how)
    rows = []
    for index in range(len(boxes)):
        factor = None if objectness is None else objectness[index]
        found = (boxes[index], scores[index], *(() if factor is None else (factor,)))
        if all(np.isfinite(part).all() for part in found):
            rows.append(_one(boxes[index], scores[index], factor, how, cells, unit))
        else:
            rows.append(np.full((1, FOUND), np.nan))
    return padded(rows, FOUND)


def _parts(outputs: Sequence[Array], how: Detection) -> tuple[Floats, Floats | None, Floats, Cells | None]:
    """Return boxes, objectness, scores and the cells that boxes are relative to; raise `ValueError` if they differ."""
    boxes, objectness, scores = (joined(outputs, how, what) for what in ("boxes", "objectness", "scores"))
    if boxes is None or scores is None:
        raise ValueError("no output holds boxes, or none scores")
    counts = {part.shape[1] for part in (boxes, objectness, scores) if part is not None}
    cells = cells_of(how)
    if cells is not None:
        counts.add(len(cells.centres))
    if len(counts) > 1:
        raise ValueError(f"there are {', '.join(map(str, sorted(counts)))} boxes, scores and cells, expected as many")
    if scores.shape[2] != how.columns:
        raise ValueError(f"a box has {scores.shape[2]} scores, expected {how.columns}")
    if boxes.shape[2] < 4 or boxes.shape[2] % 4 or (how.boxes != "dfl" and boxes.shape[2] != 4):
        expected = "four times its bins" if how.boxes == "dfl" else "4"
        raise ValueError(f"a box has {boxes.shape[2]} numbers, expected {expected}")
    return boxes, objectness, scores, cells


def _one(
    raw: Floats, scores: Floats, objectness: Floats | None, how: Detection, cells: Cells | None, unit: Floats
) -> Floats:
    chances = probabilities(scores, how)
    if objectness is not None:
        chances = chances * (objectness if how.scores == "plain" else sigmoid(objectness))
    place, label = np.nonzero(chances >= max(how.threshold, 1e-12))
    score = chances[place, label]
    if len(score) > MOST_CANDIDATES:
        best = np.argsort(-score, kind="stable")[:MOST_CANDIDATES]
        place, label, score = place[best], label[best], score[best]
    used, where = np.unique(place, return_inverse=True)
    own = None if cells is None else Cells(cells.centres[used], cells.strides[used], cells.anchors[used])
    measure = Coordinates(own.strides if own is not None and how.units == "strides" else unit, how.variances)
    corners = FORMS[how.boxes].decode(raw[used], own, measure)[where.ravel()]
    corners = corners / np.array([how.width, how.height] * 2)
    kept = suppress(corners, score, label.astype(np.int64), how.overlap, how.most)
    return np.column_stack([label[kept], score[kept], np.clip(corners[kept], 0.0, 1.0)]).reshape(-1, FOUND)


def probabilities(scores: Floats, how: Detection) -> Floats:
    """Return the probabilities of the classes, (n, classes), without the background.

    Args:
        scores: (n, columns).
        how: they are meant.
    """
    if how.scores == "sigmoid":
        scores = sigmoid(scores)
    elif how.scores == "softmax":
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        scores = scores / scores.sum(axis=1, keepdims=True)
    if how.background == "none":
        return scores
    return scores[:, 1:] if how.background == "first" else scores[:, :-1]


def joined(outputs: Sequence[Array], how: Detection, what: str) -> Floats | None:
    """Return boxes, objectness or scores of all outputs, (n, boxes, channels); None if there are none.

    Outputs of several scales follow each other, the finest grid first.
    """
    found = []
    for output, part in zip(outputs, how.parts, strict=True):
        if what in part.holds:
            rows = rows_of(output, part)
            start = sum(_width(other, rows, part, how) for other in part.holds[: part.holds.index(what)])
            found.append(rows[..., start : start + _width(what, rows, part, how)])
    if not found:
        return None
    return np.concatenate(sorted(found, key=lambda rows: -rows.shape[1]), axis=1)


def rows_of(output: Array, part: Part) -> Floats:
    """Return an output as (n, boxes, channels of a box): its positions row by row, and the anchors of each."""
    values = np.asarray(output, np.float64)
    if part.axis == "first":
        values = np.moveaxis(values, 1, -1)
    if part.anchors > 1 and values.ndim == 5 and values.shape[1] == part.anchors:
        values = np.moveaxis(values, 1, 3)
        return values.reshape(len(values), -1, values.shape[-1])
    return values.reshape(len(values), -1, values.shape[-1] // _stacked(part, values.ndim))


def _stacked(part: Part, axes: int) -> int:
    """Return how many anchors stand behind each other in the channels; a flat list of boxes has none there."""
    return part.anchors if axes == 4 else 1


def _width(what: str, rows: Floats, part: Part, how: Detection) -> int:
    fixed = {"objectness": 1, "scores": how.columns}
    if what in fixed:
        return fixed[what]
    return int(rows.shape[-1]) - sum(fixed[other] for other in part.holds if other in fixed)


def cells_of(how: Detection) -> Cells | None:
    """Return the cells that boxes are relative to, row by row and scale by scale; None of a form without any."""
    if not FORMS[how.boxes].cells:
        return None
    centres, strides, anchors = [], [], []
    for index, (stride, (rows, columns)) in enumerate(zip(how.strides, how.grids, strict=True)):
        own = np.array(how.anchors[index] if how.anchors else [(stride, stride)], np.float64)
        y, x = np.divmod(np.arange(rows * columns), columns)
        centres.append(np.repeat((np.column_stack([x, y]) + 0.5) * stride, len(own), axis=0))
        strides.append(np.full((rows * columns * len(own), 1), float(stride)))
        anchors.append(np.tile(own, (rows * columns, 1)))
    return Cells(np.concatenate(centres), np.concatenate(strides), np.concatenate(anchors))


def _unit(how: Detection) -> Floats:
    return np.array([how.width, how.height] if how.units == "normalised" else [1, 1], np.float64)
