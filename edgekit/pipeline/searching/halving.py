"""Epochs by successive halving: a trial begins with a share of its epochs, and goes on if it is near the front then.

Asynchronous, so that no worker waits for others (Li et al. 2020, "A System for Massively Parallel Hyperparameter
Tuning", arXiv 1810.05934): a trial is compared with what was there at the same share when it came that far. There are
several goals, so near the front takes the place of the best fraction: no other of at most the same size and cost is
better by more than the noise of the score. The first rung is trained anew for the second: a schedule of the learning
rate over fewer epochs is no beginning of one over more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgekit.bundle.recipe import Recipe
from edgekit.bundle.trials import Rung

FIRST_SHARE = 0.25
FEWEST_EPOCHS = 16
"""Of all stages together: below, a share of them tells nothing, and saves nothing."""
FEWEST_OTHERS = 3
"""Trials at the same share, below which every one goes on."""


def shares(recipe: Recipe, named: str) -> tuple[float, ...]:
    """Return the shares of its epochs by which a recipe is trained; one of the package is what others are judged by."""
    epochs = sum(int(spec.options.get("epochs", 1)) for spec in recipe.stages)
    return (1.0,) if named or epochs < FEWEST_EPOCHS else (FIRST_SHARE, 1.0)


def goes_on(rung: Rung, others: Sequence[Rung], *, more: bool) -> bool:
    """Return whether a trial is near the front.

    Args:
        rung: of the trial.
        others: of other trials at the same share.
        more: whether more of the metric is better.
    """
    if len(others) < FEWEST_OTHERS:
        return True
    sign = 1 if more else -1
    own = rung.scored.interval
    noise = (own.high - own.low) / 2 if math.isfinite(own.high - own.low) else 0.0
    rivals = [sign * o.scored.value for o in others if o.bytes <= rung.bytes and o.cost <= rung.cost]
    return not any(rival - sign * own.value > noise for rival in rivals)
