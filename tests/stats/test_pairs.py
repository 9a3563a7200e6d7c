"""McNemar's test and paired differences against published values, SciPy and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from edgekit.stats.pairs import Contributions, bootstrap_difference, mcnemar, mid_p, tango


def test_mcnemar_of_bentur_et_al() -> None:
    """Fagerland, Lydersen and Laake 2013, table 1 and supplement: 1 and 7 discordant of 21, exact 0.0703."""
    assert mid_p(1, 7) == mid_p(7, 1) == pytest.approx(18 / 256 - 8 / 256)
    assert mid_p(1, 7) == pytest.approx(0.0391, abs=5e-5)
    first = np.array([True] * 1 + [True] * 1 + [False] * 7 + [False] * 12)
    second = np.array([True] * 1 + [False] * 1 + [True] * 7 + [False] * 12)
    found = mcnemar(first, second)
    assert (found.gained, found.lost, found.samples) == (7, 1, 21)
    assert found.difference.value == pytest.approx(6 / 21)
    assert found.shown


@pytest.mark.parametrize(("gained", "lost"), [(0, 1), (0, 4), (3, 9), (20, 31), (150, 200), (4800, 5100), (9, 9)])
def test_mid_p_from_scipys_binomial(gained: int, lost: int) -> None:
    fewer, total = min(gained, lost), gained + lost
    exact = min(1.0, 2 * scipy.stats.binom.cdf(fewer, total, 0.5))
    half = scipy.stats.binom.pmf(fewer, total, 0.5)
    assert mid_p(gained, lost) == pytest.approx(1 - half / 2 if gained == lost else exact - half, rel=1e-6)


def test_mid_p_at_the_ends() -> None:
    assert mid_p(0, 0) == 1
    assert mid_p(0, 5) == pytest.approx(1 / 32)
    assert mid_p(6000, 6300) == pytest.approx(mid_p(6300, 6000))
    assert mid_p(4900, 5100) == pytest.approx(2 * scipy.stats.norm.cdf(-200 / 100), rel=2e-2)  # where exact sums end
    assert mid_p(5000, 5205) == pytest.approx(2 * scipy.stats.norm.cdf(-205 / math.sqrt(10205)))


def score_of(delta: float, gained: int, lost: int, samples: int) -> float:
    """Tango's statistic with the nuisance parameter found by SciPy, in place of the closed form."""

    def minus_log_likelihood(q: float) -> float:
        parts = (q + delta, q, 1 - 2 * q - delta)
        counts = (gained, lost, samples - gained - lost)
        return -sum(n * math.log(max(p, 1e-300)) for n, p in zip(counts, parts, strict=True) if n)

    low, high = max(0.0, -delta), (1 - delta) / 2
    best = scipy.optimize.minimize_scalar(
        minus_log_likelihood, bounds=(low, high), method="bounded", options={"xatol": 1e-12}
    )
    variance = samples * (2 * best.x + delta - delta**2)
    return float((gained - lost - samples * delta) / math.sqrt(variance))


@pytest.mark.parametrize(("gained", "lost", "samples"), [(7, 1, 21), (12, 20, 300), (40, 5, 100), (3, 3, 50)])
def test_tango_inverts_the_score_test(gained: int, lost: int, samples: int) -> None:
    found = tango(gained, lost, samples)
    assert score_of(found.low, gained, lost, samples) == pytest.approx(1.96, abs=2e-3)
    assert score_of(found.high, gained, lost, samples) == pytest.approx(-1.96, abs=2e-3)
    turned = tango(lost, gained, samples)
    assert (turned.low, turned.high) == (pytest.approx(-found.high, abs=1e-9), pytest.approx(-found.low, abs=1e-9))


def test_tango_without_discordant_samples() -> None:
    """The score is -sqrt(n d / (1 - d)) then, so the bounds are z^2 / (n + z^2)."""
    found = tango(0, 0, 44)
    z = scipy.stats.norm.ppf(0.975) ** 2
    assert found.value == 0
    assert found.high == pytest.approx(z / (44 + z))
    assert found.low == pytest.approx(-z / (44 + z))


def test_tango_leaves_zero_out_where_the_normal_test_does() -> None:
    for gained, lost in [(20, 8), (20, 9), (30, 15), (30, 16), (100, 75), (100, 73)]:
        significant = (gained - lost) ** 2 / (gained + lost) > scipy.stats.norm.ppf(0.975) ** 2
        assert (tango(gained, lost, 1000).low > 0) == significant


def test_coverage_and_level_by_simulation(rng: np.random.Generator) -> None:
    """Of 300 samples, 4 % gained and 6 % lost: the interval holds -2 points in 95 of 100 cases; and of equal files."""
    gains, losses = rng.multinomial(300, [0.04, 0.06, 0.9], size=2000).T[:2]
    inside = [f.low <= -0.02 <= f.high for f in map(tango, gains.tolist(), losses.tolist(), [300] * 2000)]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.015)
    gains, losses = rng.multinomial(300, [0.03, 0.03, 0.94], size=2000).T[:2]
    assert np.mean([mid_p(a, b) < 0.05 for a, b in zip(gains.tolist(), losses.tolist(), strict=True)]) < 0.055


def test_what_does_not_pair() -> None:
    with pytest.raises(ValueError, match="do not pair"):
        mcnemar(np.ones(3, bool), np.ones(4, bool))
    with pytest.raises(ValueError, match="do not pair"):
        mcnemar(np.ones(0, bool), np.ones(0, bool))
    one, two = (Contributions(np.ones((n, 1)), np.ones((n, 1)), lambda r: r[..., 0]) for n in (3, 4))
    with pytest.raises(ValueError, match="do not pair"):
        bootstrap_difference(one, two)


def mean_of(values: np.ndarray) -> Contributions:
    return Contributions(values[:, np.newaxis], np.ones((len(values), 1)), lambda ratios: ratios[..., 0])


def test_a_paired_bootstrap_cancels_what_is_hard_for_both(rng: np.random.Generator) -> None:
    hard = rng.normal(size=200)
    first, second = hard + rng.normal(scale=0.1, size=200), hard + 0.05 + rng.normal(scale=0.1, size=200)
    found = bootstrap_difference(mean_of(first), mean_of(second))
    assert found.value == pytest.approx(float(np.mean(second - first)))
    paired = scipy.stats.sem(second - first) * 1.96
    assert found.high - found.low == pytest.approx(2 * paired, rel=0.15)
    assert bootstrap_difference(mean_of(first), mean_of(first)).high == 0


def test_a_paired_bootstrap_covers(rng: np.random.Generator) -> None:
    inside = 0
    for _ in range(50):
        hard = rng.exponential(size=100)
        found = bootstrap_difference(mean_of(hard), mean_of(hard + rng.exponential(size=100)))
        inside += found.low <= 1 <= found.high
    assert inside >= 42  # of 95 %, fewer come about in 1 of 500 cases
