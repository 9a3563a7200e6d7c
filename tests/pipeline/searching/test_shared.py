"""What workers share: journals and databases, damaged and foreign ones, and trials of dead workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest

from edgekit.errors import EdgekitError, InputError
from edgekit.pipeline.searching.database import Database
from edgekit.pipeline.searching.journal import Journal
from edgekit.pipeline.searching.shared import AGAIN, CRASHES, MOST_CRASHES, RECIPE, Shared, requeue
from tests.support.raised import raised

pytestmark = pytest.mark.filterwarnings("ignore:Heartbeat of storage:UserWarning")
WAITING, FAIL, RUNNING = optuna.trial.TrialState.WAITING, optuna.trial.TrialState.FAIL, optuna.trial.TrialState.RUNNING


@pytest.fixture(params=["journal", "sqlite"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Shared:
    return Journal(tmp_path / "a.journal") if request.param == "journal" else Database(f"sqlite:///{tmp_path / 'a.db'}")


def study_in(shared: Shared) -> optuna.Study:
    return optuna.create_study(
        storage=shared.storage, study_name="s", directions=["maximize", "minimize"], load_if_exists=True
    )


def states(study: optuna.Study) -> list[Any]:
    return [trial.state for trial in study.get_trials(deepcopy=False)]


def test_two_workers_see_the_same_trials(shared: Shared, tmp_path: Path) -> None:
    first, second = study_in(shared), study_in(shared)
    trial = first.ask()
    trial.suggest_float("width", 0, 1)
    first.tell(trial, [0.9, 1000.0])
    [seen] = second.get_trials()
    assert (seen.values, seen.params) == ([0.9, 1000.0], trial.params)


def test_a_queued_trial_is_given_once(shared: Shared) -> None:
    first, second = study_in(shared), study_in(shared)
    first.enqueue_trial({"width": 0.5}, user_attrs={RECIPE: "int8"})
    one, other = first.ask(), second.ask()
    assert [one.user_attrs, other.user_attrs] == [{RECIPE: "int8"}, {}]
    assert one.suggest_float("width", 0, 1) == 0.5


def test_a_trial_is_queued_again_with_its_parameters(shared: Shared) -> None:
    study = study_in(shared)
    study.enqueue_trial({"width": 0.5, "alpha": 0.25}, user_attrs={RECIPE: "qat"})
    for crash in range(1, MOST_CRASHES + 1):
        trial = study.ask()
        assert trial.suggest_float("width", 0, 1) == 0.5
        study.tell(trial.number, state=FAIL)
        requeue(study, study.get_trials()[-1])
        assert states(study)[-1] == (WAITING if crash < MOST_CRASHES else FAIL)
    assert study.get_trials()[1].user_attrs == {RECIPE: "qat", AGAIN: 0, CRASHES: 1}


def test_handing_back_is_no_crash(shared: Shared) -> None:
    study = study_in(shared)
    study.enqueue_trial({"width": 0.5})
    for _ in range(5):
        trial = study.ask()
        study.tell(trial.number, state=FAIL)
        requeue(study, study.get_trials()[-1], crashed=False)
        assert states(study)[-1] == WAITING


HOLD = """
import sys, time
from pathlib import Path
import optuna
from edgekit.pipeline.searching.journal import Journal
optuna.logging.set_verbosity(optuna.logging.ERROR)
shared = Journal(Path(sys.argv[1]))
study = optuna.load_study(storage=shared.storage, study_name="s")
with shared.turn():
    trial = study.ask()
    lease = shared.lease(trial.number)
    lease.__enter__()
trial.suggest_float("width", 0, 1)
print(trial.number, trial.params["width"], flush=True)
time.sleep(60)
"""


@pytest.mark.processes
def test_the_trial_of_a_killed_worker_is_run_again(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    shared = Journal(path)
    study = study_in(shared)
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        number, width = other.stdout.readline().split()
        with shared.turn():
            shared.reap(study)
        assert states(study) == [RUNNING]
        other.send_signal(signal.SIGKILL)
        other.wait()
    with shared.turn():
        shared.reap(study)
    assert states(study) == [FAIL, WAITING]
    again = study.ask()
    assert (number, again.user_attrs[AGAIN], again.user_attrs[CRASHES]) == ("0", 0, 1)
    assert again.suggest_float("width", 0, 1) == float(width)


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    study = study_in(Journal(path))
    study.tell(study.ask(), [0.5, 1.0])
    whole = path.read_bytes()
    path.write_bytes(whole + whole.splitlines()[-1][:20])
    again = study_in(Journal(path))
    assert len(again.get_trials()) == 1
    again.tell(again.ask(), [0.6, 1.0])
    assert len(study.get_trials()) == len(study_in(Journal(path)).get_trials()) == 2
    assert path.read_bytes().startswith(whole)


@pytest.mark.parametrize(
    "content",
    [
        b"hello\nthere\n",
        b'{"op_code":0}\n',
        b"[1]\n",
        b'{"op_code":99,"worker_id":"x"}\n',
        os.urandom(300),
        b"PK\3\4 no",
    ],
)
def test_what_is_no_journal_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.txt"
    path.write_bytes(content)
    with raised("storage-damaged", "mine.txt", kind=InputError):
        Journal(path)
    assert path.read_bytes() == content


def test_damage_in_the_middle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    study = study_in(Journal(path))
    study.tell(study.ask(), [0.5, 1.0])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[1][:15] + b"\n", *lines[2:]]))
    with raised("storage-damaged"):
        Journal(path)


def test_a_folder_is_no_journal(tmp_path: Path) -> None:
    with raised("not-a-file"):
        Journal(tmp_path)


@pytest.mark.parametrize("url", ["redis://localhost", "grpc://x", "sqlite+nothing:///a.db", "sqlite", "http://x/y"])
def test_other_storages_are_refused(url: str) -> None:
    with raised("storage-unknown", kind=InputError):
        Database(url)


def test_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise optuna.exceptions.StorageInternalError("x") from OSError("connection refused")

    monkeypatch.setattr(optuna.storages, "RDBStorage", refuse)
    with raised("storage-unreachable", "connection refused", "me:***@server", kind=EdgekitError) as caught:
        Database("postgresql://me:secret@server/searches")
    assert "secret" not in f"{caught.value.message}{caught.value.hint}"


def test_a_database_that_cannot_be_opened(tmp_path: Path) -> None:
    with raised("storage-unreachable", "unable to open"):
        Database(f"sqlite:///{tmp_path}/none/a.db")


def test_a_driver_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(*_: Any, **__: Any) -> None:
        raise ImportError("No module named 'psycopg'")

    monkeypatch.setattr(optuna.storages, "RDBStorage", lacking)
    with raised("storage-driver-missing", "psycopg[binary]", kind=InputError):
        Database("postgresql://me@server/searches")
