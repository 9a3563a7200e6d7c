"""Samples to train the models with, and to test them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from edgekit.tasks.samples import Array

Data = tuple[Array, Array, Array, Array]
"""x and y to train with, x and y to test with."""


def mnist(n: int = 8000, scale: float = 255.0) -> Data:
    with np.load(Path(os.environ["EDGEKIT_DATA"]) / "mnist.npz") as data:
        x, y, xt, yt = (data[key] for key in ("x_train", "y_train", "x_test", "y_test"))
    x, xt = (v[..., None].astype(np.float32) / np.float32(scale) for v in (x[:n], xt[:2000]))
    return x, y[:n].ravel().astype(np.int64), xt, yt[:2000].ravel().astype(np.int64)


def cifar(n: int = 8000) -> Data:
    with np.load(Path(os.environ["EDGEKIT_DATA"]) / "cifar10.npz") as data:
        x, y, xt, yt = (data[key] for key in ("x_train", "y_train", "x_test", "y_test"))
    x, xt = (v.astype(np.float32) / np.float32(255) for v in (x[:n], xt[:2000]))
    return x, y[:n].ravel().astype(np.int64), xt, yt[:2000].ravel().astype(np.int64)


def windows(ratio: float = 300.0, glitches: int = 0) -> Data:
    """Waves of three classes in the first three channels, noise of another range in the others."""
    rng = np.random.default_rng(0)
    n, steps = 4000, 64
    y = rng.integers(0, 3, n)
    time_axis = 2 * np.pi * np.array([2, 4, 7])[y][:, None] * np.arange(steps) / steps
    x = rng.normal(size=(n, steps, 6)).astype(np.float32)
    for channel in range(3):
        x[:, :, channel] = 0.6 * np.sin(time_axis + rng.uniform(0, 6.28, (n, 1))) + 0.15 * x[:, :, channel]
    x[:, :, 3:] *= ratio
    x[rng.integers(0, 3000, glitches), rng.integers(0, steps, glitches), 0] = 900.0
    return x[:3000], y[:3000], x[3000:], y[3000:]


def prices() -> Data:
    """Twelve features, and a price in thousands: most near 200, a few above 2,000."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(22000, 12)).astype(np.float32)
    value = x @ (rng.normal(size=12) / np.sqrt(12)) + 0.5 * np.sin(2 * x[:, 0]) * x[:, 1] + 0.4 * np.abs(x[:, 2])
    y = (200 * np.exp(0.7 * value + rng.normal(0, 0.15, len(x))))[:, None].astype(np.float32)
    return x[:20000], y[:20000], x[20000:], y[20000:]
