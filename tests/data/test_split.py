from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.data.dataset import Dataset, build
from edgekit.data.split import split, stratified
from tests.support.raised import raised


def numbered(n: int, classes: int = 3) -> Dataset:
    """Sample i holds the number i, so that every sample can be recognised."""
    x = np.arange(n + 30, dtype=np.float32).reshape(-1, 1)
    y = np.arange(n + 30) % classes
    return build("numbered", {"x_train": x[:n], "y_train": y[:n], "x_test": x[n:], "y_test": y[n:]}, "test")


def test_parts_are_disjoint_and_complete() -> None:
    parts = split(numbered(600), 100)
    train, validation, calibration = (set(p.ravel()) for p in (parts.x_train, parts.x_validation, parts.x_calibration))
    assert not train & validation
    assert train | validation == set(range(600))
    assert calibration < train
    assert (len(validation), len(calibration)) == (60, 100)
    np.testing.assert_array_equal(np.bincount(parts.y_validation), [20, 20, 20])


def test_validation_does_not_depend_on_how_much_is_calibrated() -> None:
    a, b = split(numbered(600), 1), split(numbered(600), 500)
    np.testing.assert_array_equal(a.x_validation, b.x_validation)


@pytest.mark.parametrize("samples", [0, 541, 10_000])
def test_impossible_calibration(samples: int) -> None:
    with raised("set-too-small", "`samples`", "540"):
        split(numbered(600), samples)


def test_too_little_data() -> None:
    with raised("set-too-small"):
        split(numbered(6), 1)


@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=200),
    share=st.floats(0, 1),
    seed=st.integers(0, 5),
)
def test_stratified_keeps_shares(labels: list[int], share: float, seed: int) -> None:
    y = np.asarray(labels)
    count = int(share * len(y))
    chosen = stratified(y, count, seed)
    assert len(chosen) == len(set(chosen)) == count
    for c in np.unique(y):
        assert abs((y[chosen] == c).sum() - (y == c).sum() * count / len(y)) < 1
    np.testing.assert_array_equal(chosen, stratified(y, count, seed))
