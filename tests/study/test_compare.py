from __future__ import annotations

import dataclasses
import math

import pytest

from benchmarks.study.compare import over_seeds
from edgekit.stats import wilson

from .made_up import SAMPLES, made_up, study

A, B, C = ("a", "int8"), ("b", "int8"), ("c", "int8")


def test_t_interval_against_hand_computed() -> None:
    found = over_seeds([0.97, 0.98, 0.99])
    assert found.value == pytest.approx(0.98)
    assert found.high - found.value == pytest.approx(4.303 * 0.01 / math.sqrt(3))
    assert found.value - found.low == pytest.approx(found.high - found.value)


def test_one_seed_has_the_interval_over_samples() -> None:
    assert study(made_up("a", "int8", 0.98)).accuracy(A) == wilson(9800, SAMPLES)


def test_several_seeds_have_the_interval_over_seeds() -> None:
    found = study(*(made_up("a", "int8", v, seed=i) for i, v in enumerate((0.97, 0.98, 0.99))))
    assert found.accuracy(A) == over_seeds([0.97, 0.98, 0.99])


def test_difference_of_one_seed_is_paired_by_sample() -> None:
    # 100 of 10,000 samples differ, all in favour of one: mean 0.01, deviation sqrt(0.01 - 0.0001).
    found = study(made_up("a", "int8", 0.99), made_up("b", "int8", 0.98)).difference([(A, B)])
    half = 1.959964 * math.sqrt(0.01 - 0.0001) / 100
    assert (found.value, found.low, found.high) == pytest.approx((0.01, 0.01 - half, 0.01 + half))


def test_difference_over_seeds_is_paired_by_seed_and_leaves_out_what_only_one_has() -> None:
    # Both rise from seed to seed; their difference does not, so the samples alone make the interval: a third of each
    # of 300 samples.
    records = [made_up("a", "int8", 0.91 + 0.02 * seed, seed=seed) for seed in range(4)]
    records += [made_up("b", "int8", 0.90 + 0.02 * seed, seed=seed) for seed in range(3)]
    found = study(*records).difference([(A, B)])
    half = 1.959964 * math.sqrt(0.03 / 9 - 0.0001) / 100
    assert (found.value, found.low, found.high) == pytest.approx((0.01, 0.01 - half, 0.01 + half))


def test_difference_that_varies_between_seeds_has_the_interval_over_seeds() -> None:
    records = [made_up("a", "int8", value, seed=seed) for seed, value in enumerate((0.95, 0.97, 0.99))]
    records += [made_up("b", "int8", 0.94, seed=seed) for seed in range(3)]
    found, expected = study(*records).difference([(A, B)]), over_seeds([0.01, 0.03, 0.05])
    assert (found.value, found.low, found.high) == pytest.approx((expected.value, expected.low, expected.high))


def test_equal_files_count_once() -> None:
    first = made_up("a", "int8", 0.9)
    found = study(first, dataclasses.replace(first, row="b"), made_up("c", "int8", 0.9))
    assert found.once([A, B, C]) == [A, C]


def test_several_pairs_are_averaged() -> None:
    found = study(made_up("a", "int8", 0.99), made_up("b", "int8", 0.98), made_up("c", "int8", 0.95))
    assert found.difference([(A, B), (A, C)]).value == pytest.approx(0.025)


def test_no_common_seed_separates_nothing() -> None:
    found = study(made_up("a", "int8", 0.99), made_up("b", "int8", 0.5, seed=1)).difference([(A, B)])
    assert math.isnan(found.value)
    assert (found.low, found.high) == (-math.inf, math.inf)
