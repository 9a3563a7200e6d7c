"""The Pareto front, and what comes nearest to a budget."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

from edgekit.bundle.budget import Budget
from edgekit.bundle.trials import FAILED, PRUNED
from edgekit.pipeline.searching.front import Goals, best_effort, front, nearest
from tests.pipeline.searching.made_up import measured, trial


def numbers(trials: Any) -> list[int]:
    return [t.number for t in trials]


def test_what_is_beaten_in_nothing_is_on_the_front_largest_first() -> None:
    trials = [
        trial(0, 90, 1000, 5000), trial(1, 80, 500, 2000), trial(2, 80, 600, 2000), trial(3, 85, 500, 9000),
        trial(4, 95, 3000, 9000), trial(5, 60, 500, 1000),
    ]  # fmt: skip
    assert numbers(front(trials, Goals())) == [4, 0, 1, 3, 5]
    assert numbers(front(list(reversed(trials)), Goals())) == [4, 0, 5, 3, 1]


def test_the_front_is_the_front_by_definition(rng: Any) -> None:
    trials = [trial(n, *map(int, rng.integers(1, 8, 3))) for n in range(60)]
    goals = Goals()
    found = set(numbers(front(trials, goals)))
    for one, other in itertools.permutations(trials, 2):
        assert one.measured and other.measured
        a, b = goals.losses(one.measured), goals.losses(other.measured)
        if all(x <= y for x, y in zip(a, b, strict=True)) and a != b:
            assert other.number not in found
    losses = {goals.losses(t.measured) for t in trials if t.measured and t.number in found}
    assert len(losses) == len(found)


def test_only_files_that_keep_to_the_budget() -> None:
    trials = [trial(0, 90, 1000), trial(1, 80, 500), trial(2, 70, 300)]
    budget = Budget(max_bytes=600, min_accuracy=0.75)
    assert numbers(front(trials, Goals(budget=budget))) == [1]
    assert numbers(front(trials, Goals(budget=Budget(max_bytes=100)))) == []
    assert numbers(best_effort(trials, Goals(budget=Budget(max_bytes=100)))) == [0, 1, 2]


def test_of_what_is_stopped_failed_or_the_same_there_is_no_file() -> None:
    trials = [trial(0, 50, 900), trial(1, state=PRUNED), trial(2, state=FAILED), trial(3, 99, same_as=0)]
    assert numbers(front(trials, Goals())) == [0]
    assert nearest([], Goals()) is None


def test_the_nearest_and_by_how_much_it_misses() -> None:
    trials = [trial(0, 90, 1000), trial(1, 80, 630), trial(2, 60, 500)]
    found = nearest(trials, Goals(budget=Budget(max_bytes=600, min_accuracy=0.8)))
    assert found is not None
    assert found[0].number == 1
    assert found[1] == {"max_bytes": 1.05 - 1}


def test_less_is_better_of_errors_and_gzip_and_latency_count_where_asked() -> None:
    def error(number: int, value: float) -> Any:
        scored = replace(measured(), score={"metric": "mae", "value": value, "samples": 10})
        return trial(number, measured=scored)

    assert numbers(front([error(0, 0.5), error(1, 0.1), error(2, math.nan)], Goals(more=False))) == [1]
    packed = [trial(0, measured=measured(size=1000, gzip_bytes=300)), trial(1, measured=measured(size=900))]
    assert numbers(front(packed, Goals(gzip=True))) == [0]
    assert numbers(front(packed, Goals())) == [1]
    timed = [trial(0, measured=measured(macs=9, latency_ms=2.0)), trial(1, measured=measured(macs=8, latency_ms=3.0))]
    assert numbers(front(timed, Goals(latency=True))) == [0]
    assert numbers(front(timed, Goals())) == [1]
    assert Goals().cost(measured(macs=None)) == 1000
