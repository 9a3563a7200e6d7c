"""How often the intervals of few processes hold the truth: edgekit's, and a percentile bootstrap of the median.

    python benchmarks/intervals.py [--trials 2000]

Medians of processes are drawn from a seeded generator: lognormal noise of 3 %, and a machine with two speeds, on which
3 of 10 processes are 22 % slower. Of each, the 95 % interval of the median, and of the ratio of two equal files in
paired rounds. What matters is how close to 95 % the share is, and not above.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer

from edgekit import stats
from edgekit.stats.medians import median_interval
from edgekit.stats.ratios import paired_ratio
from edgekit.text.tables import table

COUNTS = (3, 5, 7, 11, 15)
RESAMPLES = 1000
SLOWER, SHARE = 1.22, 0.3
Floats = npt.NDArray[np.float64]


def lognormal(rng: np.random.Generator, count: int) -> Floats:
    """Return medians of processes whose true median is 1."""
    return np.exp(rng.normal(0, 0.03, count))


def two_speeds(rng: np.random.Generator, count: int) -> Floats:
    """Return medians of processes of which some, by chance, are slower; their true median is not quite 1."""
    return lognormal(rng, count) * np.where(rng.random(count) < SHARE, SLOWER, 1.0)


def bootstrap(values: Floats, rng: np.random.Generator) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the median (Efron 1979)."""
    medians = np.median(rng.choice(values, (RESAMPLES, len(values))), axis=1)
    low, high = np.percentile(medians, [2.5, 97.5])
    return float(low), float(high)


def main(trials: Annotated[int, typer.Option(min=1)] = 2000) -> None:
    """Print shares of intervals that hold the truth, in percent."""
    rows = []
    for noise in (lognormal, two_speeds):
        rng = np.random.default_rng(0)
        true = float(np.median(noise(rng, 1_000_001)))
        for count in COUNTS:
            held = np.zeros(4)
            for _ in range(trials):
                mine, theirs = noise(rng, count), noise(rng, count)
                own = median_interval(mine.tolist())
                ratio = paired_ratio(mine.tolist(), theirs.tolist(), stats.CONFIDENCE).interval
                resampled, of_ratio = bootstrap(mine, rng), bootstrap(mine / theirs, rng)
                held += [
                    own.low <= true <= own.high,
                    resampled[0] <= true <= resampled[1],
                    ratio.low <= 1 <= ratio.high,
                    of_ratio[0] <= 1 <= of_ratio[1],
                ]
            shares = [f"{share:.1f}" for share in 100 * held / trials]
            rows.append([noise.__name__.replace("_", " "), str(count), *shares])
    print(table(["noise", "processes", "median", "bootstrap of it", "ratio", "bootstrap of it"], rows))


if __name__ == "__main__":
    typer.run(main)
