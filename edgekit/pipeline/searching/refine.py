"""Every few trials one begins with the student of a trial on the front: its long stages are there, the last ones vary.

That is where the cache of finished stages pays: the sampler alone hardly ever draws the same width twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from edgekit.bundle.trials import Trial
from edgekit.pipeline.searching.shared import RECIPE, REFINES, number_of
from edgekit.pipeline.searching.study import STARTUP, Standing
from edgekit.schema.types import JsonValue

if TYPE_CHECKING:
    import optuna

EVERY = 3
"""Trials, of which one refines another."""
KEPT = (
    "student", "width", "taper", "shallower", "temperature", "alpha", "rate", "pruned", "amount", "criterion",
    "augment",
)  # fmt: skip
"""Parameters of the stages that take most of the time."""
TRAINED = ("width", "amount")
"""Parameters of which a trial has one, if it has such a stage."""


def refined(study: optuna.Study, standing: Standing, front: Sequence[Trial]) -> int | None:
    """Queue a trial that refines one on the front, if it is its turn; return which one.

    Args:
        study: the trials.
        standing: how far the search is.
        front: the trials on it.
    """
    if standing.waiting or len(standing.trials) < STARTUP or len(standing.trials) % EVERY:
        return None
    frozen = study.get_trials(deepcopy=False)
    often = Counter(number_of(trial, REFINES) for trial in frozen)
    here = {trial.number for trial in front}
    chosen = [
        trial
        for trial in frozen
        if trial.number in here and RECIPE not in trial.user_attrs and set(TRAINED) & set(trial.params)
    ]
    if not chosen:
        return None
    first = min(chosen, key=lambda trial: (often[trial.number], -trial.number))
    study.enqueue_trial(_kept(first.params), user_attrs={REFINES: first.number})
    return first.number


def _kept(params: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {name: params[name] for name in KEPT if name in params}
