"""Differences and ratios of two independent estimates, from the interval of each."""

from __future__ import annotations

import math

from edgekit.stats import Interval


def unpaired_difference(one: Interval, other: Interval) -> Interval:
    """Return one minus the other, of estimates on independent samples.

    The distances of both estimates from their own limits are added as squares: method 10 of Newcombe 1998
    ("Interval estimation for the difference between independent proportions") where the two are Wilson intervals, and
    the same recovery of variances for other estimates (Zou and Donner 2008). Where both are of the same samples the
    interval is too wide: errors that the two share do not cancel.

    Returns:
        The difference; low and high are NaN where either estimate has no interval.
    """
    value = one.value - other.value
    low = value - math.hypot(one.value - one.low, other.high - other.value)
    high = value + math.hypot(one.high - one.value, other.value - other.low)
    return Interval(value, low, high)


def unpaired_change(after: Interval, before: Interval) -> Interval:
    """Return after / before - 1 of positive estimates on independent samples, by the same method on logarithms.

    Returns:
        The relative change; low is -1 where `after` may be 0, high infinite where `before` may be. NaN as above, and
        all three where `before` is 0.
    """
    if before.value <= 0 or after.value < 0:
        return Interval(math.nan, math.nan, math.nan)
    difference = unpaired_difference(_logarithms(after), _logarithms(before))
    bounds = (_change(difference.low), _change(difference.high))
    return Interval(after.value / before.value - 1, *bounds)


def _logarithms(value: Interval) -> Interval:
    return Interval(*(math.log(part) if part > 0 else -math.inf if part <= 0 else math.nan for part in _parts(value)))


def _parts(value: Interval) -> tuple[float, float, float]:
    return value.value, value.low, value.high


def _change(logarithm: float) -> float:
    return math.inf if logarithm > 700 else math.expm1(logarithm)
