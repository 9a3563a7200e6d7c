"""Trials one after the other, with trials that are made up: ends, failures, interruptions, several workers."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from edgekit.bundle.budget import Budget
from edgekit.bundle.trials import FAILED, PRUNED, Known, Rung, Trial
from edgekit.errors import OutputError
from edgekit.pipeline.searching.database import Database
from edgekit.pipeline.searching.deadline import Expired
from edgekit.pipeline.searching.loop import MOST_FAILURES, Proposal
from edgekit.pipeline.searching.shared import AGAIN, CRASHES, RECIPE, REFINES
from edgekit.pipeline.searching.space import Space
from edgekit.processes.interruptions import Interrupted
from tests.pipeline.searching.made_up import Made, by_size, failing, trial
from tests.support.raised import raised

FIRST = {"int8": {"student": "none"}, "fastest": {"student": "scaled", "width": 0.5}}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "a.journal"


def test_so_many_trials_and_then_so_many_more(place: Path) -> None:
    made = Made(place, trials=4, first=FIRST)
    assert [t.number for t in made.run().trials] == [0, 1, 2, 3]
    assert [t.number for t in made.kept] == [0, 1, 2, 3]
    again = Made(place, trials=6, first=FIRST)
    assert len(again.run().trials) == 6
    assert [t.number for t in again.kept] == [4, 5]
    assert Made(place, trials=5).run().trials == again.run().trials


def test_a_proposal_is_the_recipe_of_the_package_or_a_point(place: Path) -> None:
    seen: list[Proposal] = []

    def attempt(proposal: Proposal) -> Trial:
        seen.append(proposal)
        return by_size(proposal)

    Made(place, attempt, trials=3, first=FIRST).run()
    assert [p.named for p in seen] == ["int8", "fastest", ""]
    assert (seen[0].choice.student, seen[1].choice.width) == ("none", 0.5)
    assert [[t.number for t in p.others] for p in seen] == [[], [0], [0, 1]]


def test_a_budget_is_told_to_the_sampler_as_constraints(place: Path) -> None:
    made = Made(place, trials=6, budget=Budget(max_bytes=800, min_accuracy=0.6))
    made.run()
    for frozen, record in zip(made.study.get_trials(), made.kept, strict=True):
        assert record.measured is not None
        assert frozen.constraints["max_bytes"] == pytest.approx(record.measured.bytes / 800 - 1)
        assert set(frozen.constraints) == {"max_bytes", "min_accuracy"}


def test_what_is_stopped_or_failed_is_kept_with_its_reason(place: Path) -> None:
    def attempt(proposal: Proposal) -> Trial:
        known = Known(9000, 9000, 100)
        stopped = trial(0, state=PRUNED, measured=None, known=known, reason="too large", code="trial-hopeless")
        failed = trial(1, state=FAILED, measured=None, reason="lost", code="connection-lost")
        return [stopped, failed, by_size(proposal)][proposal.number]

    made = Made(place, attempt, trials=3, budget=Budget(max_bytes=800))
    assert [(t.state, t.code) for t in made.run().trials] == [
        ("pruned", "trial-hopeless"), ("failed", "connection-lost"), ("complete", ""),
    ]  # fmt: skip
    states = [t.state.name for t in made.study.get_trials()]
    assert states == ["PRUNED", "FAIL", "COMPLETE"]
    assert made.study.get_trials()[0].constraints == {"max_bytes": 9000 / 800 - 1}


def test_one_failure_after_the_other_ends_the_search(place: Path) -> None:
    def attempt(proposal: Proposal) -> Trial:
        return trial(proposal.number, state=FAILED, measured=None, reason="the board is gone", code="connection-lost")

    made = Made(place, attempt, trials=50)
    with raised("search-fails", "the board is gone", "connection-lost"):
        made.run()
    assert len(made.kept) == MOST_FAILURES


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
@pytest.mark.parametrize("error", [Interrupted, KeyboardInterrupt, lambda: OutputError("full", code="disk-full")])
def test_an_interrupted_trial_is_handed_back_and_run_first(tmp_path: Path, kind: str, error: Any) -> None:
    def shared() -> Any:
        return tmp_path / "a.journal" if kind == "journal" else Database(f"sqlite:///{tmp_path / 'a.db'}")

    made = Made(shared(), failing(1, error), trials=2, first=FIRST)
    with pytest.raises(BaseException) as caught:
        made.run()
    assert isinstance(caught.value, (Interrupted, KeyboardInterrupt, OutputError))
    again = Made(shared(), trials=3)
    standing = again.run()
    assert [t.number for t in standing.trials] == [1, 2, 3]
    last = again.study.get_trials()[2]
    assert (last.user_attrs[AGAIN], last.user_attrs[CRASHES], last.user_attrs[RECIPE]) == (0, 0, "int8")


def test_when_the_time_is_over_the_trial_under_way_is_handed_back(place: Path) -> None:
    made = Made(place, failing(1, lambda: Expired("search")), trials=None, seconds=3600.0)
    standing = made.run()
    assert (standing.trials, standing.waiting, standing.running) == ((), 1, 0)


def test_a_time_that_is_over_begins_nothing(place: Path) -> None:
    made = Made(place, trials=None, seconds=1e-9)
    assert not made.run().trials


def test_where_nothing_new_is_left_a_search_ends(place: Path) -> None:
    def attempt(proposal: Proposal) -> Trial:
        same = [t.number for t in proposal.others if t.description == proposal.choice.calibration]
        made = trial(proposal.number, same_as=same[0] if same else None)
        return replace(made, description=proposal.choice.calibration)

    made = Made(place, attempt, trials=None, seconds=3600.0, space=Space(trains=False, channels=False))
    standing = made.run()
    assert {t.description for t in standing.trials if t.same_as is None} == {"minmax", "percentile", "mse"}
    assert any("nothing new" in line for line in made.heard.notified)


def test_rungs_of_others_are_seen_while_they_run(place: Path) -> None:
    seen: list[list[Rung]] = []

    def attempt(proposal: Proposal) -> Trial:
        seen.append(proposal.rungs(0.25))
        proposal.reached(Rung(0.25, {"correct": proposal.number, "samples": 10}, 100, 5.0))
        assert proposal.rungs(0.25) == seen[-1]
        return by_size(proposal)

    Made(place, attempt, trials=3).run()
    assert [[rung.score["correct"] for rung in rungs] for rungs in seen] == [[], [0], [0, 1]]


def test_some_trials_refine_one_on_the_front(place: Path) -> None:
    made = Made(place, trials=30, first=FIRST)
    made.run()
    trials = made.study.get_trials()
    refining = [t for t in trials if REFINES in t.user_attrs]
    assert len(refining) >= 3
    for one in refining:
        first = trials[one.user_attrs[REFINES]].params
        shared = {"student", "width", "taper", "temperature", "alpha", "rate", "pruned", "amount", "criterion"}
        assert {k: v for k, v in one.params.items() if k in shared} == {k: v for k, v in first.items() if k in shared}


def test_parameters_of_something_else_are_refused(place: Path) -> None:
    made = Made(place, trials=3, first={"int8": {"student": "/etc/passwd"}})
    with raised("storage-foreign", "trial 0"):
        made.run()


def test_a_fault_in_a_trial_is_no_fault_of_the_storage(place: Path) -> None:
    made = Made(place, failing(1, lambda: KeyError("a bug")), trials=3)
    with pytest.raises(KeyError):
        made.run()


def test_two_workers_share_the_trials(place: Path) -> None:
    both = threading.Barrier(2, timeout=30)

    def together(proposal: Proposal) -> Trial:
        if proposal.number < 2:
            both.wait()
        return by_size(proposal)

    workers = [Made(place, together, trials=6, first=FIRST) for _ in range(2)]
    threads = [threading.Thread(target=worker.run) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    numbers = [sorted(t.number for t in worker.kept) for worker in workers]
    assert sorted(numbers[0] + numbers[1]) == list(range(6))
    assert all(numbers)


def test_the_sampler_learns(place: Path) -> None:
    """Of a budget that little of the space keeps to, later trials keep to it more often."""
    budget = Budget(max_bytes=700, min_accuracy=0.6)
    made = Made(place, trials=60, budget=budget)
    made.run()
    kept = [all(miss <= 0 for miss in budget.misses(t.measured).values()) for t in made.kept if t.measured]
    assert sum(kept[30:]) > sum(kept[:30])
    assert optuna.logging.get_verbosity() == optuna.logging.CRITICAL
