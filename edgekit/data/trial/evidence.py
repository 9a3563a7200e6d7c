"""What losses on the same samples prove: one way of feeding against another, and against a constant guess."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from edgekit.data.trial.losses import Losses
from edgekit.tasks.samples import Array

ALPHA = 0.005
"""Chance of a difference that is none, two-sided, for each pair of candidates."""
CHANCE_ALPHA = 0.01
"""Chance that a constant guess passes for a model, one-sided."""
FEWEST = 20
"""Samples, below which a constant guess is not judged."""
PART = 0.8
"""A clearly better loss is at most this part of the other's, or `GAIN` of a constant guess's loss smaller."""
GAIN = 0.1
USEFUL = 0.9
"""A clearly better relative loss is at most this: 1 is a constant guess."""
TIED = 0.2
"""Chance of a difference that is none, above which the likelier of two candidates is taken."""
DOMINANT = 0.8
"""Share of the largest class from which on a model that always says it may still rank well."""
PERMUTATIONS = 2000


def p_less(a: Array, b: Array) -> float:
    """Return the one-sided p-value of a's mean being smaller than b's, paired.

    Of right and wrong predictions it is McNemar's exact test (1947), of other losses a t test with normal tails.
    """
    difference = b - a
    sizes = np.unique(np.abs(difference[difference != 0]))
    if len(sizes) == 0:
        return 1.0
    if len(sizes) == 1 or np.ptp(sizes) < 1e-9 * sizes[-1]:
        better, total = int((difference > 0).sum()), int((difference != 0).sum())
        return sum(math.comb(total, k) for k in range(better, total + 1)) / (1 << total)
    if len(difference) < 2 or float(difference.std()) == 0:
        return 0.0 if float(difference.mean()) > 0 and len(difference) >= FEWEST else 1.0
    z = float(difference.mean()) / (float(difference.std(ddof=1)) / math.sqrt(len(difference)))
    return 1 - NormalDist().cdf(z)


def clearly_less(a: Array, b: Array) -> bool:
    """Whether a's loss is smaller than b's beyond doubt."""
    return p_less(a, b) < ALPHA / 2


def clearly_better(a: Array, b: Array) -> bool:
    """Whether a is better than b by a margin that matters, beyond doubt, and useful at all.

    Args:
        a: relative losses of one way of feeding.
        b: of another, on the same samples.
    """
    mine, others = float(a.mean()), float(b.mean())
    matters = mine <= PART * others or others - mine >= GAIN
    return mine <= USEFUL and matters and clearly_less(a, b)


def tied(a: Array, b: Array) -> bool:
    """Whether b's losses may as well be as small as a's, which are the smallest on these samples."""
    return p_less(a, b) > TIED


def beats_constant(losses: Losses, y: Array) -> bool | None:
    """Whether a model is better than a constant guess beyond doubt; None where these samples cannot tell.

    A classifier passes, too, if its balanced accuracy is more than chance (permutation test), or, where one class
    dominates, if it ranks samples of a class above the others (Mann-Whitney test, Bonferroni over the classes).

    Args:
        losses: of one output.
        y: its labels.
    """
    perfect = np.zeros_like(losses.constant)
    if len(losses.own) < FEWEST or not losses.telling or p_less(perfect, losses.constant) >= CHANCE_ALPHA:
        return None
    own = np.nan_to_num(losses.own, nan=np.inf)
    own = np.minimum(own, 10 * max(float(losses.constant.max()), 1e-30))
    if losses.shuffled is not None and p_less(own, losses.shuffled) >= CHANCE_ALPHA:
        return False  # masks at random share more with others than a constant does
    if p_less(own, losses.constant) < CHANCE_ALPHA:
        return True
    if losses.decided is None:
        return False
    ranks = losses.decided[..., np.newaxis] if losses.ranks is None else losses.ranks
    if losses.decided.ndim == 2:  # several labels a sample, each of its own
        labels = y.reshape(len(y), -1)
        pairs = [(losses.decided[:, j], labels[:, j], ranks[:, j]) for j in range(labels.shape[1])]
        alpha = CHANCE_ALPHA / len(pairs)
        balanced = any(_balanced(decided, label) < alpha for decided, label, _ in pairs)
        return balanced or any(_ranked(scores, label == 1) < alpha for _, label, scores in pairs)
    classes = y.reshape(len(y)).astype(np.int64)
    if _balanced(losses.decided, classes) < CHANCE_ALPHA:
        return True
    counts = np.bincount(classes)
    if counts.max() < DOMINANT * len(classes) or losses.ranks is None:
        return False
    there = np.flatnonzero(counts)
    return any(_ranked(losses.ranks[:, c], classes == c) < CHANCE_ALPHA / len(there) for c in there)


def _balanced(decided: Array, y: Array) -> float:
    """Return the p-value of the mean recall under shuffled decisions."""
    classes, inverse, counts = np.unique(y, return_inverse=True, return_counts=True)
    if len(classes) < 2:
        return 1.0
    weight = (1 / counts)[inverse]
    hit = float(weight[decided == y].sum())
    rng = np.random.default_rng(0)
    same = 0
    for _ in range(PERMUTATIONS):
        same += float(weight[rng.permutation(decided) == y].sum()) >= hit - 1e-9
    return (same + 1) / (PERMUTATIONS + 1)


def _ranked(scores: Array, positive: Array) -> float:
    """Return the one-sided p-value of the Mann-Whitney test, with ties."""
    above, below = int(positive.sum()), int((~positive).sum())
    if not above or not below:
        return 1.0
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2.0)[places]
    total = above + below
    ties = float((counts.astype(np.float64) ** 3 - counts).sum()) / (total * (total - 1))
    variance = above * below / 12 * (total + 1 - ties)
    if variance <= 0:
        return 1.0
    u = float(ranks[positive].sum()) - above * (above + 1) / 2
    return 1 - NormalDist().cdf((u - above * below / 2) / math.sqrt(variance))
