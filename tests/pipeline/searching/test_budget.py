"""Budgets: what is refused, and by how much a file misses one."""

from __future__ import annotations

import math
from typing import Any

import pytest

from edgekit.bundle.budget import Budget
from edgekit.bundle.trials import Known
from tests.pipeline.searching.made_up import measured
from tests.support.raised import raised


@pytest.mark.parametrize(
    "bounds", [{"max_bytes": 0}, {"max_latency_ms": -1.0}, {"max_macs": -5}, {"min_accuracy": math.nan}]
)
def test_bounds_are_above_zero(bounds: dict[str, Any]) -> None:
    with raised("budget-not-positive"):
        Budget(**bounds).checked()


def test_accuracy_and_error_exclude_each_other() -> None:
    with raised("budgets-clash"):
        Budget(min_accuracy=0.9, max_error=0.1).checked()


def test_the_metric_says_which_way_is_up() -> None:
    with raised("budget-wrong-direction", "--min-accuracy 0.9", "`mae`", "--max-error"):
        Budget(min_accuracy=0.9).for_metric("mae", lower_is_better=True, is_share=False)
    with raised("budget-wrong-direction", "--max-error 0.1", "--min-accuracy"):
        Budget(max_error=0.1).for_metric("accuracy", lower_is_better=False, is_share=True)
    with raised("budget-out-of-range", "85%"):
        Budget(min_accuracy=85.0).for_metric("accuracy", lower_is_better=False, is_share=True)
    assert Budget(min_accuracy=30.0).for_metric("sqnr", lower_is_better=False, is_share=False).min_accuracy == 30.0


def test_misses_are_shares_of_the_bounds() -> None:
    budget = Budget(max_bytes=800, max_latency_ms=4.0, max_macs=5000, min_accuracy=0.95)
    assert budget.misses(measured(90, 1000, latency_ms=5.0)) == {
        "max_bytes": 0.25,
        "max_latency_ms": 0.25,
        "max_macs": 0.0,
        "min_accuracy": pytest.approx(0.05 / 0.95),
    }
    assert budget.misses(measured(90, 1000), gzip=True)["max_bytes"] == -0.375
    assert "max_latency_ms" not in budget.misses(measured())
    assert Budget(max_memory_bytes=100).misses(measured(memory_bytes=150)) == {"max_memory_bytes": 0.5}


def test_what_is_known_before_training_misses_too() -> None:
    budget = Budget(max_bytes=800, max_macs=4000, min_accuracy=0.95)
    known = Known(1000, 900, 5000)
    assert budget.known_misses(known) == {"max_bytes": 0.25, "max_macs": 0.25}
    assert budget.known_misses(known, gzip=True) == {"max_macs": 0.25}


def test_a_score_that_is_not_finite_misses_by_most() -> None:
    broken = measured()
    object.__setattr__(broken, "score", {"metric": "mae", "value": math.nan, "samples": 5})
    [miss] = Budget(max_error=0.1).misses(broken).values()
    assert math.isfinite(miss) and miss > 1e6
