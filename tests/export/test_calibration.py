"""Ranges chosen from samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.export.calibration import MINMAX, Ranging

LEVELS = 256


def chosen(ranging: Ranging, *parts: Any) -> tuple[float, float]:
    observer = ranging.observer()
    for part in parts:
        observer.update(np.asarray(part, np.float32))
    found = ranging.ends(observer, LEVELS)
    assert found is not None
    return found


def error(values: Any, ends: tuple[float, float]) -> float:
    """The mean squared error of values in int8, by rounding them."""
    low, high = min(ends[0], 0.0), max(ends[1], 0.0)
    step = (high - low) / (LEVELS - 1)
    return float(np.mean((np.clip(np.round(values / step) * step, low, high) - values) ** 2))


def test_minmax_takes_the_ends_of_all_parts() -> None:
    assert chosen(MINMAX, [[0.5, -2.0]], [3.0], []) == (-2.0, 3.0)


@pytest.mark.parametrize("method", ["minmax", "percentile", "mse"])
def test_values_that_are_not_finite_are_not_counted(method: str) -> None:
    low, high = chosen(Ranging(method), [np.nan, 1.0, -1.0], [np.inf, -np.inf, 0.5])
    assert -1 <= low < 0 < high <= 1
    observer = Ranging(method).observer()
    assert Ranging(method).ends(observer, LEVELS) is None
    observer.update(np.full(3, np.nan, np.float32))
    assert Ranging(method).ends(observer, LEVELS) is None


@pytest.mark.parametrize("kept", [99.0, 99.9])
def test_a_percentile_is_that_of_all_values_whatever_their_order(kept: float) -> None:
    rng = np.random.default_rng(0)
    small, large = rng.normal(size=200_000), rng.normal(scale=40, size=2_000)
    found = chosen(Ranging("percentile", kept), *np.array_split(small, 7), large)
    assert found == chosen(Ranging("percentile", kept), large, small)
    tail = (100 - kept) / 2
    exact = np.percentile(np.concatenate([small, large]), [tail, 100 - tail])
    np.testing.assert_allclose(found, exact, rtol=0.02)


def test_zeros_of_a_relu_keep_the_lower_end() -> None:
    values = np.maximum(np.random.default_rng(1).normal(size=100_000), 0)
    low, high = chosen(Ranging("percentile", 99.0), values)
    assert low == 0
    assert high == pytest.approx(np.percentile(values, 99.5), rel=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_mse_is_about_the_least_error_that_any_range_has(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.laplace(size=50_000).astype(np.float32)
    if seed == 1:
        values = np.maximum(values, 0)
    if seed == 2:
        values[:3] = 60
    found = chosen(Ranging("mse"), values)
    whole = chosen(MINMAX, values)
    fractions = np.linspace(0.1, 1, 19)
    least = min(error(values, (whole[0] * a, whole[1] * b)) for a in fractions for b in fractions)
    assert error(values, found) <= 1.15 * least
    assert error(values, found) < error(values, whole) * 1.02


def test_one_value_and_tiny_values_have_a_range() -> None:
    for method in ("minmax", "percentile", "mse"):
        assert chosen(Ranging(method), [0.0]) == (0.0, 0.0)
        low, high = chosen(Ranging(method), [1e-30, -1e-30])
        assert low <= 0 <= high
