"""One image file to bytes of one shape, whatever its mode, size and orientation."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from edgekit.errors import MissingExtraError
from edgekit.files.opening import open_file
from edgekit.tasks.samples import Array

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
"""What a file may be by its content. Pillow reads more, some of it with the help of other programs."""
MOST_BYTES = 256 << 20
"""Of an image file: all of it may have to be in the memory."""
LARGE_PIXELS = 16 << 20
"""Images with more are decoded one at a time."""
_GREY_MODES = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_TURNED = range(5, 9)
"""EXIF orientations in which width and height change places."""
_ORIENTATION = 0x0112
_TURNS = (
    "FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90",
)  # fmt: skip
"""What undoes the EXIF orientations from 2 on."""
FITS = ("stretch", "letterbox", "corner")
"""How an image comes to the size asked for: its sides each by themselves; or in proportion, padded on both sides, as
Ultralytics does, or below and to the right, as YOLOX does."""
PADDING = 114
"""Of all channels: what both pad with."""
_one_large = Lock()


@dataclass(frozen=True)
class Place:
    """Where an image lies in the one of the size asked for; pixels."""

    left: int
    top: int
    width: int
    height: int


def padded_note(source: str, fit: str) -> tuple[str, ...]:
    """Return what users should know who feed the file themselves."""
    if fit == FITS[0]:
        return ()
    where = "on both sides" if fit == "letterbox" else "below and to the right"
    return (f"{source}: images keep their proportions and are padded {where} with {PADDING}: feed files likewise",)


def placed(height: int, width: int, shape: tuple[int, ...], fit: str) -> Place:
    """Return where an image of a height and width lies in one of `shape`, (height, width, channels)."""
    if fit == "stretch":
        return Place(0, 0, shape[1], shape[0])
    ratio = min(shape[0] / height, shape[1] / width)
    wide, high = (max(1, (round if fit == "letterbox" else int)(side * ratio)) for side in (width, height))
    left, top = ((shape[1] - wide) // 2, (shape[0] - high) // 2) if fit == "letterbox" else (0, 0)
    return Place(left, top, wide, high)


def pillow() -> Any:
    """Import Pillow.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        # Only the readers of FORMATS: asked for one that it has not loaded, Pillow loads all that it has.
        from PIL import (  # noqa: F401
            BmpImagePlugin,
            GifImagePlugin,
            Image,
            JpegImagePlugin,
            PngImagePlugin,
            WebPImagePlugin,
        )
    except ImportError as error:
        raise MissingExtraError("reading a folder of images", "compress", str(error)) from error
    return Image


@contextmanager
def strict() -> Iterator[None]:
    """Make an image of more pixels than Pillow's limit an error, and keep its other warnings to itself."""
    image = pillow()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", image.DecompressionBombWarning)
        yield


def look(path: str) -> tuple[int, int, int]:
    """Return height, width and channels (1 or 3) of an image, as its orientation says, without decoding it.

    Raises whatever Pillow raises for a file that is no image; to be called inside `strict`.
    """
    with _opened(path) as image:
        width, height = image.size
        if _orientation(image) in _TURNED:
            width, height = height, width
        return height, width, 1 if image.mode in _GREY_MODES else 3


def decode(path: str, shape: tuple[int, int, int], fit: str) -> Array:
    """Return an image as uint8, shape (height, width, 1 or 3).

    It is turned as its EXIF data say and resized bilinearly with antialiasing, as one of `FITS`. An alpha channel is
    dropped, as Keras does when it reads images; 16-bit grey loses its lower byte; of animations the first frame is
    taken.

    Raises whatever Pillow raises for a file that is no image or is damaged; to be called inside `strict`.
    """
    image_module = pillow()
    channels = shape[2]
    with _opened(path) as opened, _one_large if _pixels(opened) > LARGE_PIXELS else nullcontext():
        image = _eight_bits(_turned(opened, image_module), image_module)
        if image.mode == "P" and "transparency" in image.info:
            image = image.convert("RGBA")
        image = image.convert("L" if channels == 1 else "RGB")
        place = placed(image.height, image.width, shape, fit)
        if image.size != (place.width, place.height):
            image = image.resize((place.width, place.height), image_module.Resampling.BILINEAR)
        pixels = np.asarray(image, np.uint8).reshape(place.height, place.width, channels)
        if pixels.shape == shape:
            return pixels
        whole = np.full(shape, PADDING, np.uint8)
        whole[place.top : place.top + place.height, place.left : place.left + place.width] = pixels
        return whole


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    """Open a file as one of `FORMATS`, by its content; no link is followed, and nothing is waited for."""
    with open_file(Path(path), follow=False) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > MOST_BYTES:
            raise ValueError(f"{size >> 20:,} MiB, more than {MOST_BYTES >> 20}")
        with pillow().open(stream, formats=FORMATS) as image:
            yield image


def _pixels(image: Any) -> int:
    return int(image.size[0]) * int(image.size[1])


def _orientation(image: Any) -> int:
    """Return the EXIF orientation, 1 to 8; 1 where there is none, or nonsense."""
    value = image.getexif().get(_ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _turned(image: Any, image_module: Any) -> Any:
    image.load()
    orientation = _orientation(image)
    if orientation == 1:
        return image
    return image.transpose(image_module.Transpose[_TURNS[orientation - 2]])


def _eight_bits(image: Any, image_module: Any) -> Any:
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image).astype(np.int64)
    return image_module.fromarray(np.clip(values >> 8, 0, 255).astype(np.uint8))
