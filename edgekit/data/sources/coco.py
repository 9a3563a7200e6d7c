"""COCO's JSON of boxes, with the images that it names in a folder; nothing outside of that folder is read."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np

from edgekit.data.sources.boxes import Boxes, Labelled, arranged
from edgekit.data.sources.image_files import ImageFile
from edgekit.data.sources.raw import Raw
from edgekit.data.sources.spec import Request
from edgekit.errors import InputError
from edgekit.errors.printable import clipped
from edgekit.files.opening import brief, inside, is_file, is_folder, kind, open_file, plain
from edgekit.schema.types import JsonMapping, JsonValue
from edgekit.tasks.detection.boxes import TRUTH

LARGEST_FILE = 512 << 20
"""Bytes of JSON, which may take ten times as much memory: that of COCO's training part has 448 MiB."""
MOST_SIDE = 1 << 16
MOST_CATEGORIES = 10_000
SLACK = 1.0
"""Pixels by which a box may reach beyond its image, as rounding makes boxes do."""
_BESIDE = "_annotations.coco.json"
_TEST = ("test", "valid", "val")
_T = TypeVar("_T")


def takes(request: Request) -> bool:
    """Return whether it is a `.json` file, or a folder with such annotations (see `registry.Source`)."""
    if request.there == "a folder":
        return bool(kind(request.path / "train" / _BESIDE)) or _instances(request.path, "train") is not None
    return request.path.suffix.lower() == ".json"


def raw(request: Request) -> Raw:
    """Return images as uint8 and their boxes.

    Args:
        request: a file of annotations; or a folder with `annotations/instances_train*.json` and `instances_val*.json`,
            or with `train/_annotations.coco.json`. Options: `images`, the folder of the images; `test`, a second file;
            `ids=1`: classes are numbered as the categories are, from 1, for models that leave numbers out as COCO does;
            `size`, height and width; `fit`, one of `FITS`.

    Raises:
        InputError: a file is no such JSON, holds what cannot be, or images are missing or outside of the folder.
        MissingExtraError: Pillow is not installed.
        OutputError: the cache cannot be written.
    """
    request.spec.allow("images", "test", "ids", "size", "fit")
    numbered = request.spec.options.get("ids", "0") not in ("0", "")
    options = request.spec.options
    train, test = _files(request.path, options)
    root = request.path if is_folder(request.path) else None
    first = _File(train, root, options.get("images"), numbered)
    second = None if test is None else _File(test, root, options.get("images"), numbered)
    if second is not None and dict(second.categories) != dict(first.categories):
        odd = [name for key, name in second.categories if dict(first.categories).get(key) != name]
        raise InputError(
            f"{brief(second.path)}: has other categories than `{first.path.name}`: {plain(', '.join(odd[:5]))}",
            "expected the same ids and names in both files",
            code="classes-differ",
        )
    folder = first.folder if second is None else Path(os.path.commonpath([first.folder, second.folder]))
    return arranged(request, folder, first.labelled(), None if second is None else second.labelled())


def _files(path: Path, options: Mapping[str, str]) -> tuple[Path, Path | None]:
    """Return the files of the training and the test part."""
    if not is_folder(path):
        return path, path.parent / options["test"] if "test" in options else None
    train = path / "train" / _BESIDE
    if kind(train):
        return train, next((path / name / _BESIDE for name in _TEST if kind(path / name / _BESIDE)), None)
    found = _instances(path, "train")
    assert found is not None
    return found, _instances(path, "val")


def _instances(folder: Path, part: str) -> Path | None:
    annotations = folder / "annotations"
    return min(annotations.glob(f"instances_{part}*.json"), default=None) if is_folder(annotations) else None


@dataclass(frozen=True)
class _Image:
    name: str
    width: int
    height: int


