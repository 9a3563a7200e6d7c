"""Comparisons in sentences: `B is 2.7x faster than A [2.6, 2.8]`, or what would have been seen."""

from __future__ import annotations

import math

from edgekit.reporting.comparing.changes import Changes, ScoreChange, Unknown
from edgekit.stats import CONFIDENCE
from edgekit.stats.exact import student
from edgekit.stats.ratios import POWER, Ratio
from edgekit.tasks.register import METRICS
from edgekit.tasks.scores import brief_text, brief_title

MANY = 10_000
"""Degrees of freedom of an interval from so many samples that Student's t is normal."""


def sentences(changes: Changes) -> list[str]:
    """Return what a comparison says, the latency first; a sentence a subject."""
    return [latency_sentence(changes.latency), score_sentence(changes.score), size_sentence(changes)]


def latency_sentence(found: Ratio | Unknown) -> str:
    """Return `B is 2.7x faster than A [2.6, 2.8]`, or what would have been seen."""
    if isinstance(found, Unknown):
        return f"latency: not compared: {found.why}"
    if math.isnan(found.interval.low):
        return f"latency: B takes {found.interval.value:.2f}x the time of A; one process each gives no interval"
    if found.shown:
        return f"B is {factor(found)} than A {bounds(found)}"
    change = "any change" if not found.detectable else f"a change of {_percent(found.detectable)} or more"
    return f"latency: no difference shown ({change} would have been seen)"


def factor(found: Ratio) -> str:
    """Return `2.7x faster`, or `1.04x slower`."""
    value, low, high = _oriented(found)
    return f"{value:.{_decimals(low, high)}f}x {'faster' if found.interval.value < 1 else 'slower'}"


def bounds(found: Ratio) -> str:
    """Return the interval of what `factor` says: `[2.6, 2.8]`."""
    _, low, high = _oriented(found)
    decimals = _decimals(low, high)
    return f"[{low:.{decimals}f}, {high:.{decimals}f}]"


def _oriented(found: Ratio) -> tuple[float, float, float]:
    """Return the factor with its bounds the way round that it is above 1."""
    value, low, high = found.interval.value, found.interval.low, found.interval.high
    return (1 / value, 1 / high, 1 / low) if value < 1 else (value, low, high)


def _decimals(low: float, high: float) -> int:
    """Return how many decimals of a factor tell its bounds apart, and the lower one from 1."""
    nearest = min(part for part in (high - low, abs(low - 1), 1.0) if part > 0)
    return min(3, max(1, math.ceil(-math.log10(nearest) - 0.3)))


def _percent(share: float) -> str:
    """Return a share above 0, rounded up to two digits: `3.4 %`."""
    digits = max(0, 1 - math.floor(math.log10(100 * share)))
    return f"{math.ceil(100 * share * 10**digits - 1e-9) / 10**digits:.{min(digits, 3)}f} %"


def score_sentence(found: ScoreChange | Unknown) -> str:
    """Return by how much the score changes, and whether chance explains it."""
    if isinstance(found, Unknown):
        return f"accuracy: not compared: {found.why}"
    name = brief_title(found.here.metric)
    if found.same:
        return f"{name}: the same prediction for each of {found.here.samples:,} samples"
    change = score_difference(found)
    if not found.tested:
        return f"{name}: {change}; {found.note}"
    how = ""
    if found.paired is not None:
        gained, lost = found.paired.gained, found.paired.lost
        split = f"{gained:,} gained and {lost:,} lost of {found.paired.samples:,} samples"
        how = f", p {_p(found.paired.p)}: {split}"
    if found.shown:
        return f"{name}: {brief_text(found.there)} of B, {brief_text(found.here)} of A: {change}{how}"
    return f"{name}: no difference shown ({change}{how}; {seen(found)} or more would have been seen)"


def score_difference(found: ScoreChange) -> str:
    """Return `-0.31 points [-0.6, -0.1]`, or `+0.012 [0.010, 0.014]` of what is no share."""
    part = found.difference
    if is_share(found):
        points = [100 * number for number in (part.value, part.low, part.high)]
        text = f"{points[0]:+.2f} points"
        return text if math.isnan(points[1]) else f"{text} [{points[1]:+.2f}, {points[2]:+.2f}]"
    text = f"{part.value:+.3g}"
    return text if math.isnan(part.low) else f"{text} [{part.low:+.3g}, {part.high:+.3g}]"


def is_share(found: ScoreChange) -> bool:
    """Return whether a score is a share of something, shown in percent."""
    known = METRICS.get(found.here.metric)
    return known is not None and known.unit == "%"


def detectable_score(found: ScoreChange) -> float:
    """Return the smallest change of the score that would have been seen with a probability of `POWER`."""
    half = (found.difference.high - found.difference.low) / 2
    return half * (1 + student(POWER, MANY) / student((1 + CONFIDENCE) / 2, MANY))


def seen(found: ScoreChange) -> str:
    """Return the smallest change that would have been seen, as text."""
    size = detectable_score(found)
    return f"{100 * size:.2g} points" if is_share(found) else f"{size:.2g}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"


def size_sentence(changes: Changes) -> str:
    """Return how the files differ in bytes."""
    ours, theirs = changes.pair.here.subject, changes.pair.there.subject
    if ours.sha256 == theirs.sha256 and ours.bytes == theirs.bytes:
        return f"the files are identical: {ours.bytes:,} bytes"
    return f"size: {size_change(ours.bytes, theirs.bytes)}: {theirs.bytes:,} bytes against {ours.bytes:,}"


def size_change(here: int, there: int) -> str:
    """Return `3.23x smaller`."""
    if here == there:
        return "equal"
    ratio, word = (here / there, "smaller") if there < here else (there / here, "larger")
    return f"{ratio:.2f}x {word}" if ratio >= 1.005 else f"{abs(there - here):,} bytes {word}"
