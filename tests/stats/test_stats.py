from __future__ import annotations

import math

import numpy as np
import pytest

from edgekit import stats


def test_wilson_against_published_values() -> None:
    # Newcombe 1998, table I: 81 of 263 and 15 of 148, method 3 (score without continuity correction)
    found = stats.wilson(81, 263)
    assert (found.low, found.high) == (pytest.approx(0.2553, abs=5e-5), pytest.approx(0.3662, abs=5e-5))
    found = stats.wilson(15, 148)
    assert (found.low, found.high) == (pytest.approx(0.0624, abs=5e-5), pytest.approx(0.1605, abs=5e-5))


def test_wilson_at_the_ends() -> None:
    assert stats.wilson(0, 20).low == 0
    assert stats.wilson(0, 20).high == pytest.approx(0.1611, abs=5e-5)
    assert stats.wilson(20, 20).high == 1


@pytest.mark.parametrize(("correct", "total"), [(1, 0), (0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_what_is_no_proportion(correct: int, total: int) -> None:
    with pytest.raises(ValueError, match="no proportion"):
        stats.wilson(correct, total)


def test_sqnr() -> None:
    signal = np.ones(100)
    assert stats.sqnr_db(signal, signal * 0.9) == pytest.approx(20)
    assert stats.sqnr_db(signal, signal) == math.inf


def test_efficiency_is_percent_per_kib() -> None:
    assert stats.efficiency(0.99, 2048) == pytest.approx(49.5)
