"""Successive halving: who goes on."""

from __future__ import annotations

from typing import Any

from edgekit.bundle.recipe import Recipe, StageSpec
from edgekit.bundle.trials import Rung
from edgekit.pipeline.searching.halving import FIRST_SHARE, goes_on, shares


def rung(correct: int, size: int = 1000, cost: float = 5.0, samples: int = 1000) -> Rung:
    return Rung(FIRST_SHARE, {"correct": correct, "samples": samples}, size, cost)


def recipe(*epochs: int) -> Recipe:
    return Recipe("x", stages=tuple(StageSpec("finetune", {"epochs": n}) for n in epochs))


def test_long_trials_begin_with_a_share_of_their_epochs() -> None:
    assert shares(recipe(40, 20), "") == (FIRST_SHARE, 1.0)
    assert shares(recipe(40, 20), "channels-qat") == (1.0,)
    assert shares(recipe(3, 2), "") == (1.0,)
    assert shares(recipe(), "") == (1.0,)


def test_near_the_front_is_within_the_noise_of_those_no_larger() -> None:
    others = [rung(900), rung(880, 800), rung(500, 300)]
    assert goes_on(rung(885), others, more=True)
    assert not goes_on(rung(850), others, more=True)
    assert goes_on(rung(850, 700), others, more=True)
    assert not goes_on(rung(850, cost=50.0), others, more=True)
    assert goes_on(rung(850, cost=4.0), others, more=True)


def test_few_others_stop_nobody() -> None:
    assert goes_on(rung(100), [rung(900)] * 2, more=True)
    assert not goes_on(rung(100), [rung(900)] * 3, more=True)


def test_less_is_better_of_errors() -> None:
    def error(value: float, **bounds: float) -> Rung:
        score: dict[str, Any] = {"metric": "mae", "value": value, "samples": 10, **bounds}
        return Rung(FIRST_SHARE, score, 1000, 5.0)

    others = [error(0.1)] * 3
    assert not goes_on(error(0.2), others, more=False)
    assert goes_on(error(0.2, low=0.0, high=0.4), others, more=False)
    assert goes_on(error(0.05), others, more=False)
