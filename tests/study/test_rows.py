from __future__ import annotations

import itertools
from typing import Any

import pytest

from benchmarks.study import budgets, records
from benchmarks.study.records import baseline_key, row_key, stage_key
from benchmarks.study.rows import choose, distill_id, prune_id, rows
from edgekit.bundle.recipe import StageSpec
from edgekit.errors import InputError
from edgekit.techniques.registry import resolve

FULL = [budgets.find("mnist", quick=False), budgets.find("cifar10", quick=False)]


@pytest.mark.parametrize("budget", FULL, ids=lambda b: b.data)
def test_rows_are_complete_and_told_apart(budget: budgets.Budget) -> None:
    known = rows(budget)
    ids = [row.id for row in known]
    assert len(set(ids)) == len(ids) == 1 + 3 + 2 + 36 + 6 + 4 + 6
    assert ids[0] == "baseline"
    for scope, granularity, layers, level in itertools.product(
        ("global", "local"), ("weight", "channel"), ("conv", "dense", "all"), (0.5, 0.8, 0.9)
    ):
        assert prune_id(scope, granularity, layers, level) in ids
    for width, assistants in itertools.product((0.5, 0.25, 0.125), (0, 1)):
        assert distill_id(width, assistants) in ids
    assert {"ptq-dynamic", "ptq-float16", "ptq-int8", "qat", "finetune"} <= set(ids)
    assert {"seq-distill-prune", "seq-prune-quantize", "seq-distill-quantize", "seq-distill-prune-quantize"} <= set(ids)
    assert {f"order-{''.join(order)}" for order in itertools.permutations("pqd")} <= set(ids)


@pytest.mark.parametrize("budget", FULL, ids=lambda b: b.data)
def test_every_stage_is_one_that_edgekit_knows(budget: budgets.Budget) -> None:
    for row in rows(budget):
        for spec in row.stages:
            resolve(spec, row.id)


def test_only_orders_that_prune_after_quantizing_are_refused() -> None:
    refused = {row.id: row.refusal() for row in rows(FULL[0]) if row.refusal()}
    assert set(refused) == {"order-dqp", "order-qpd", "order-qdp"}
    assert all("prune" in reason for reason in refused.values())


@pytest.mark.parametrize("budget", FULL, ids=lambda b: b.data)
def test_orders_differ_in_nothing_but_the_order(budget: budgets.Budget) -> None:
    orders = [row for row in rows(budget) if row.family == "order"]
    assert {row.epochs for row in orders} == {3 * budget.order}
    assert len({frozenset((spec.use, str(spec.options)) for spec in row.stages) for row in orders}) == 1
    assert {spec.options["student"] for row in orders for spec in row.stages if spec.use == "distill"} == {"current"}


@pytest.mark.parametrize("budget", FULL, ids=lambda b: b.data)
def test_every_training_has_the_same_batches_augmentation_and_schedule(budget: budgets.Budget) -> None:
    stages: list[Any] = [resolve(spec, row.id) for row in rows(budget) for spec in row.stages]
    found = {(stage.batch_size, stage.augment, stage.schedule) for stage in stages}
    assert found == {(budget.batch_size, budget.augment, budget.schedule)}


def test_epochs_of_a_row_count_assistants() -> None:
    known = {row.id: row.epochs for row in rows(FULL[0])}
    budget = FULL[0]
    assert known["ptq-int8"] == 0
    assert known[distill_id(0.5, 1)] == 2 * budget.distill
    assert known["seq-distill-prune-quantize"] == budget.distill + budget.prune + budget.quantize


def test_quick_is_a_part_of_the_whole() -> None:
    quick = budgets.find("mnist", quick=True)
    assert quick.train_samples == 6000
    assert {row.id for row in rows(quick)} < {row.id for row in rows(FULL[0])}


def test_keys_change_with_budget_stage_and_seed() -> None:
    whole, quick = ({row.id: row for row in rows(budgets.find("mnist", q))} for q in (False, True))
    assert row_key(whole["qat"], "seed 0") != row_key(quick["qat"], "seed 0")
    assert row_key(whole["qat"], "seed 0") != row_key(whole["qat"], "seed 1")
    assert row_key(whole["ptq-int8"], "seed 0") != row_key(whole["ptq-dynamic"], "seed 0")
    assert row_key(whole["qat"], "seed 0") == row_key(whole["qat"], "seed 0")


def test_keys_are_of_all_options_defaults_included() -> None:
    usual, same, other = ({}, {"temperature": 4.0}, {"temperature": 5.0})
    keys = [stage_key("before", StageSpec("quantize", {"alpha": 0.5, **options})) for options in (usual, same, other)]
    assert keys[0] == keys[1] != keys[2]


def test_another_edgekit_trains_again(monkeypatch: pytest.MonkeyPatch) -> None:
    before = baseline_key(FULL[0], "data", 0)
    monkeypatch.setattr(records, "__version__", "0.0.0")
    assert baseline_key(FULL[0], "data", 0) != before


def test_choose_takes_ids_families_and_always_the_baseline() -> None:
    assert [row.id for row in choose(rows(FULL[0]), "qat")] == ["baseline", "qat"]
    assert len(choose(rows(FULL[0]), "distill, prune-local-channel-*")) == 1 + 6 + 9
    with pytest.raises(InputError, match="no row matches"):
        choose(rows(FULL[0]), "nonsense*")


def test_unknown_data_set_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match="no data set `mnits`") as caught:
        budgets.find("mnits", quick=False)
    assert caught.value.hint == "did you mean `mnist`?"
