"""What a search is about: others are refused, and what differs is named; and how far it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
import pytest

from edgekit.bundle.budget import Budget
from edgekit.pipeline.searching.journal import Journal
from edgekit.pipeline.searching.settings import Settings
from edgekit.pipeline.searching.shared import AGAIN, RECIPE, RECORD, requeue
from edgekit.pipeline.searching.study import IDENTITY, Standing, agreed, check_same, known_identity, open_study
from tests.pipeline.searching.made_up import identity, trial
from tests.support.raised import raised

SETTINGS = Settings(budget=Budget(max_bytes=60000), seed=3, preprocessing={"mean": [0.5, 0.25]})
ABOUT = {"edgekit": "1", "model": "m", "data": "d"}
FIRST = [("int8", {"quantize": "calibrate"}), ("qat", {"quantize": "train"}), ("", {"quantize": "train"})]
NAMES = ["int8", "qat", ""]


@pytest.fixture
def shared(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "a.journal")


def started(shared: Journal, settings: Settings = SETTINGS) -> optuna.Study:
    study, _ = open_study(shared, "edgekit", identity(settings), FIRST, more=True)
    return study


def test_recipes_of_the_package_come_first_and_once(shared: Journal) -> None:
    study = started(shared)
    again = started(shared)
    assert [t.user_attrs[RECIPE] for t in again.get_trials()] == NAMES
    assert [d.name for d in study.directions] == ["MAXIMIZE", "MINIMIZE", "MINIMIZE"]
    first = study.ask()
    assert first.suggest_categorical("quantize", ["calibrate", "train"]) == "calibrate"


def test_a_starter_that_died_is_stood_in_for(shared: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgekit.pipeline.searching.study.PREPARE_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(optuna.Study, "enqueue_trial", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            started(shared)
    study = started(shared)
    assert [t.user_attrs[RECIPE] for t in study.get_trials()] == NAMES


def test_what_is_written_is_read_back(shared: Journal) -> None:
    assert known_identity(shared, "edgekit") is None
    started(shared)
    assert known_identity(shared, "edgekit") == identity(SETTINGS)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model": "n" * 64}, ("SHA-256 of the model", "n" * 64, "m" * 64)),
        ({"data": "e" * 64}, ("SHA-256 of the data", "e" * 64)),
        ({"edgekit": "0.1"}, ("edgekit is", "0.1")),
        ({"settings": replace(SETTINGS, seed=4)}, ("--seed",)),
        ({"settings": replace(SETTINGS, budget=Budget(max_bytes=50000))}, ("--max-size", "60000", "50000")),
        ({"settings": replace(SETTINGS, preprocessing={})}, ("--scale",)),
    ],
)
def test_another_search_is_refused_and_what_differs_named(
    shared: Journal, changes: dict[str, Any], named: tuple[str, ...]
) -> None:
    here = identity(SETTINGS)
    with raised("study-differs", *named):
        check_same(here, replace(here, **changes), "x")
    started(shared)
    with raised("study-differs", *named):
        open_study(shared, "edgekit", replace(here, **changes), FIRST, more=True)


def test_who_joins_has_what_he_does_not_give(shared: Journal) -> None:
    with raised("study-missing", "--join"):
        agreed(None, Settings(), join=True, where="x", name="edgekit")
    assert agreed(None, SETTINGS, join=False, where="x", name="edgekit") == SETTINGS
    known = identity(SETTINGS)
    assert agreed(known, Settings(), join=True, where="x", name="edgekit") == SETTINGS
    assert agreed(known, Settings(seed=3), join=True, where="x", name="edgekit") == SETTINGS
    with raised("study-differs", "--seed"):
        agreed(known, Settings(seed=4), join=True, where="x", name="edgekit")
    with raised("study-differs", "--max-size"):
        agreed(known, Settings(budget=Budget(max_bytes=5)), join=True, where="x", name="edgekit")
    with raised("study-differs", "--max-size", "--seed"):
        agreed(known, Settings(), join=False, where="x", name="edgekit")


def test_files_of_a_search_are_not_looked_for(shared: Journal) -> None:
    known = identity(replace(SETTINGS, files=("a" * 64,), teacher="b" * 64))
    for given, lacking in ((Settings(), "a" * 64), (Settings(files=("a" * 64,)), "b" * 64)):
        with raised("study-differs", lacking):
            agreed(known, given, join=True, where="x", name="edgekit")
    whole = Settings(files=("a" * 64,), teacher="b" * 64)
    assert agreed(known, whole, join=True, where="x", name="edgekit") == known.settings


def test_no_code_is_run_on_the_word_of_a_storage() -> None:
    known = identity(replace(SETTINGS, metric="os:system"))
    with raised("study-differs", "os:system", "--metric"):
        agreed(known, Settings(), join=True, where="x", name="edgekit")
    given = Settings(metric="os:system")
    assert agreed(known, given, join=True, where="x", name="edgekit").metric == "os:system"


def test_a_study_of_somebody_else(shared: Journal) -> None:
    optuna.create_study(storage=shared.storage, study_name="edgekit")
    with raised("storage-foreign", "`edgekit`", "--study"):
        known_identity(shared, "edgekit")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"schema": 2}, "schema-too-new"), ({"schema": 1}, "key-missing"), ("text", "value-wrong-type"),
        ({"schema": 1, "settings": {"seed": "x"}, **ABOUT}, "value-wrong-type"),
        ({"schema": 1, "settings": {"target": "../x.toml"}, **ABOUT}, "value-not-valid"),
    ],
)  # fmt: skip
def test_a_storage_may_say_anything(shared: Journal, value: Any, code: str) -> None:
    study = started(shared)
    study.set_user_attr(IDENTITY, value)
    with raised(code, "edgekit"):
        known_identity(shared, "edgekit")


def test_standing_counts_what_is_finished_and_not_run_again(shared: Journal) -> None:
    study = started(shared)
    done = study.ask()
    done.set_user_attr(RECORD, trial(7).to_dict())  # whatever the record says, the storage numbers trials
    study.tell(done, [0.9, 1000.0, 5.0])
    lost = study.ask()
    study.tell(lost.number, state=optuna.trial.TrialState.FAIL)
    requeue(study, study.get_trials()[lost.number])
    study.ask()
    standing = Standing.of(study, "x")
    assert [t.number for t in standing.trials] == [0]
    assert (standing.running, standing.waiting) == (1, 1)
    assert study.get_trials()[-1].user_attrs[AGAIN] == 1
    for _ in range(2):
        left = study.ask()
        study.tell(left.number, state=optuna.trial.TrialState.FAIL)
    assert [(t.state, t.code) for t in Standing.of(study, "x").trials[1:]] == [("failed", "trial-crashed")] * 2


def test_a_record_of_something_else(shared: Journal) -> None:
    study = started(shared)
    done = study.ask()
    done.set_user_attr(RECORD, {"schema": 1, "number": "x"})
    study.tell(done, [0.9, 1000.0, 5.0])
    with raised("key-missing", "trial 0"):
        Standing.of(study, "x")


def test_time_counts_once_however_many_workers(shared: Journal) -> None:
    study = started(shared)
    start = datetime(2026, 1, 1)
    for begin, end in ((0, 10), (5, 20), (100, 130), (110, 120)):
        study.add_trial(
            optuna.trial.FrozenTrial(
                number=0, trial_id=0, state=optuna.trial.TrialState.FAIL, value=None, params={}, distributions={},
                user_attrs={}, system_attrs={}, intermediate_values={},
                datetime_start=start + timedelta(seconds=begin), datetime_complete=start + timedelta(seconds=end),
            )
        )  # fmt: skip
    assert Standing.of(study, "x").seconds == 50


def test_a_gaussian_process_needs_torch(shared: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with raised("sampler-needs-torch"):
        started(shared, replace(SETTINGS, sampler="gp"))
