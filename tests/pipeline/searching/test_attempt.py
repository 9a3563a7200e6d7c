"""Trials of a tiny model: known before training, stopped, shared stages, failures of all kinds, the bundle of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.bundle.budget import Budget
from edgekit.bundle.recipe import Recipe
from edgekit.bundle.trials import Measured, Rung, Trial
from edgekit.devices.device import open_device
from edgekit.errors import ConnectionFailed, InputError, OutputError
from edgekit.pipeline.meter import FileMeter
from edgekit.pipeline.searching.attempt import Attempt, Tools
from edgekit.pipeline.searching.cache import StageCache
from edgekit.pipeline.searching.choice import Choice
from edgekit.pipeline.searching.deadline import Expired, Timed
from edgekit.pipeline.searching.folder import Folder
from edgekit.pipeline.searching.front import Goals
from edgekit.pipeline.searching.known import Outlines, check_reachable
from edgekit.pipeline.searching.loop import Proposal
from edgekit.pipeline.searching.options import Limits, Options
from edgekit.pipeline.searching.publish import Publisher
from edgekit.pipeline.searching.settings import Settings
from edgekit.pipeline.searching.space import Space
from edgekit.pipeline.searching.subject import Subject, open_subject, space_of
from edgekit.progress import SILENT
from edgekit.techniques.finetune import Finetune
from edgekit.techniques.prune import Prune
from edgekit.techniques.qat import Quantize
from tests.support.heard import Heard
from tests.support.raised import raised
from tests.techniques import tiny

pytestmark = pytest.mark.tensorflow
SETTINGS = Settings(effort=0.02)
PRUNED = Choice(amount=0.5, quantize="train", qat_epochs=2)


@dataclass
class Bench:
    """A subject, and what trials of it are run with."""

    subject: Subject
    space: Space
    folder: Folder
    scratch: Path
    tools: Tools
    kept: list[tuple[Trial, Recipe, Path | None]]

    def attempt(self, choice: Choice = PRUNED, number: int = 0, **more: Any) -> Trial:
        fields: dict[str, Any] = {"named": "", "others": (), "rungs": lambda share: [], "reached": lambda rung: None}
        return Attempt(self.tools)(Proposal(number, choice, **(fields | more)))

    def under(self, budget: Budget) -> None:
        self.tools = replace(self.tools, goals=Goals(budget=budget))

    def alone(self) -> None:
        """Train stages that other tests have trained, too."""
        self.tools = replace(self.tools, stages=StageCache(1 << 30))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("files")
    tiny.trained().save(place / "tiny.keras")
    data = tiny.data()
    arrays = {name: getattr(data, name) for name in ("x_train", "y_train", "x_test", "y_test")}
    np.savez(place / "rows.npz", **arrays)
    return place / "tiny.keras", place / "rows.npz"


def asked(files: tuple[Path, Path], out: Path) -> Options:
    return Options(settings=SETTINGS, limits=Limits(trials=1), model=files[0], data=str(files[1]), out=out)


@pytest.fixture(scope="module")
def subject(files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return open_subject(asked(files, tmp_path_factory.mktemp("out")), SETTINGS, SILENT)


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> StageCache:
    """What any test here has trained."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEKIT_WORK", str(tmp_path_factory.mktemp("stages")))
        return StageCache(1 << 30)


@pytest.fixture
def bench(subject: Subject, files: tuple[Path, Path], stages: StageCache, tmp_path: Path) -> Iterator[Bench]:
    space, folder = space_of(subject, asked(files, tmp_path / "found"), SETTINGS), Folder(tmp_path / "found")
    (scratch := tmp_path / "scratch").mkdir()
    kept: list[tuple[Trial, Recipe, Path | None]] = []

    def keep(trial: Trial, recipe: Recipe, file: Path | None) -> None:
        kept.append((trial, recipe, file))
        folder.keep(trial, recipe, file)

    job = subject.job
    with open_device() as device:
        meter = FileMeter(device, job.source.model.model, job.splits, job.preprocessing, job.task, 18, scratch)
        tools = Tools(subject, space, Goals(), stages, device, meter, Outlines(scratch), None, keep, lambda: SILENT)
        yield Bench(subject, space, folder, scratch, tools, kept)


