"""Stages in sequence: the ledger, resuming, and refused orders."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.bundle.ledger import Entry, ledger_line
from edgekit.bundle.manifest import MANIFEST, Bundle
from edgekit.bundle.recipe import Recipe, StageSpec, parse_stage
from edgekit.errors import InputError
from edgekit.formats.reading import inspect_file
from edgekit.frameworks.tensorflow import tf_keras
from edgekit.models.training.checkpoint import Checkpoint
from edgekit.pipeline.run import compress as compress_trained
from edgekit.reporting.ledger_table import ledger_table
from edgekit.techniques import finetune
from edgekit.techniques.registry import resolve
from edgekit.techniques.stage import check_order
from tests.conftest import in_one_round, learnable_rows

pytestmark = pytest.mark.usefixtures("one_latency_round")
compress = partial(compress_trained, anyway=True)  # the models here are not trained

TUNE = {"epochs": 1, "batch_size": 16, "learning_rate": 0.001}
TWO = (StageSpec("finetune", TUNE), StageSpec("distill", {"student": "current", **TUNE}))
RECIPE = Recipe("two", stages=TWO, schemes=("int8",), formats=("tflite",), calibration_samples=20, check_samples=15)

LONGER = replace(
    RECIPE,
    stages=(TWO[0], StageSpec("distill", {**TWO[1].options, "epochs": 2})),
    formats=("tflite", "onnx"),
    schemes=("float32",),
)


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def timeless(entry: Entry) -> Entry:
    return replace(entry, latency=None, seconds=0)


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from edgekit.frameworks.tensorflow import seed_everything

    keras = tf_keras()
    seed_everything(1)
    inputs = keras.Input((6, 6, 1), name="image")
    x = keras.layers.Conv2D(8, 3, activation="relu", name="conv")(inputs)
    x = keras.layers.Flatten()(x)
    path = tmp_path_factory.mktemp("model") / "m.keras"
    keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="scores")(x)).save(path)
    return path


@pytest.fixture(scope="module")
def straight(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bundle]:
    """What a run makes that nothing interrupts; not to be changed."""
    place = tmp_path_factory.mktemp("straight")
    np.savez(place / "rows.npz", **learnable_rows())
    with pytest.MonkeyPatch.context() as patch:
        in_one_round(patch)
        patch.setenv("EDGEKIT_WORK", str(place / "work"))
        yield compress(model_file, str(place / "rows.npz"), LONGER, place / "out")


@pytest.mark.tensorflow
def test_the_ledger_is_of_the_files(straight: Bundle, npz: Path, tmp_path: Path) -> None:
    entries = straight.manifest.ledger
    assert [e.stage for e in entries] == ["source", "finetune", "distill"]
    final = straight.manifest.artifacts[0]
    assert entries[-1].sha256 == final.sha256
    assert entries[-1].bytes == final.bytes
    assert entries[-1].score.to_dict() == final.validation
    info = inspect_file(straight.path / final.file)
    assert (entries[-1].parameters, entries[-1].macs) == (info.parameters, info.macs)
    assert entries[0].latency is None
    assert entries[-1].latency is not None
    assert 0.2 < entries[-1].latency[0] < 5
    assert entries[0].sha256 != entries[1].sha256 != entries[2].sha256
    assert len(ledger_table(entries).splitlines()) == 5
    assert "distinct weights" in ledger_line(entries[1], entries[0])
    assert not any((straight.path.parent / "work" / "work").iterdir())
    assert tf_keras().models.load_model(straight.path / "m.keras").optimizer is None
    kept = compress(straight.path / "m.keras", str(npz), replace(LONGER, stages=()), tmp_path / "again").manifest
    assert kept.artifacts[0].sha256 == final.sha256
    assert [step.get("step") for step in kept.lineage][-3:-1] == ["finetune", "distill"]


@pytest.mark.tensorflow
def test_an_interrupted_run_goes_on_and_ends_the_same(
    straight: Bundle, model_file: Path, npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, saved = Checkpoint.save, list[str]()

    def second(self: Checkpoint, *arguments: Any) -> None:
        if len(saved) == 2:
            raise KeyboardInterrupt  # what the second epoch of the second stage learned is lost
        save(self, *arguments)
        saved.append("epoch")

    # What does not matter for the stages may change in between.
    described = replace(LONGER, name="other", description="the same", eval_samples=9)
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", second)
        with pytest.raises(KeyboardInterrupt):
            compress(model_file, str(npz), described, tmp_path / "out")
    assert entries(tmp_path) == ["rows.npz"]
    # A process that goes on has made other layers before than one that did all.
    keras = tf_keras()
    keras.Sequential([keras.layers.Conv2D(1, 1), keras.layers.Flatten(), keras.layers.Dense(1)])
    with monkeypatch.context() as patch:
        patch.setattr(finetune.Finetune, "run", lambda *_: pytest.fail("the first stage ran again"))
        patch.setattr(Checkpoint, "save", lambda *a: (saved.append("resumed"), save(*a)))
        resumed = compress(model_file, str(npz), LONGER, tmp_path / "out").manifest
    assert saved == ["epoch"] * 2 + ["resumed"]
    assert [timeless(e) for e in resumed.ledger] == [timeless(e) for e in straight.manifest.ledger]
    assert replace(resumed, created="", ledger=()) == replace(straight.manifest, created="", ledger=())
    assert entries(tmp_path / "out") == entries(straight.path)
    same = [n for n in entries(tmp_path / "out") if n != MANIFEST]
    assert "m.keras" in same
    assert "m-float32.onnx" in same
    for name in same:
        assert (tmp_path / "out" / name).read_bytes() == (straight.path / name).read_bytes(), name


@pytest.mark.tensorflow
def test_the_same_job_twice_at_once(
    model_file: Path, npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(*_: Any) -> None:
        with pytest.raises(InputError, match="another edgekit process is running this job"):
            compress(model_file, str(npz), RECIPE, tmp_path / "second")
        raise KeyboardInterrupt

    monkeypatch.setattr(finetune.Finetune, "run", meanwhile)
    with pytest.raises(KeyboardInterrupt):
        compress(model_file, str(npz), RECIPE, tmp_path / "first")


@pytest.mark.tensorflow
def test_fresh_starts_over(model_file: Path, npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgekit.techniques.distill import Distill

    with monkeypatch.context() as patch:
        patch.setattr(Distill, "run", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            compress(model_file, str(npz), RECIPE, tmp_path / "out")
    monkeypatch.setattr(finetune.Finetune, "run", lambda *_: (_ for _ in ()).throw(RuntimeError("ran again")))
    with pytest.raises(RuntimeError, match="ran again"):
        compress(model_file, str(npz), RECIPE, tmp_path / "out", fresh=True)


@pytest.mark.e2e
@pytest.mark.tensorflow
def test_a_killed_process_is_resumed(model_file: Path, npz: Path, tmp_path: Path) -> None:
    long = ("--stage", "finetune:epochs=1,batch_size=16", "--stage", "finetune:epochs=3000,batch_size=16")
    argv = [
        sys.executable,
        "-m",
        "edgekit",
        "compress",
        model_file,
        "--data",
        npz,
        "-o",
        tmp_path / "out",
        "--anyway",
        *long,
    ]
    killed = subprocess.Popen(list(map(str, argv)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    work = Path(os.environ["EDGEKIT_WORK"]) / "work"
    deadline = time.monotonic() + 120
    while not list(work.glob("*/finetune-*.entry.json")):
        assert time.monotonic() < deadline
        assert killed.poll() is None, killed.stderr.read() if killed.stderr else ""
        time.sleep(0.1)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    [note] = work.glob("*/finetune-*.entry.json")
    before = json.loads(note.read_text())["entry"]
    again = subprocess.Popen(list(map(str, argv)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert again.stderr
    for line in again.stderr:
        if "finished by an earlier run" in line:
            break
    else:
        pytest.fail("the second run started over")
    again.send_signal(signal.SIGINT)
    again.communicate(timeout=60)
    assert again.returncode == 130
    assert json.loads(note.read_text())["entry"] == before
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        (["cluster", "finetune"], "destroys the clusters"),
        (["cluster", "prune"], "`prune` before `cluster`|destroys the clusters"),
        (["quantize", "prune"], "prune first|undo"),
        (["prune:granularity=weight", "distill"], "throws away"),
        (["quantize", "distill"], "throws away"),
        (["quantize", "quantize"], "quantize"),
        (["quantize", "cluster"], "cluster"),
        (["cluster:layers=conv", "cluster:layers=dense"], "`cluster` after `cluster`"),
    ],
)
def test_orders_that_destroy_are_refused(stages: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_order([resolve(parse_stage(s), "x") for s in stages])


@pytest.mark.parametrize(
    "stages",
    [
        ["distill", "prune", "quantize"],
        ["prune", "distill", "quantize"],
        ["prune:granularity=weight", "cluster", "quantize"],
        ["prune", "quantize", "distill:student=current"],
        ["prune:granularity=2:4", "finetune", "prune"],
    ],
)
def test_orders_that_work(stages: list[str]) -> None:
    check_order([resolve(parse_stage(s), "x") for s in stages])


def test_added_stages_name_the_recipe() -> None:
    assert RECIPE.with_stages([]) is RECIPE
    added = RECIPE.with_stages([parse_stage("prune:amount=0.5")])
    assert (added.name, added.description) == ("two+prune", "finetune, distill, prune; then int8 files")
    assert [stage.use for stage in added.stages] == ["finetune", "distill", "prune"]


def test_stages_on_the_command_line() -> None:
    found = parse_stage("distill:student=resnet8,width=0.5,assistant_widths=[0.8, 0.6],epochs=3")
    assert found == StageSpec(
        "distill", {"student": "resnet8", "width": 0.5, "assistant_widths": [0.8, 0.6], "epochs": 3}
    )
    assert resolve(found, "x").assistant_widths == (0.8, 0.6)  # type: ignore[attr-defined]
    assert parse_stage("prune:granularity=2:4").options == {"granularity": "2:4"}
    assert parse_stage("finetune") == StageSpec("finetune", {})
    for text in ("", ":epochs=1", "prune:amount", "prune:=1", "prune:amount="):
        with pytest.raises(InputError, match="--stage"):
            parse_stage(text)


def test_unknown_numbers_in_lists() -> None:
    with pytest.raises(InputError, match='assistant_widths is "x", expected'):
        resolve(StageSpec("distill", {"assistant_widths": ["x"]}), "s")
    assert np.isclose(resolve(StageSpec("distill", {"width": 1}), "s").width, 1)  # type: ignore[attr-defined]
