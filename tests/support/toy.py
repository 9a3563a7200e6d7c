"""A data set that fits the files of `tiny_tflite` and `tiny_onnx`."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgekit.data.dataset import Dataset, build


def toy_arrays() -> dict[str, Any]:
    """Return 6 samples to train with and 40 to test with, of three classes."""
    return {
        "x_train": np.zeros((6, 4, 4, 1), np.uint8),
        "y_train": np.arange(6) % 3,
        "x_test": np.random.default_rng(0).integers(0, 256, (40, 4, 4, 1), dtype=np.uint8),
        "y_test": np.arange(40) % 3,
    }


def toy() -> Dataset:
    """Return them as a data set."""
    return build("toy", toy_arrays(), "toy.npz")
