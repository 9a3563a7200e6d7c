"""Which rows are done, and which are done again; nothing is trained here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.study import budgets, run
from benchmarks.study.models import shared_keys
from benchmarks.study.records import Record, baseline_key, stage_key
from benchmarks.study.rows import Row, choose, rows
from edgekit.data.dataset import Dataset, build
from edgekit.errors import InputError
from edgekit.progress import SILENT

from .made_up import made_up

QUICK = budgets.find("mnist", quick=True)
CHOSEN = choose(rows(QUICK), "ptq-*")


@pytest.fixture
def dataset() -> Dataset:
    y = np.arange(100) % 10
    x = np.zeros((100, 28, 28), np.uint8)
    return build("mnist", {"x_train": x, "y_train": y, "x_test": x, "y_test": y}, "made up")


class Trainer:
    """Stands in for training and measuring; can be told to fail or to be interrupted at a row."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, dataset: Dataset, work: Path) -> None:
        self.done: list[tuple[str, int]] = []
        self.fails = self.interrupted = ""
        self.dataset, self.work = dataset, work
        monkeypatch.setattr(run, "_do", self._do)

    def _do(self, item: run.Item, *_: object) -> Record:
        if item.row.id == self.interrupted:
            raise KeyboardInterrupt
        self.done.append((item.row.id, item.seed))
        if item.row.id == self.fails:
            return Record(item.row.id, item.seed, item.key, failure="it failed")
        return made_up(item.row.id, item.row.schemes[0], 0.9, seed=item.seed)

    def __call__(self, seeds: int = 1, budget: budgets.Budget = QUICK) -> list[Record]:
        self.done.clear()
        wanted = run.items(CHOSEN, seeds, budget, self.dataset.fingerprint, self.work)
        return run.run(self.dataset, budget, wanted, self.work, SILENT)


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch, dataset: Dataset, tmp_path: Path) -> Trainer:
    return Trainer(monkeypatch, dataset, tmp_path)


def test_finished_rows_are_not_done_again_and_more_seeds_add_to_them(trainer: Trainer) -> None:
    first = trainer()
    assert [row for row, _ in trainer.done] == ["baseline", "ptq-dynamic", "ptq-float16", "ptq-int8"]
    assert trainer() == first
    assert trainer.done == []
    assert len(trainer(seeds=2)) == 8
    assert {seed for _, seed in trainer.done} == {1}


def test_an_interrupted_run_goes_on_where_it_stopped(trainer: Trainer) -> None:
    trainer.interrupted = "ptq-float16"
    with pytest.raises(KeyboardInterrupt):
        trainer()
    trainer.interrupted = ""
    assert len(trainer()) == 4
    assert [row for row, _ in trainer.done] == ["ptq-float16", "ptq-int8"]


def test_failed_rows_are_tried_again(trainer: Trainer) -> None:
    trainer.fails = "ptq-dynamic"
    assert [record.failure for record in trainer()] == ["", "it failed", "", ""]
    trainer.fails = ""
    assert not any(record.failure for record in trainer())
    assert trainer.done == [("ptq-dynamic", 0)]


def test_another_budget_or_other_data_starts_over(trainer: Trainer, dataset: Dataset, tmp_path: Path) -> None:
    trainer()
    other = budgets.find("mnist", quick=False)
    assert len(trainer(budget=other)) == 4
    assert len(trainer.done) == 4
    keys = [{i.key for i in run.items(CHOSEN, 1, QUICK, data, tmp_path)} for data in (dataset.fingerprint, "other")]
    assert not keys[0] & keys[1]


def test_a_damaged_record_stops_the_run_before_any_work(trainer: Trainer, tmp_path: Path) -> None:
    trainer()
    next((tmp_path / "rows").glob("ptq-int8-*.json")).write_text("{")
    with pytest.raises(InputError, match="ptq-int8") as caught:
        trainer(seeds=2)
    assert caught.value.hint == "delete it, and the row runs again"
    assert trainer.done == []


def test_models_that_rows_share_are_known() -> None:
    known = {row.id: row for row in rows(QUICK)}
    baseline = baseline_key(QUICK, "data", 0)
    shared = shared_keys(list(known.values()), [baseline])

    def key(row: Row, stages: int) -> str:
        found = baseline
        for spec in row.stages[:stages]:
            found = stage_key(found, spec)
        return found

    sequence = known["seq-distill-prune-quantize"]
    assert key(sequence, 1) == key(known["distill-0.5"], 1)
    assert key(sequence, 2) == key(known["seq-distill-prune"], 2)
    assert {key(sequence, 1), key(sequence, 2)} <= shared
    assert key(sequence, 3) not in shared
    assert key(known["prune-local-weight-conv-50"], 1) not in shared