class _File:
    """A file of annotations."""

    def __init__(self, path: Path, root: Path | None, images: str | None, numbered: bool) -> None:
        self.path, self._root, self._source = path, root, brief(path)
        document = _document(path, root)
        self.categories = self._read_categories(document)
        self._images = self._read_images(document)
        self.folder = self._find_folder(images)
        self._classes = {key: index for index, (key, _) in enumerate(self.categories)}
        self._names = tuple(name for _, name in self.categories)
        if numbered:
            self._number()
        self._boxes, self._notes = self._read_boxes(document)

    def labelled(self) -> Labelled:
        """Return the images, with their boxes."""
        files = self._files()
        return Labelled(files, [self._boxes[key] for key in self._images], self._names, self._notes)

    def _entries(self, document: JsonMapping, key: str, needed: Sequence[str]) -> list[JsonMapping]:
        entries = document.get(key)
        if not isinstance(entries, list) or (key != "annotations" and not entries):
            raise self._not_coco(f"has no list `{key}`")
        for index, entry in enumerate(entries):
            lacking = "a table" if not isinstance(entry, dict) else next((n for n in needed if n not in entry), "")
            if lacking:
                raise self._not_coco(f"`{key}[{index}]` has no `{lacking}`" if isinstance(entry, dict)
                                     else f"`{key}[{index}]` is no table")  # fmt: skip
        return entries

    def _read_categories(self, document: JsonMapping) -> list[tuple[Hashable, str]]:
        entries = self._entries(document, "categories", ("id", "name"))
        if len(entries) > MOST_CATEGORIES:
            raise InputError(
                f"{self._source}: has {len(entries):,} categories, expected up to {MOST_CATEGORIES:,}",
                "leave out those without boxes",
                code="too-many-classes",
            )
        self._once("categories", (entry["id"] for entry in entries))
        named = [(_id(entry["id"]), str(entry["name"])) for entry in entries]
        return sorted(named, key=lambda one: (isinstance(one[0], str), one[0]))

    def _read_images(self, document: JsonMapping) -> dict[Hashable, _Image]:
        entries = self._entries(document, "images", ("id", "file_name", "width", "height"))
        self._once("images", (entry["id"] for entry in entries))
        found: dict[Hashable, _Image] = {}
        for entry in entries:
            name, sides = entry["file_name"], (entry["width"], entry["height"])
            if not isinstance(name, str) or not name or "\0" in name:
                raise self._not_coco(f"image {_shown(entry['id'])} has the `file_name` {_shown(name)}, expected a text")
            if not all(type(side) is int and 0 < side <= MOST_SIDE for side in sides):
                raise self._not_coco(f"image {_shown(entry['id'])} has `width` and `height` {_shown(list(sides))}")
            parts = PurePosixPath(name).parts
            if name.startswith("/") or ".." in parts:
                raise InputError(
                    f"{self._source}: image {_shown(entry['id'])} is `{_shown(name)}`, outside of the images' folder",
                    "edgekit reads nothing outside the folder it is given: name images relative to it",
                    code="image-outside-folder",
                )
            found[_id(entry["id"])] = _Image(name, *sides)
        return found

    def _once(self, key: str, ids: Iterable[JsonValue]) -> None:
        listed = list(ids)
        odd = next((one for one in listed if type(one) not in (int, str)), None)
        if odd is not None:
            raise self._not_coco(f"`{key}` has the id {_shown(odd)}, expected an integer")
        twice = next((one for one, count in Counter(listed).items() if count > 1), None)
        if twice is not None:
            raise InputError(
                f"{self._source}: the id {_shown(twice)} stands {listed.count(twice)} times in `{key}`",
                "give each its own id: boxes are assigned by them",
                code="annotation-ids-clash",
            )

    def _number(self) -> None:
        """Let the category 1 be class 0, and so on; numbers that are left out are classes without boxes."""
        keys = [key for key, _ in self.categories]
        if not all(type(key) is int and 1 <= key <= MOST_CATEGORIES for key in keys):
            raise self._not_coco("has categories whose ids do not count from 1, which `ids=1` is for")
        names = {int(str(key)): name for key, name in self.categories}
        self._classes = {key: int(str(key)) - 1 for key in keys}
        self._names = tuple(names.get(number, f"({number})") for number in range(1, max(names) + 1))

    def _read_boxes(self, document: JsonMapping) -> tuple[dict[Hashable, Boxes], tuple[str, ...]]:
        entries = self._entries(document, "annotations", ("image_id", "category_id", "bbox"))
        self._once("annotations", (e["id"] for e in entries if "id" in e))
        rows: dict[Hashable, list[tuple[float, ...]]] = {key: [] for key in self._images}
        cut = empty = 0
        for index, entry in enumerate(entries):
            what = f"annotation {_shown(entry.get('id', index))}"
            image, label = _known(entry["image_id"], self._images), _known(entry["category_id"], self._classes)
            if image is None or label is None:
                key = "category_id" if image is not None else "image_id"
                raise InputError(
                    f"{self._source}: {what} has the `{key}` {_shown(entry[key])}, which `"
                    f"{'categories' if image is not None else 'images'}` does not have",
                    "add it there, or leave the annotation out",
                    code="annotation-unknown",
                )
            x, y, w, h = self._numbers(entry["bbox"], what)
            right, low = x + w, y + h
            if x < -SLACK or y < -SLACK or right > image.width + SLACK or low > image.height + SLACK:
                cut += 1
                if right <= 0 or low <= 0 or x >= image.width or y >= image.height:
                    raise self._bad(f"{what} has the box {_shown(entry['bbox'])}, outside of its image of "
                                    f"{image.width}x{image.height}")  # fmt: skip
            corners = [
                min(max(v / s, 0.0), 1.0)
                for v, s in zip((x, y, right, low), (image.width, image.height) * 2, strict=True)
            ]
            if corners[2] <= corners[0] or corners[3] <= corners[1]:
                empty += 1
                continue
            rows[_id(entry["image_id"])].append((label, *corners, float(bool(entry.get("iscrowd", 0)))))
        notes = [f"{self._source}: {cut:,} boxes reach beyond their image, and are cut"] * (cut > 0)
        notes += [f"{self._source}: {empty:,} boxes have no area, and are left out"] * (empty > 0)
        return {key: np.array(held, np.float64).reshape(-1, TRUTH) for key, held in rows.items()}, tuple(notes)

    def _numbers(self, box: JsonValue, what: str) -> tuple[float, float, float, float]:
        if not isinstance(box, list) or len(box) != 4 or not all(type(v) in (int, float) for v in box):
            raise self._bad(f"{what} has the `bbox` {_shown(box)}, expected four numbers")
        try:
            x, y, w, h = map(float, box)
        except OverflowError:
            x = y = w = h = math.inf
        if not all(map(math.isfinite, (x, y, w, h))):
            raise self._bad(f"{what} has the `bbox` {_shown(box)}, with a number that is not finite")
        if w < 0 or h < 0:
            raise self._bad(f"{what} has the `bbox` {_shown(box)}, with a negative width or height")
        return x, y, w, h

    def _find_folder(self, given: str | None) -> Path:
        """Return the folder that holds the first image."""
        beside = self.path.parent
        part = self.path.stem.removeprefix("instances_")
        above = beside.parent
        tried = (
            [beside / given]
            if given
            else [beside, beside / "images", above / part, above / "images" / part, above / "images"]
        )
        first = next(iter(self._images.values())).name
        for folder in tried:
            if is_folder(folder) and is_file(folder / first):
                return folder if given else inside(folder, self._root or above)
        where = ", ".join(f"`{brief(folder)}`" for folder in tried)
        raise InputError(
            f"{self._source}: its first image, `{_shown(first)}`, is not in {where}",
            f"name the folder of the images: --data '{plain(self.path.name)}?images=FOLDER'",
            code="images-missing",
        )

    def _files(self) -> list[ImageFile]:
        found, missing = [], []
        for image in self._images.values():
            path = self.folder / image.name
            if not is_file(path):
                missing.append(image.name)
                continue
            real = inside(path, self.folder)
            status = real.stat()
            found.append(ImageFile(str(real), image.name, status.st_size, (status.st_mtime_ns, status.st_ctime_ns), -1))
        if missing:
            raise InputError(
                f"{self._source}: {len(missing):,} of {len(self._images):,} images are not in `{brief(self.folder)}`: "
                f"{', '.join(_shown(name) for name in missing[:3])}{', ...' if len(missing) > 3 else ''}",
                "copy them there, or leave them out of the file",
                code="images-missing",
            )
        return found

    def _not_coco(self, why: str) -> InputError:
        return InputError(
            f"{self._source}: is no COCO file of boxes: {why}",
            "expected a table with the lists images, annotations and categories (docs/detection.md)",
            code="not-coco",
        )

    def _bad(self, why: str) -> InputError:
        hint = "a box is [x, y, width, height] in pixels, inside its image"
        return InputError(f"{self._source}: {why}", hint, code="boxes-invalid")


def _document(path: Path, root: Path | None) -> JsonMapping:
    with open_file(path, root) as stream:
        content = stream.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise InputError(
            f"{brief(path)}: is larger than {LARGEST_FILE >> 20} MiB",
            "leave segmentations out of the file, or take a part of the images",
            code="file-too-large",
        )
    try:
        document = json.loads(content)
    except RecursionError:
        raise InputError(f"{brief(path)}: is nested too deep for a COCO file", code="nested-too-deep") from None
    except ValueError as error:
        raise InputError(f"{brief(path)}: is not JSON: {plain(str(error))[:200]}", code="not-json") from error
    if not isinstance(document, dict):
        raise InputError(
            f"{brief(path)}: is no COCO file of boxes: it holds {type(document).__name__}, expected a table",
            "expected a table with the lists images, annotations and categories (docs/detection.md)",
            code="not-coco",
        )
    return document


def _id(value: JsonValue) -> int | str:
    return value if isinstance(value, int) else str(value)


def _known(value: JsonValue, held: Mapping[Hashable, _T]) -> _T | None:
    return held.get(value) if type(value) in (int, str) else None


def _shown(value: object) -> str:
    return plain(clipped(str(value)))
