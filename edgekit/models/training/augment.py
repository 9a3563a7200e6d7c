"""Random changes to training images, seeded, on stored samples (before preprocessing)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgekit.errors import InputError
from edgekit.tasks.samples import Array

Augment = Callable[[Array, np.random.Generator], Array]
PADDING = 4


def _none(x: Array, rng: np.random.Generator) -> Array:
    return x


def _flip(x: Array, rng: np.random.Generator) -> Array:
    flipped = rng.random(len(x)) < 0.5
    out = x.copy()
    out[flipped] = out[flipped, :, ::-1]
    return out


def _crop(x: Array, rng: np.random.Generator) -> Array:
    """Shift each image by up to 4 pixels, zero-padded."""
    n, height, width, _ = x.shape
    padded = np.pad(x, ((0, 0), (PADDING, PADDING), (PADDING, PADDING), (0, 0)))
    rows = rng.integers(0, 2 * PADDING + 1, (n, 1)) + np.arange(height)
    columns = rng.integers(0, 2 * PADDING + 1, (n, 1)) + np.arange(width)
    out: Array = padded[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return out


def _flip_crop(x: Array, rng: np.random.Generator) -> Array:
    """Mirror half of the images and shift all (He et al. 2015, section 4.2)."""
    return _crop(_flip(x, rng), rng)


AUGMENTATIONS: dict[str, Augment] = {"none": _none, "flip": _flip, "crop": _crop, "flip-crop": _flip_crop}


def augmentation(name: str, sample_shape: tuple[int, ...]) -> Augment:
    """Return an augmentation of batches of stored samples (n, height, width, channels); `name` is of `AUGMENTATIONS`.

    Raises:
        InputError: an image augmentation for samples that are not images.
    """
    if name != "none" and len(sample_shape) != 3:
        raise InputError(
            f"`augment={name}`: for images only, and the samples have shape {sample_shape}",
            "use `augment=none`",
            code="training-option-invalid",
        )
    return AUGMENTATIONS[name]
