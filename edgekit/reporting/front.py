"""What is best of both: the Pareto front of costs and scores."""

from __future__ import annotations

import math
from collections.abc import Sequence


def on_front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Return which points are on the Pareto front: none costs less or as much, and scores more, and the other way.

    Args:
        points: cost and score of each; less cost and more score is better. What is not finite is on no front.
    """
    best = -math.inf
    front = [False] * len(points)
    finite = [i for i, point in enumerate(points) if all(map(math.isfinite, point))]
    at_best: float | None = None
    for index in sorted(finite, key=lambda i: (points[i][0], -points[i][1])):
        cost, score = points[index]
        if score > best:
            best, at_best = score, cost
            front[index] = True
        elif score == best and cost == at_best:  # the same point again
            front[index] = True
    return front
