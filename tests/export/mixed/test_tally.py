"""Running sums over an activation."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.export.mixed.tally import Tally

STEP = (0.5, -128)  # from 0 to 127.5


def tally(*samples: np.ndarray, step: tuple[float, int] | None = STEP, axis: int = -1) -> Tally:
    made = Tally(step, axis)
    for values in samples:
        made.update(values.astype(np.float32), values.astype(np.float32) + np.float32(0.25))
    return made


def test_sums_over_samples(rng: np.random.Generator) -> None:
    values = rng.uniform(-5, 130, (3, 1, 4, 4, 2))
    made = tally(*values)
    held = np.clip(np.rint(values.astype(np.float32) / 0.5), 0, 255) * 0.5
    assert made.values == values.size
    assert made.signal == pytest.approx((values**2).sum(), rel=1e-4)
    assert made.energies == pytest.approx((values**2).sum(axis=(0, 1, 2, 3)), rel=1e-4)
    assert made.sums == pytest.approx(values.sum(axis=(0, 1, 2, 3)), rel=1e-4)
    assert made.rounding == pytest.approx(((held - values) ** 2).sum(), rel=1e-3)
    assert made.noise == pytest.approx(0.25**2 * values.size, rel=1e-3)
    assert made.ratio == pytest.approx(made.noise / made.signal)


def test_channels_may_stand_elsewhere(rng: np.random.Generator) -> None:
    values = rng.normal(size=(1, 3, 5, 7))
    assert tally(values, axis=1).energies == pytest.approx((values**2).sum(axis=(0, 2, 3)), rel=1e-4)
    assert tally(values[:, :, 0, 0], axis=1).energies == pytest.approx(values[0, :, 0, 0] ** 2, rel=1e-4)


def test_range_used_and_outliers() -> None:
    values = np.linspace(0, 12.5, 100_000).reshape(1, -1, 1)
    assert tally(values).range_used == pytest.approx(26 / 256, abs=1 / 256)
    assert tally(values).outliers == pytest.approx(1, abs=0.01)
    values[0, 7] = 1250
    assert tally(values).range_used == pytest.approx(26 / 256, abs=1 / 256)
    assert tally(values).outliers == pytest.approx(100, rel=0.05)
    assert tally(values, step=None).range_used is None
    assert tally(np.zeros((1, 8, 1))).outliers is None


def test_narrow_channels_vary_but_hardly() -> None:
    values = np.zeros((1, 10, 4))
    values[0, :, 0] = np.linspace(0, 100, 10)
    values[0, :, 1] = np.linspace(0, 0.9, 10)  # less than two steps
    values[0, :, 2] = np.linspace(0, 1.1, 10)
    assert tally(values).narrow_channels == 0.25


@pytest.mark.parametrize("factor", [1e25, 1e-30])
def test_values_whose_squares_are_no_float32(factor: float) -> None:
    made = tally(np.full((1, 4, 2), factor))
    assert made.signal == pytest.approx(8 * factor**2, rel=1e-5)


def test_values_that_are_not_finite_are_left_out() -> None:
    values = np.ones((1, 2, 4))
    values[0, 0, 1], values[0, 1, 2] = np.nan, np.inf
    made = tally(values, axis=1)
    assert made.values == 4 and made.signal == 4
    assert tally(np.full((1, 4, 2), np.nan)).values == 0
    assert tally(np.zeros((1, 0, 2))).values == 0


def test_what_readers_do_not_tell_apart_is_no_loss() -> None:
    values = np.array([[-400.0, -12.0, 3.0, 5.0]], np.float32)
    held = np.maximum(values, -12)
    made = Tally((0.5, -104), -1, (-12.0, np.inf))
    made.update(values, held)
    assert made.rounding == made.noise == 0
    assert made.signal == pytest.approx((held**2).sum())
    assert made.outliers == pytest.approx(1, abs=0.01)
