"""Images with labelled boxes, whatever file the boxes come from: decoded, and the boxes as one array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgekit.data.sources.holdout import choose, said
from edgekit.data.sources.image_decode import FITS, padded_note, pillow, placed, strict
from edgekit.data.sources.image_files import Found, ImageFile
from edgekit.data.sources.images import Shape, common_shape, decoded, looked
from edgekit.data.sources.raw import Raw
from edgekit.data.sources.spec import Request
from edgekit.errors import InputError
from edgekit.files.opening import plain
from edgekit.tasks.detection.boxes import TRUTH, padded
from edgekit.tasks.samples import Array

MOST_BOXES_BYTES = 2 << 30
Boxes = npt.NDArray[np.float64]
"""Of an image: class, x1, y1, x2, y2, crowd, the corners as shares of its sides; (n, `TRUTH`)."""


@dataclass(frozen=True)
class Labelled:
    """A part of a data set.

    Attributes:
        images: in order.
        boxes: of each image.
        class_names: in the order of the classes.
        notes: what the user should know.
    """

    images: Sequence[ImageFile]
    boxes: Sequence[Boxes]
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def arranged(request: Request, folder: Path, train: Labelled, test: Labelled | None) -> Raw:
    """Return what a source of boxes holds, with a fixed random fifth as the test part if it has none.

    Args:
        request: its option `size`, height and width, goes before those of the model; `fit` is one of `FITS`.
        folder: that holds the images.
        train: the training part.
        test: the test part, whose classes are the same; None: there is none.

    Raises:
        InputError: there are no images or no boxes, images are damaged, or of different sizes and no size is known.
        MissingExtraError: Pillow is not installed.
        OutputError: the cache cannot be written.
    """
    size, fit = request.spec.size("size"), request.spec.choice("fit", FITS)
    source, notes = plain(request.path), [*train.notes, *(test.notes if test else ())]
    for part in (train, *([test] if test else ())):
        if not any(len(boxes) for boxes in part.boxes):
            raise InputError(
                f"{source}: none of {len(part.images):,} images has a labelled box",
                "check that labels and images have the same names (docs/detection.md)",
                code="boxes-missing",
            )
    held_out = test is None
    if test is None:
        count = len(train.images)
        chosen = choose(count, None, source)
        notes.append(said(len(chosen), count, source))
        kept = np.setdiff1d(np.arange(count), chosen)
        train, test = _rows(train, kept), _rows(train, chosen)
    pillow()
    with strict():
        found = Found(list(train.images), list(test.images), (), 0, ())
        shape = common_shape(found, source, request.sample_shape, size)
        x_train, x_test = (decoded(folder, part.images, shape, fit, request.progress) for part in (train, test))
        notes += padded_note(source, fit)
        if fit != FITS[0]:
            train, test = (_moved(part, shape, fit, source) for part in (train, test))
    y_train, y_test = _alike(train, test, source)
    return Raw(x_train, x_test, y_train, y_test, train.class_names, source, tuple(notes), held_out=held_out, boxes=True)


def _rows(part: Labelled, rows: Array) -> Labelled:
    return Labelled([part.images[i] for i in rows], [part.boxes[i] for i in rows], part.class_names)


def _moved(part: Labelled, shape: Shape, fit: str, source: str) -> Labelled:
    """Return a part whose boxes are shares of the padded images."""
    moved = []
    for (_, (height, width, _)), boxes in zip(looked(part.images, source), part.boxes, strict=True):
        place = placed(height, width, shape, fit)
        start, extent = np.array([place.left, place.top] * 2), np.array([place.width, place.height] * 2)
        corners = (boxes[:, 1:5] * extent + start) / np.array([shape[1], shape[0]] * 2)
        moved.append(np.concatenate([boxes[:, :1], corners, boxes[:, 5:]], axis=1))
    return replace(part, boxes=moved)


def _alike(train: Labelled, test: Labelled, source: str) -> tuple[Array, Array]:
    """Return the boxes of both parts as arrays with as many rows a sample."""
    most = max(len(boxes) for part in (train, test) for boxes in part.boxes)
    size = (len(train.images) + len(test.images)) * most * TRUTH * 4
    if size > MOST_BOXES_BYTES:
        raise InputError(
            f"{source}: an image has {most:,} boxes, so that the labels would take {size >> 20:,} MiB",
            f"expected up to {MOST_BOXES_BYTES >> 20:,} MiB: leave such images out",
            code="boxes-invalid",
        )
    filler = np.zeros((most, TRUTH))
    arrays = [padded([*part.boxes, filler], TRUTH)[:-1].astype(np.float32) for part in (train, test)]
    return arrays[0], arrays[1]
