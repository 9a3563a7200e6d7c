"""One image file to bytes of one shape, whatever its mode, size and orientation."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from edgekit.columns import Array
from edgekit.errors import MissingExtraError

_GREY_MODES = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_TURNED = range(5, 9)
"""EXIF orientations in which width and height change places."""
_ORIENTATION = 0x0112


def pillow() -> Any:
    """Import Pillow.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        from PIL import Image
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
    with pillow().open(path) as image:
        width, height = image.size
        if image.getexif().get(_ORIENTATION) in _TURNED:
            width, height = height, width
        return height, width, 1 if image.mode in _GREY_MODES else 3


def decode(path: str, shape: tuple[int, int, int]) -> Array:
    """Return an image as uint8, shape (height, width, 1 or 3).

    It is turned as its EXIF data say and resized bilinearly with antialiasing; its sides are not kept in proportion.
    An alpha channel is dropped, as Keras does when it reads images; 16-bit grey loses its lower byte; of animations
    the first frame is taken.

    Raises whatever Pillow raises for a file that is no image or is damaged; to be called inside `strict`.
    """
    from PIL import ImageOps

    image_module = pillow()
    height, width, channels = shape
    with image_module.open(path) as opened:
        image = _eight_bits(ImageOps.exif_transpose(opened), image_module)
        if image.mode == "P" and "transparency" in image.info:
            image = image.convert("RGBA")
        image = image.convert("L" if channels == 1 else "RGB")
        if image.size != (width, height):
            image = image.resize((width, height), image_module.Resampling.BILINEAR)
        return np.asarray(image, np.uint8).reshape(shape)


def _eight_bits(image: Any, image_module: Any) -> Any:
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image).astype(np.int64)
    return image_module.fromarray(np.clip(values >> 8, 0, 255).astype(np.uint8))
