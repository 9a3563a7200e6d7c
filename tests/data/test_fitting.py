"""Samples reshaped to what a model takes, and what is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgekit.data.dataset import Dataset
from edgekit.data.fitting import Port, fit, reshaped
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import NamedArrays
from tests.support.raised import raised


def data(*shape: int) -> Dataset:
    x = np.arange(20 * int(np.prod(shape))).reshape(20, *shape)
    y = np.arange(20) % 2
    return Dataset("d", x[:15], y[:15], x[15:], y[15:], ("0", "1"))


OUT = [Port("out", (2,))]


def fitted(stored: tuple[int, ...], wanted: tuple[int | None, ...], layout: str = "NHWC") -> tuple[Dataset, Dataset]:
    before = data(*stored)
    return before, fit(before, Preprocessing(layout=layout), [Port("in", wanted)], OUT, "m")[0]


@pytest.mark.parametrize(
    ("stored", "wanted", "said"),
    [
        ((28, 28, 1), (784,), True),
        ((784,), (28, 28, 1), True),
        ((784,), (28, 28), True),
        ((784,), (784, 1), False),
        ((28, 28, 1), (784, 1), True),
        ((28, 28), (28, 28, 1), False),
        ((28, 28, 1), (28, 28), False),
        ((28, 28, 1), (1, 28, 28), False),
        ((8, 8, 3), (192,), True),
        ((192,), (8, 8, 3), True),
        ((28, 28, 1), (None, None, 1), False),
        ((28, 28, 1), (28, None, 1), False),
    ],
)
def test_what_fits_is_reshaped(stored: tuple[int, ...], wanted: tuple[int | None, ...], said: bool) -> None:
    before, after = fitted(stored, wanted)
    assert len(after.x_train.shape[1:]) == len(wanted)
    np.testing.assert_array_equal(np.ravel(after.x_test), np.ravel(before.x_test))
    notes = reshaped(before, after)
    assert bool(notes) == said
    if said:
        assert notes == [f"d: samples of shape {stored} are taken as {wanted}, row by row as they are stored"]


@pytest.mark.parametrize(
    ("stored", "wanted"),
    [((3, 8, 8), (8, 8, 3)), ((8, 6), (6, 8)), ((784,), (28, 27)), ((28, 28, 1), (None,)), ((4, 4, 4), (8, 8))],
)
def test_what_may_be_something_else_is_refused(stored: tuple[int, ...], wanted: tuple[int | None, ...]) -> None:
    with raised("shape-mismatch"):
        fitted(stored, wanted)


def test_channels_first_is_not_mixed_up_with_reshaping() -> None:
    before, after = fitted((8, 8, 3), (3, 8, 8), "NCHW")
    assert after.x_train.shape == before.x_train.shape
    _, after = fitted((192,), (3, 8, 8), "NCHW")
    assert after.x_train.shape == (15, 8, 8, 3)


def test_one_of_several_inputs() -> None:
    image, table = data(6, 6, 1), data(4)
    x: dict[str, Any] = {
        key: NamedArrays({"image": getattr(image, key), "table": getattr(table, key)}) for key in ("x_train", "x_test")
    }
    before = replace(image, **x)
    how = Preprocessing(inputs=(("image", Preprocessing()), ("table", Preprocessing())))
    after, _ = fit(before, how, [Port("table", (4,)), Port("image", (36,))], OUT, "m")
    assert after.x_train.arrays[1].shape == (15, 36)
    [note] = reshaped(before, after)
    assert "samples of image of shape (6, 6, 1) are taken as (36,)" in note
