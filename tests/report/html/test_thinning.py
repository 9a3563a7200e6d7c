"""What is drawn are samples, the extremes among them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.reporting.html.thinning import bucketed, distribution, share_of

SAMPLES = st.lists(st.integers(1, 10**9), min_size=1, max_size=300)


@given(SAMPLES, st.integers(2, 80))
def test_a_distribution_is_of_its_samples(samples: list[int], most: int) -> None:
    found = distribution(samples, most)
    assert len(found.values) <= max(most, 2)
    assert found.values[0] == min(samples) and found.values[-1] == max(samples)
    assert found.shares[-1] == 1 and found.samples == len(samples)
    for value, share in zip(found.values, found.shares, strict=True):
        assert sorted(samples)[round(share * len(samples)) - 1] == value
    assert (np.diff(found.shares) > 0).all()


def test_few_samples_are_all_drawn() -> None:
    found = distribution([3, 1, 2, 2], 10)
    assert found.values.tolist() == [1, 2, 2, 3]
    assert found.shares.tolist() == [0.25, 0.5, 0.75, 1]


def test_the_tails_are_denser(rng: np.random.Generator) -> None:
    found = distribution(rng.random(50_000), 40)
    assert (found.shares > 0.99).sum() >= 4 and (found.shares < 0.01).sum() >= 4
    assert np.diff(found.shares).max() < 0.08


@given(SAMPLES, st.integers(1, 60))
def test_buckets_hold_the_extremes_of_their_samples(samples: list[int], most: int) -> None:
    found = bucketed(samples, most)
    assert len(found.first) == min(most, len(samples)) and found.first[0] == 0
    ends = [*found.first[1:].tolist(), len(samples)]
    for place, (start, end) in enumerate(zip(found.first.tolist(), ends, strict=True)):
        part = samples[start:end]
        assert (found.low[place], found.high[place]) == (min(part), max(part))
        assert found.middle[place] == sorted(part)[(len(part) - 1) // 2]
        assert start <= found.centres[place] <= end
    sizes = np.diff([*found.first.tolist(), len(samples)])
    assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize(("lines", "each"), [(0, 64), (10, 64), (400, 30), (5000, 24)])
def test_lines_share_what_a_page_can_hold(lines: int, each: int) -> None:
    assert share_of(12_000, lines, 24, 64) == each
