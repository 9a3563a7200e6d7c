"""How a detector writes its boxes: one function a form. A new form is a function here and a line in `FORMS`.

A form that is relative to the cells of a grid needs strides, and one that scales anchors needs these, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from edgekit.tasks.detection.boxes import Floats

MOST_EXPONENT = math.log(1000 / 16)
"""Of a side's logarithm; the limit of torchvision's `BoxCoder`."""


@dataclass(frozen=True)
class Cells:
    """What boxes are relative to, one row a box, in pixels of the model's input.

    Attributes:
        centres: x, y, (n, 2).
        strides: between two cells, (n, 1).
        anchors: width, height, (n, 2); of a grid without anchors the stride.
    """

    centres: Floats
    strides: Floats
    anchors: Floats


@dataclass(frozen=True)
class Coordinates:
    """What the numbers of boxes are measured in.

    Attributes:
        unit: pixels that 1 stands for, in x and y; (2,), or one a box (n, 1).
        variances: of `deltas`.
    """

    unit: Floats
    variances: tuple[float, ...]


Decode = Callable[[Floats, Cells | None, Coordinates], Floats]
"""From the columns of boxes (n, 4 or more) to x1, y1, x2, y2 in pixels (n, 4)."""


@dataclass(frozen=True)
class Form:
    """A form of boxes.

    Attributes:
        holds: what the four numbers are.
        decode: the function.
        cells, anchors: whether it is relative to cells, and to anchors.
        source: whose form it is.
    """

    holds: str
    decode: Decode
    cells: bool = False
    anchors: bool = False
    source: str = ""


def _cornered(centre: Floats, size: Floats) -> Floats:
    return np.concatenate([centre - size / 2, centre + size / 2], axis=1)


def _xywh(t: Floats, cells: Cells | None, how: Coordinates) -> Floats:
    return _cornered(t[:, :2] * how.unit, t[:, 2:] * how.unit)


def _xyxy(t: Floats, cells: Cells | None, how: Coordinates) -> Floats:
    return np.concatenate([t[:, :2] * how.unit, t[:, 2:] * how.unit], axis=1)


def _yxyx(t: Floats, cells: Cells | None, how: Coordinates) -> Floats:
    return _xyxy(t[:, [1, 0, 3, 2]], cells, how)


def _ltrb(t: Floats, cells: Cells | None, how: Coordinates) -> Floats:
    assert cells is not None
    return np.concatenate([cells.centres - t[:, :2] * how.unit, cells.centres + t[:, 2:] * how.unit], axis=1)


def _dfl(t: Floats, cells: Cells | None, how: Coordinates) -> Floats:
    """Take the expected distances: a softmax over the bins of each side (Li et al. 2020, arXiv 2006.04388)."""
    bins = t.reshape(len(t), 4, -1)
    shares = np.exp(bins - bins.max(axis=2, keepdims=True))
    distances = (shares * np.arange(bins.shape[2])).sum(axis=2) / shares.sum(axis=2)
    return _ltrb(distances, cells, how)


def _deltas(t: Floats, cells: Cells | None, how: Coordinates) -> Floats:
    """Offsets and log sizes, relative to anchors (Liu et al. 2016, arXiv 1512.02325)."""
    assert cells is not None
    t = t * np.array(how.variances)
    size = cells.anchors * np.exp(np.minimum(t[:, 2:], MOST_EXPONENT))
    return _cornered(cells.centres + t[:, :2] * cells.anchors, size)


def _yolo3(t: Floats, cells: Cells | None, how: Coordinates) -> Floats:
    """Redmon and Farhadi 2018, arXiv 1804.02767."""
    assert cells is not None
    centre = cells.centres + (sigmoid(t[:, :2]) - 0.5) * cells.strides
    return _cornered(centre, cells.anchors * np.exp(np.minimum(t[:, 2:], MOST_EXPONENT)))


def _yolo5(t: Floats, cells: Cells | None, how: Coordinates) -> Floats:
    """As Ultralytics' `Detect` of YOLOv5, and YOLOv7."""
    assert cells is not None
    centre = cells.centres + (2 * sigmoid(t[:, :2]) - 1) * cells.strides
    return _cornered(centre, cells.anchors * (2 * sigmoid(t[:, 2:])) ** 2)


def _yolox(t: Floats, cells: Cells | None, how: Coordinates) -> Floats:
    """Ge et al. 2021, arXiv 2107.08430: offsets from the cell's corner, and log sizes, in strides."""
    assert cells is not None
    size = cells.strides * np.exp(np.minimum(t[:, 2:], MOST_EXPONENT))
    return _cornered(cells.centres + (t[:, :2] - 0.5) * cells.strides, size)


def sigmoid(x: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)), without overflow."""
    found: Floats = 0.5 * (1 + np.tanh(0.5 * x))
    return found


FORMS: Mapping[str, Form] = {
    "xywh": Form("centre, width and height", _xywh, source="Ultralytics' exports"),
    "xyxy": Form("two corners", _xyxy),
    "yxyx": Form("two corners, y before x", _yxyx, source="TensorFlow's object detection"),
    "ltrb": Form("distances from the cell's centre to the sides", _ltrb, cells=True, source="FCOS, NanoDet"),
    "dfl": Form("distributions of such distances over bins", _dfl, cells=True, source="YOLOv8 to YOLO11, raw"),
    "deltas": Form("offsets and log sizes, of anchors", _deltas, cells=True, anchors=True, source="SSD, RetinaNet"),
    "yolo3": Form("offsets in the cell, log sizes of anchors", _yolo3, cells=True, anchors=True, source="YOLOv3, v4"),
    "yolo5": Form("offsets in the cell, sizes of anchors", _yolo5, cells=True, anchors=True, source="YOLOv5, YOLOv7"),
    "yolox": Form("offsets in the cell and log sizes, in strides", _yolox, cells=True, source="YOLOX"),
}
DECODED = ("xywh", "xyxy", "yxyx")
"""Forms that stand for themselves."""
