"""YOLO's folders of boxes: a text file of labels for each image; nothing outside of the folder is read."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from edgekit.data.sources.boxes import Boxes, Labelled, arranged
from edgekit.data.sources.image_files import ImageFile, Scan
from edgekit.data.sources.raw import Raw
from edgekit.data.sources.spec import Request
from edgekit.data.sources.yolo_yaml import DataFile, read_data_file, read_names
from edgekit.errors import InputError
from edgekit.errors.printable import clipped
from edgekit.files.opening import brief, inside, is_file, is_folder, kind, open_file, plain
from edgekit.tasks.detection.boxes import TRUTH

LARGEST_LABELS = 4 << 20
"""Bytes of the labels of an image."""
SLACK = 1e-6
"""By which a number may be outside of 0 to 1, as rounding makes it."""
YAML = ("data.yaml", "data.yml", "dataset.yaml")
CLASSES = ("classes.txt", "obj.names", "labels/classes.txt")
_TRAIN, _TEST = ("train",), ("test", "val", "valid", "validation")


def takes(request: Request) -> bool:
    """Return whether it is a `.yaml` file, or a folder with labels (see `registry.Source`)."""
    if request.there != "a folder":
        return request.path.suffix.lower() in (".yaml", ".yml")
    pairs = any(kind(request.path / p / "labels") and kind(request.path / p / "images") for p in ("", "train"))
    return pairs or any(kind(request.path / name) for name in YAML)


def raw(request: Request) -> Raw:
    """Return images as uint8 and their boxes.

    Args:
        request: a `data.yaml`, or a folder: with `images` and `labels`, either with `train` and `val` in them or not,
            or with `train/images` and `train/labels`. Its options: `size`, height and width; `fit`, one
            of `FITS`.

    Raises:
        InputError: there are no images or labels, or a label is not as it should be; said with file and line.
        MissingExtraError: Pillow is not installed.
        OutputError: the cache cannot be written.
    """
    request.spec.allow("size", "fit")
    path = request.path
    folder = path if is_folder(path) else path.parent
    described = _described(path, folder)
    found = _Folder(folder, described)
    return arranged(request, folder, found.train(), found.test())


def _described(path: Path, folder: Path) -> DataFile:
    if not is_folder(path):
        return read_data_file(path)
    file = next((folder / name for name in YAML if kind(folder / name)), None)
    if file is not None:
        return read_data_file(file, folder)
    names = next((folder / name for name in CLASSES if kind(folder / name)), None)
    if names is not None:
        return DataFile(names, read_names(names, folder), {})
    raise InputError(
        f"{brief(folder)}: has YOLO's labels, and nothing that names their classes",
        "add a data.yaml with `names`, or a classes.txt with a name a line",
        code="class-names-missing",
    )


@dataclass(frozen=True)
class _Folder:
    folder: Path
    described: DataFile

    def train(self) -> Labelled:
        """Return the training part; the only one there is."""
        images = self._images(_TRAIN) or self._listed(self.folder / "images")
        if not images:
            raise InputError(
                f"{brief(self.folder)}: holds no images for YOLO's labels",
                "expected images/train and labels/train, train/images and train/labels, or images and labels",
                code="data-not-found",
            )
        return self._labelled(images)

    def test(self) -> Labelled | None:
        """Return the first test or validation part that has labels; None without."""
        for name in _TEST:
            images = self._images((name,))
            if images and any(self._label_file(image) is not None for image in images):
                part = self._labelled(images)
                note = f"{brief(self.folder)}: {name} is taken for the test"
                return Labelled(part.images, part.boxes, part.class_names, (note, *part.notes))
        return None

    def _images(self, names: tuple[str, ...]) -> list[ImageFile]:
        """Return the images of a part: where the description says, else where such folders have it."""
        for name in names:
            said = self.described.parts.get(name)
            if said is not None:
                return self._listed(self._place(said))
            for place in (self.folder / "images" / name, self.folder / name / "images"):
                if is_folder(place):
                    return self._listed(place)
        return []

    def _place(self, said: str) -> Path:
        """Return a folder that the description names, inside its own."""
        above = PurePosixPath(self.described.root) / said
        for typed in (above, PurePosixPath(said)):
            parts = [part for part in typed.parts if part not in (".", "/")]
            while parts and parts[0] == "..":  # exports of Roboflow begin with it, and mean the file's own folder
                parts = parts[1:]
            place = self.folder.joinpath(*parts)
            if not typed.is_absolute() and ".." not in parts and is_folder(place):
                return inside(place, self.folder)
        raise InputError(
            f"{brief(self.described.path)}: names the folder `{plain(clipped(said))}`, which is not in "
            f"`{brief(self.folder)}`",
            "edgekit reads nothing outside of that folder: put data.yaml beside the images, with paths relative to it",
            code="image-outside-folder",
        )

    def _listed(self, place: Path) -> list[ImageFile]:
        return Scan(self.folder).images(place, -1) if is_folder(place) else []

    def _label_file(self, image: ImageFile) -> Path | None:
        """Return the labels of an image: in `labels` where it is in `images`, else beside it."""
        path = Path(self.folder / image.name)
        parts = list(path.relative_to(self.folder).parts)
        where = [index for index, part in enumerate(parts[:-1]) if part == "images"]
        if where:
            parts[where[-1]] = "labels"
        file = self.folder.joinpath(*parts).with_suffix(".txt")
        return file if is_file(file) else None

    def _labelled(self, images: list[ImageFile]) -> Labelled:
        files = [self._label_file(image) for image in images]
        without = sum(file is None for file in files)
        notes = [f"{brief(self.folder)}: {without:,} of {len(images):,} images have no file of labels: they are empty"]
        boxes = [np.zeros((0, TRUTH)) if file is None else self._boxes(file) for file in files]
        return Labelled(images, boxes, self.described.names, tuple(notes if without else ()))

    def _boxes(self, file: Path) -> Boxes:
        with open_file(file, self.folder) as stream:
            content = stream.read(LARGEST_LABELS + 1)
            if len(content) > LARGEST_LABELS or os.fstat(stream.fileno()).st_size > LARGEST_LABELS:
                raise self._wrong(file, f"is larger than {LARGEST_LABELS >> 20} MiB, too large for labels")
        rows = []
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
            if line.strip():
                rows.append(self._box(file, number, line.split()))
        return np.array(rows, np.float64).reshape(-1, TRUTH)

    def _box(self, file: Path, number: int, cells: list[str]) -> tuple[float, ...]:
        where = f"line {number}"
        if len(cells) != 5:
            raise self._wrong(file, f"{where} has {len(cells)} columns, expected 5: class, x, y, width, height")
        try:
            label, x, y, w, h = map(float, cells)
        except ValueError:
            raise self._wrong(file, f"{where} holds `{plain(clipped(' '.join(cells)))}`, expected numbers") from None
        count = len(self.described.names)
        if not (math.isfinite(label) and label == int(label) and 0 <= label < count):
            raise self._wrong(file, f"{where} is of class {plain(clipped(cells[0]))}, expected 0 to {count - 1}")
        if not all(math.isfinite(v) and -SLACK <= v <= 1 + SLACK for v in (x, y, w, h)):
            raise self._wrong(file, f"{where} has the box {plain(clipped(' '.join(cells[1:])))}, not within 0 to 1")
        low_x, low_y, high_x, high_y = (min(max(v, 0.0), 1.0) for v in (x - w / 2, y - h / 2, x + w / 2, y + h / 2))
        if high_x <= low_x or high_y <= low_y:
            raise self._wrong(file, f"{where} has the box {plain(clipped(' '.join(cells[1:])))}, without area")
        return (label, low_x, low_y, high_x, high_y, 0.0)

    def _wrong(self, file: Path, why: str) -> InputError:
        return InputError(
            f"{brief(file)}: {why}",
            "a box is its class, and its centre, width and height as shares of the image's sides",
            code="boxes-invalid",
        )
