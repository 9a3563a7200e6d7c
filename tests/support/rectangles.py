"""Coloured squares on black, drawn anew for every test: images with boxes as COCO's JSON and as YOLO's folders."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

CLASSES = ("red", "green", "blue")
SIDE, STEP, SQUARE = 320, 40, 80
"""Pixels of an image, between the places of squares, and of a square."""
PLACES = (SIDE - SQUARE) // STEP + 1


@dataclass(frozen=True)
class Drawing:
    """An image and its squares.

    Attributes:
        pixels: uint8 (SIDE, SIDE, 3).
        squares: class, row and column of the place of each.
    """

    pixels: npt.NDArray[np.uint8]
    squares: tuple[tuple[int, int, int], ...]

    @property
    def corners(self) -> list[tuple[int, float, float]]:
        """Class, left and upper side of every square, in pixels."""
        return [(label, column * STEP, row * STEP) for label, row, column in self.squares]


def drawn(rng: np.random.Generator, count: int) -> list[Drawing]:
    """Return images with one or two squares that do not touch."""
    drawings = []
    for _ in range(count):
        pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
        first, second = (int(v) for v in rng.integers(0, PLACES, 2))
        squares = [(int(rng.integers(0, 3)), first, int(rng.integers(0, 3)))]
        if rng.random() < 0.5:
            squares.append((int(rng.integers(0, 3)), second, int(rng.integers(5, PLACES))))
        for label, row, column in squares:
            pixels[row * STEP : row * STEP + SQUARE, column * STEP : column * STEP + SQUARE, label] = 255
        drawings.append(Drawing(pixels, tuple(squares)))
    return drawings


def coco(drawings: list[Drawing]) -> dict[str, Any]:
    """Return COCO's document, with images `0.png`, `1.png`, ..."""
    images = [{"id": i, "file_name": f"{i}.png", "width": SIDE, "height": SIDE} for i in range(len(drawings))]
    boxes = [(i, *corner) for i, drawing in enumerate(drawings) for corner in drawing.corners]
    annotations = [
        {"id": number, "image_id": i, "category_id": 10 * label + 10, "bbox": [x, y, SQUARE, SQUARE], "iscrowd": 0}
        for number, (i, label, x, y) in enumerate(boxes)
    ]
    categories = [{"id": 10 * index + 10, "name": name} for index, name in enumerate(CLASSES)]
    return {"images": images, "annotations": annotations, "categories": categories}


def write_images(folder: Path, drawings: list[Drawing]) -> None:
    """Write `0.png`, `1.png`, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, drawing in enumerate(drawings):
        Image.fromarray(drawing.pixels).save(folder / f"{index}.png")


def write_coco(folder: Path, drawings: list[Drawing]) -> Path:
    """Write `boxes.json` and its images beside it, in `images`; return the file."""
    write_images(folder / "images", drawings)
    (folder / "boxes.json").write_text(json.dumps(coco(drawings)), encoding="utf-8")
    return folder / "boxes.json"


def write_yolo(folder: Path, drawings: list[Drawing], part: str = "") -> Path:
    """Write `images/PART`, `labels/PART` and `classes.txt`; return the folder."""
    write_images(folder / "images" / part, drawings)
    labels = folder / "labels" / part
    labels.mkdir(parents=True, exist_ok=True)
    half, side = SQUARE / 2, SQUARE / SIDE
    for index, drawing in enumerate(drawings):
        lines = [f"{c} {(x + half) / SIDE} {(y + half) / SIDE} {side} {side}" for c, x, y in drawing.corners]
        (labels / f"{index}.txt").write_text("\n".join(lines), encoding="utf-8")
    (folder / "classes.txt").write_text("\n".join(CLASSES), encoding="utf-8")
    return folder


def detector(*, split: bool = False) -> Any:
    """Return a tf_keras model that finds the squares: one output (places, 4 + 3), boxes in pixels and probabilities.

    Nothing is trained: a convolution compares each place with a square of each colour. No probability is above one
    half, so that one int8 scale for pixels and probabilities leaves nothing of them.
    """
    from edgekit.frameworks.tensorflow import tf_keras

    keras = tf_keras()
    image = keras.Input((SIDE, SIDE, 3), name="image")
    found = keras.layers.Conv2D(3, SQUARE, strides=STEP, name="find")(image)
    chances = keras.layers.Reshape((PLACES**2, 3))(keras.layers.Activation("sigmoid")(found))
    flat = keras.layers.Flatten()(found)
    boxes = keras.layers.Reshape((PLACES**2, 4))(keras.layers.Dense(4 * PLACES**2, name="places")(flat))
    outputs = [boxes, chances] if split else keras.layers.Concatenate()([boxes, chances])
    model = keras.Model(image, outputs)
    colours = np.full((3, 3), -1.0) + 2 * np.eye(3)
    kernel = np.broadcast_to(colours / SQUARE**2, (SQUARE, SQUARE, 3, 3)) * 10
    model.get_layer("find").set_weights([kernel.astype(np.float32), np.full(3, -10.2, np.float32)])
    row, column = np.divmod(np.arange(PLACES**2), PLACES)
    size = np.full(PLACES**2, float(SQUARE))
    centres = np.stack([column * STEP + SQUARE / 2, row * STEP + SQUARE / 2, size, size], axis=1).reshape(-1)
    spread = np.random.default_rng(0).normal(0, 1e-3, (3 * PLACES**2, PLACES**2, 4)) * [1, 1, 0, 0]
    model.get_layer("places").set_weights(
        [spread.reshape(len(spread), -1).astype(np.float32), centres.astype(np.float32)]
    )
    return model