def test_the_space_is_what_the_model_allows(bench: Bench) -> None:
    assert bench.space.students == ("none", "scaled", "sliced")
    assert bench.space.criteria == ("l1", "l2", "bn-gamma", "taylor")
    assert bench.space.trains and bench.space.channels


def test_a_trial_is_measured_on_its_file(bench: Bench) -> None:
    bench.alone()
    done = bench.attempt()
    [(kept, recipe, file)] = bench.kept
    assert kept == done
    assert file is not None and done.measured is not None
    assert (done.state, [s.use for s in recipe.stages]) == ("complete", ["prune", "quantize"])
    assert done.measured.scored.samples == 18
    assert done.measured.memory_bytes and done.measured.macs
    assert 0 < done.trained_seconds < done.seconds
    assert bench.folder.made_here(0)


@pytest.mark.e2e
def test_stages_that_trials_share_are_trained_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    first = bench.attempt()
    monkeypatch.setattr(Prune, "run", lambda *_: pytest.fail("pruned again"))
    other = bench.attempt(replace(PRUNED, quantize="calibrate"), 1)
    assert other.state == "complete"
    assert other.trained_seconds == 0
    monkeypatch.setattr(Quantize, "run", lambda *_: pytest.fail("trained again"))
    again = bench.attempt(number=2)
    assert again.measured == first.measured


def test_the_same_recipe_is_not_run_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    first = bench.attempt()
    monkeypatch.setattr("edgekit.pipeline.searching.attempt.run_stages", lambda *_: pytest.fail("ran"))
    again = bench.attempt(number=5, others=[first])
    assert (again.same_as, again.measured, again.state) == (0, first.measured, "complete")


@pytest.mark.parametrize("bounds", [{"max_bytes": 1500}, {"max_macs": 500}, {"max_memory_bytes": 20}])
def test_what_is_hopeless_is_not_trained(bench: Bench, monkeypatch: pytest.MonkeyPatch, bounds: dict[str, int]) -> None:
    monkeypatch.setattr("edgekit.pipeline.searching.attempt.run_stages", lambda *_: pytest.fail("trained"))
    bench.under(Budget(**bounds))
    done = bench.attempt(Choice(student="scaled", width=0.9))
    assert (done.state, done.code, done.measured) == ("pruned", "trial-hopeless", None)
    assert done.known is not None and done.known.bytes > 1500


@pytest.mark.e2e
def test_what_is_known_is_near_what_is_made(bench: Bench) -> None:
    bench.under(Budget(max_bytes=10**6))
    for choice in (PRUNED, Choice(student="sliced", width=0.5, taper=2.0), Choice()):
        done = bench.attempt(choice)
        assert done.known is not None and done.measured is not None
        assert (done.known.macs, done.known.memory_bytes) == (done.measured.macs, done.measured.memory_bytes)
        assert 0.9 < done.known.bytes / done.measured.bytes < 1.03


def test_a_stage_that_finds_nothing_left_stops_the_trial_before_training(bench: Bench) -> None:
    done = bench.attempt(Choice(student="scaled", width=0.05, amount=0.5))
    assert (done.state, done.code, done.trained_seconds) == ("pruned", "nothing-to-prune", 0.0)


def test_a_budget_that_nothing_can_keep_to_is_refused(bench: Bench) -> None:
    arguments = (bench.subject, bench.space, bench.tools.outlines)
    with raised("budget-unreachable", "--max-size", kind=InputError):
        check_reachable(Budget(max_bytes=300), *arguments, gzip=False)
    check_reachable(Budget(max_bytes=300), *arguments, gzip=True)
    check_reachable(Budget(max_bytes=10**6, max_macs=10**6), *arguments, gzip=False)


