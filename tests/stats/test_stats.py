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


def test_between_processes_resamples_whole_processes() -> None:
    found = stats.between_processes([10.0, 11.0, 12.0, 13.0, 50.0])
    assert found.value == 12
    assert found.low == pytest.approx(10, abs=1)
    assert found.high in (13.0, 50.0)
    assert found == stats.between_processes([10.0, 11.0, 12.0, 13.0, 50.0])


@pytest.mark.parametrize("count", [2, 3, 6, 7, 40])
def test_bootstrap_medians_are_those_of_the_values_drawn(count: int, rng: np.random.Generator) -> None:
    values = np.round(rng.lognormal(size=count), 1)  # some are equal
    drawn = np.random.default_rng(5).choice(values, size=(stats.RESAMPLES, count))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    assert stats.between_processes(values.tolist(), 5) == stats.Interval(float(np.median(values)), low, high)


def test_one_process_has_no_interval() -> None:
    found = stats.between_processes([3.0])
    assert found.value == 3
    assert math.isnan(found.low)


def test_paired_ratio_cancels_drift() -> None:
    drift = np.linspace(1, 3, 9)
    found = stats.paired_ratio(2 * drift, drift)
    assert found == stats.Interval(pytest.approx(2), pytest.approx(2), pytest.approx(2))
    with pytest.raises(ValueError, match="shorter"):
        stats.paired_ratio([1.0, 2.0], [1.0])


def test_sqnr() -> None:
    signal = np.ones(100)
    assert stats.sqnr_db(signal, signal * 0.9) == pytest.approx(20)
    assert stats.sqnr_db(signal, signal) == math.inf


def test_efficiency_is_percent_per_kib() -> None:
    assert stats.efficiency(0.99, 2048) == pytest.approx(49.5)
