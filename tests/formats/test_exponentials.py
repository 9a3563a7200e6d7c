"""Exponentials that int8 has too few steps for, read off the file."""

from __future__ import annotations

import pytest

from edgekit.formats.tflite.exponentials import Coarse, coarse_exponentials
from edgekit.pipeline.advice import for_exponentials
from tests.support.tiny_tflite import Op, T, model


def exponential(step: float, dtype: str = "INT8", name: str = "EXP") -> bytes:
    tensors = [T("x", (1, 8), dtype, scale=[0.05]), T("net/exp", (1, 8), dtype, scale=[step])]
    return model(tensors, [Op(name, [0], [1])], [0], [1])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (exponential(2.5), [Coarse("net/exp", 2.5)]),
        (exponential(1 / 256), []),  # of values up to 0, as in softmax
        (exponential(2.5, "INT16"), []),
        (exponential(2.5, name="LOGISTIC"), []),
        (b"", []),
        (exponential(2.5)[:60], []),
    ],
)
def test_coarse_exponentials(data: bytes, expected: list[Coarse]) -> None:
    assert coarse_exponentials(data) == expected


def test_the_worst_is_named_and_what_to_write() -> None:
    text = for_exponentials([Coarse("a", 1.0), Coarse("net/exp", 2.5)])
    assert text.startswith("an exponential `net/exp` (one of 2) reaches 637.5, in int8 steps of 2.5,")
    assert "max(x, 0) + log(1 + exp(-abs(x)))" in text
    assert "`" not in for_exponentials([Coarse("22", 2.5)])