@pytest.mark.e2e
def test_rungs(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgekit.pipeline.searching.halving.FEWEST_EPOCHS", 2)
    bench.alone()
    reached: list[Rung] = []
    done = bench.attempt(reached=reached.append)
    assert done.state == "complete"
    assert done.rungs == tuple(reached)
    assert [rung.share for rung in reached] == [0.25]
    rival = replace(reached[0], score={"correct": 18, "samples": 18}, bytes=1, cost=1.0)
    assert done.measured is not None
    poor = replace(done.measured, score={"correct": 1, "samples": 18})
    (file := tmp_path / "poor.tflite").write_bytes(b"not looked at")

    def made(self: Any, recipe: Recipe) -> Measured:
        self.file = file
        return poor

    monkeypatch.setattr("edgekit.pipeline.searching.attempt._Run._made", made)  # trained and exported above
    stopped = bench.attempt(replace(PRUNED, amount=0.6), 1, rungs=lambda share: [rival] * 3)
    assert (stopped.state, stopped.code) == ("pruned", "trial-behind")
    assert bench.attempt(PRUNED, 2, rungs=lambda share: [rival] * 3, named="channels-qat").state == "complete"


@pytest.mark.parametrize(
    ("error", "state", "code"),
    [
        (lambda: ConnectionFailed("gone", code="connection-lost"), "failed", "connection-lost"),
        (lambda: InputError("diverged", code="training-diverged"), "failed", "training-diverged"),
        (lambda: RuntimeError("Node: 'x'\nmany lines"), "failed", "trial-crashed"),
        (lambda: MemoryError(), "failed", "trial-crashed"),
        (lambda: Expired("trial"), "failed", "trial-timeout"),
    ],
)
def test_failures_are_records(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: Callable[[], BaseException], state: str, code: str
) -> None:
    def fail(*_: Any) -> None:
        raise error()

    monkeypatch.setattr("edgekit.pipeline.searching.attempt.run_stages", fail)
    done = bench.attempt()
    assert (done.state, done.code) == (state, code)
    assert "\n" not in done.reason
    assert bench.kept[0][0] == done


@pytest.mark.parametrize("error", [OutputError("full", code="disk-full"), Expired("search")])
def test_what_no_trial_would_survive_ends_the_search(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr("edgekit.pipeline.searching.attempt.run_stages", fail)
    with pytest.raises(type(error)):
        bench.attempt()
    assert not bench.kept


def test_a_training_looks_at_the_clock_after_every_epoch(bench: Bench) -> None:
    bench.alone()
    bench.tools = replace(bench.tools, timed=lambda: Timed(Heard(), {"trial": 0.0}))
    assert bench.attempt().code == "trial-timeout"


@pytest.mark.e2e
def test_the_bundle_of_a_trial_has_its_file(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgekit.pipeline.meter.ROUNDS", 1)
    done = bench.attempt()
    monkeypatch.setattr(Finetune, "run", lambda *_: pytest.fail("trained"))
    monkeypatch.setattr(Prune, "run", lambda *_: pytest.fail("trained"))
    [(_, recipe, _)] = bench.kept
    heard = Heard()
    publisher = Publisher(bench.subject, bench.folder, bench.tools.stages, lambda trial: recipe, heard)
    [point] = publisher.points([done])
    assert done.measured is not None
    assert point.bundle == f"front/0000-{done.measured.bytes}B"
    assert point.tested is not None and point.tested.samples == 30
    assert "file-not-reproduced" not in heard.codes
    elsewhere = replace(done, number=9, worker="server 1")
    [point] = publisher.points([elsewhere])
    assert (point.bundle, point.recipe, point.test) == ("", "trials/0009/recipe.toml", None)
    assert not (bench.folder.path / "front" / f"0000-{done.measured.bytes}B").exists()
