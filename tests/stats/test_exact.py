"""Distributions against tables and SciPy."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
import scipy.stats

from edgekit.stats.exact import rank_sum, sign_flips, student


@pytest.mark.parametrize(
    ("probability", "degrees", "printed"),
    [(0.975, 1, 12.706), (0.975, 2, 4.303), (0.975, 4, 2.776), (0.995, 4, 4.604), (0.995, 14, 2.977), (0.9, 9, 1.383),
     (0.975, 30, 2.042), (0.975, 120, 1.980)],
)  # fmt: skip
def test_student_as_tables_print_it(probability: float, degrees: int, printed: float) -> None:
    """Abramowitz and Stegun 1964, table 26.10."""
    assert student(probability, degrees) == pytest.approx(printed, abs=5e-4)


@pytest.mark.parametrize("degrees", [1, 2, 3, 7, 8, 31, 150, 399, 10_000])
@pytest.mark.parametrize("probability", [0.5, 0.75, 0.9, 0.995])
def test_student_as_scipy_has_it(probability: float, degrees: int) -> None:
    assert student(probability, degrees) == pytest.approx(scipy.stats.t.ppf(probability, degrees), rel=4e-3, abs=1e-9)
    if degrees < 400:
        assert student(probability, degrees) == pytest.approx(
            scipy.stats.t.ppf(probability, degrees), rel=1e-9, abs=1e-9
        )


@pytest.mark.parametrize(("probability", "degrees"), [(0.4, 3), (1.0, 3), (0.9, 0)])
def test_student_refuses_what_it_does_not_know(probability: float, degrees: int) -> None:
    with pytest.raises(ValueError, match="degrees of freedom"):
        student(probability, degrees)


@pytest.mark.parametrize(
    ("count", "level", "critical"),
    [(6, 0.05, 0), (8, 0.05, 3), (10, 0.05, 8), (15, 0.05, 25), (20, 0.05, 52), (30, 0.05, 137),
     (8, 0.01, 0), (10, 0.01, 3), (15, 0.01, 15), (20, 0.01, 37)],
)  # fmt: skip
def test_flipped_ranks_as_tables_of_wilcoxon_print_them(count: int, level: float, critical: int) -> None:
    """Critical values of the signed-rank test (Wilcoxon and Wilcox 1964), the largest that are significant."""

    def p(smaller_sum: int) -> float:
        ranks = np.arange(1, count + 1)
        for rank in range(count, 0, -1):  # make negative what the smaller sum holds
            if rank <= smaller_sum:
                smaller_sum -= rank
                ranks[rank - 1] *= -1
        return sign_flips(ranks)

    assert p(critical) <= level < p(critical + 1)


def test_flipped_signs_by_counting_all_cases(rng: np.random.Generator) -> None:
    for differences in rng.integers(-9, 10, (20, 9)):
        sums = [abs(sum(sign * d for sign, d in zip(signs, differences, strict=True)))
                for signs in product((1, -1), repeat=9)]  # fmt: skip
        expected = np.mean(np.array(sums) >= abs(differences.sum()))
        assert sign_flips(differences) == pytest.approx(expected)
    assert sign_flips(np.zeros(5, np.int64)) == 1
    many = rng.integers(-9, 12, 100)
    assert sign_flips(np.append(many, 1)) == pytest.approx(sign_flips(many), abs=0.03)  # where exact counting ends
    assert sign_flips(np.full(10, 6)) == pytest.approx(2 / 1024)


@pytest.mark.parametrize(
    ("count", "others", "tail", "critical"),
    [(5, 5, 0.025, 2), (4, 4, 0.025, 0), (3, 4, 0.025, None), (10, 10, 0.025, 23), (8, 12, 0.025, 22),
     (20, 20, 0.025, 127), (5, 5, 0.005, 0), (10, 10, 0.005, 16), (15, 15, 0.005, 51)],
)  # fmt: skip
def test_rank_sums_as_tables_print_them(count: int, others: int, tail: float, critical: int | None) -> None:
    """Critical values of Mann and Whitney's U, two-sided 5 % and 1 %."""
    expected = 0 if critical is None else critical + 1
    assert rank_sum(count, others, tail) == rank_sum(others, count, tail) == expected


def test_rank_sums_by_counting_all_cases() -> None:
    places = [sum(chosen) - 6 for chosen in combinations(range(8), 4)]
    for tail in (0.02, 0.1):
        assert rank_sum(4, 4, tail) == next(s for s in range(17) if sum(x <= s for x in places) / 70 > tail)


def test_many_ranks_are_as_good_as_normal() -> None:
    assert rank_sum(61, 61, 0.025) - rank_sum(60, 60, 0.025) == pytest.approx(61 - 12, abs=12)
