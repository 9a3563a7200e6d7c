"""Metrics against values worked out by hand or by scikit-learn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from edgekit.errors import InputError
from edgekit.stats import bootstrap_ratio, mean_interval
from edgekit.tasks.contributions import contributions
from edgekit.tasks.heads import find_head
from edgekit.tasks.metrics import Score, scores_form
from edgekit.tasks.register import METRICS
from edgekit.tasks.scoring import right, score, scores, with_metric
from edgekit.tasks.task import Head, Task, with_scale
from tests.support.raised import raised


def head(kind: str, metric: str, *, logits: bool = False) -> Head:
    return Head("y", kind, metric, logits)


def test_accuracy_counts_classes_and_keeps_the_old_form() -> None:
    outputs = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]])
    found = score(outputs, np.array([1, 0, 0]), head("classification", "accuracy"))
    assert found.to_dict() == {"correct": 2, "samples": 3}
    assert Score.from_dict(found.to_dict()) == found


@pytest.mark.parametrize(("logits", "expected"), [(False, 2), (True, 3)])
def test_a_binary_decision_falls_at_half_or_at_zero(logits: bool, expected: int) -> None:
    outputs = np.array([[0.7], [0.2], [0.3]])
    found = score(outputs, np.array([1, 0 if not logits else 1, 1]), head("binary", "accuracy", logits=logits))
    assert found.correct == expected


def test_auc_as_scikit_learn_has_it(rng: np.random.Generator) -> None:
    from sklearn.metrics import roc_auc_score

    y, outputs = rng.integers(0, 2, 300), rng.integers(0, 20, 300) / 20  # with ties
    found = score(outputs[:, None], y, head("binary", "auc"))
    assert found.interval.value == pytest.approx(roc_auc_score(y, outputs))
    assert found.interval.low < found.interval.value < found.interval.high
    labels, many = rng.integers(0, 2, (200, 3)), rng.random((200, 3))
    assert score(many, labels, head("multilabel", "auc")).interval.value == pytest.approx(roc_auc_score(labels, many))
    with raised("metric-failed"):
        score(outputs[:, None], np.ones(300, int), head("binary", "auc"))


def test_errors_of_values() -> None:
    outputs, y = np.array([[1.0], [2.0], [4.0]]), np.array([1.0, 3.0, 2.0])
    assert score(outputs, y, head("regression", "mae")).interval.value == 1
    squared = score(outputs, y, head("regression", "mse"))
    assert squared.interval.value == pytest.approx(5 / 3)
    assert squared.interval.low >= 0


def test_miou_by_hand() -> None:
    y = np.array([[[0, 0], [1, 1]], [[0, 1], [1, 1]]])
    outputs = np.eye(3)[np.array([[[0, 1], [1, 1]], [[0, 1], [1, 0]]])]
    found = score(outputs, y, head("segmentation", "miou"))
    assert found.interval.value == pytest.approx(np.mean([2 / 4, 4 / 6]))  # the third class occurs nowhere
    mask = score((y == 1)[..., None] * 0.9, (y == 1).astype(int), head("mask", "miou"))
    assert mask.interval.value == 1


def test_top5_agreement_and_sqnr() -> None:
    outputs = np.tile(np.arange(10.0), (4, 1))
    assert score(outputs, np.array([9, 5, 4, 0]), head("classification", "top5")).correct == 2
    assert score(outputs, outputs * 2, head("unlabelled", "agreement")).correct == 4
    assert score(outputs, outputs * 1.1, head("unlabelled", "sqnr")).interval.value == pytest.approx(20.83, abs=0.01)
    text = score(outputs, outputs * 1.1, head("unlabelled", "sqnr")).to_dict()
    assert "low" not in text
    assert Score.from_dict(text).interval.value == pytest.approx(20.83, abs=0.01)


def test_outputs_that_are_not_finite_are_worth_nothing() -> None:
    outputs = np.array([[0.1, np.nan], [0.5, 0.5]])
    assert math.isnan(score(outputs, np.array([0, 1]), head("classification", "accuracy")).interval.value)


def test_every_output_is_scored() -> None:
    task = Task((head("classification", "accuracy"), Head("z", "regression", "mae")))
    found = scores([np.eye(2), np.zeros((2, 1))], [np.array([0, 1]), np.array([1.0, 3.0])], task)
    assert found["y"].correct == 2
    assert found["z"].interval.value == 2
    form = scores_form(found)
    assert form["correct"] == 2
    assert form["heads"]["z"]["value"] == 2


def test_metrics_that_do_not_fit() -> None:
    for kind in ("classification", "regression", "segmentation", "unlabelled"):
        for name, metric in METRICS.items():
            task = Task((head(kind, "accuracy"),))
            if kind in metric.kinds:
                assert with_metric(task, name).main.metric == name
            else:
                with raised("metric-unfit", "--metric", str(name), str(kind)):
                    with_metric(task, name)


def test_intervals_hold_the_truth_about_as_often_as_they_say(rng: np.random.Generator) -> None:
    held = [0, 0]
    for _ in range(200):
        interval = mean_interval(rng.exponential(1, 100))
        held[0] += interval.low <= 1 <= interval.high
        ratio = bootstrap_ratio(rng.binomial(20, 0.3, (100, 1)).astype(float), np.full((100, 1), 20.0))
        held[1] += ratio.low <= 0.3 <= ratio.high
    assert all(175 <= count <= 200 for count in held)


@pytest.mark.parametrize(
    ("y", "shape", "kind"),
    [
        (np.array([0, 1, 2]), (3,), "classification"),
        (np.array([0, 1, 1]), (1,), "binary"),
        (np.array([3, 70, 12]), (1,), "regression"),
        (np.array([0.5, 1.0], np.float32), (1,), "regression"),
        (np.array([[0, 1], [1, 1]]), (2,), "multilabel"),
        (np.zeros((2, 4), np.float32), (4,), "regression"),
        (np.zeros((2, 8, 8), np.uint8), (8, 8, 3), "segmentation"),
        (np.zeros((2, 8, 8), np.uint8), (8, 8, 1), "mask"),
        (np.zeros((2, 8, 8, 3), np.float32), (8, 8, 3), "regression"),
        (np.zeros((2, 5), np.int32), (None, 7), "segmentation"),
        (None, (6,), "reconstruction"),
        (None, (4,), "unlabelled"),
    ],
)
def test_kinds(y: Any, shape: Any, kind: str) -> None:
    assert find_head("y", y, shape, [(6,)]).kind == kind


@pytest.mark.parametrize(
    ("y", "shape", "expected"),
    [
        (np.array([0, 3]), (3,), ("labels-do-not-fit", "0", "3")),
        (np.array([-1, 1]), (3,), ("labels-do-not-fit", "-1")),
        (np.array([0.5, 1.0], np.float32), (3,), ("labels-do-not-fit", "float32")),
        (np.zeros((2, 4), np.float32), (3,), ("labels-do-not-fit", "(4,)", "float32", "(3,)")),
        (np.full((2, 8, 8), 2, np.uint8), (8, 8, 1), ("labels-do-not-fit", "2")),
    ],
)
def test_labels_that_do_not_fit(y: Any, shape: Any, expected: tuple[str, ...]) -> None:
    with raised(*expected):
        find_head("y", y, shape, [(6,)])


def test_logits_are_seen_from_the_outputs() -> None:
    assert not with_scale(head("classification", "accuracy"), np.array([[0.2, 0.8]])).logits
    assert with_scale(head("classification", "accuracy"), np.array([[2.0, -0.8]])).logits
    assert with_scale(head("binary", "accuracy"), np.array([[2.0], [-0.8]])).logits
    assert not with_scale(head("regression", "mae"), np.array([[2.0], [-0.8]])).logits


@pytest.mark.parametrize("value", [{}, {"heads": []}, {"heads": [{"kind": "dance"}]}, {"heads": [{"colour": 1}]}])
def test_a_task_that_cannot_be_read(value: Any) -> None:
    with pytest.raises(InputError, match="task"):
        Task.from_dict(value)
    assert Task.from_dict(Task().to_dict()) == Task()


@pytest.mark.parametrize(
    ("kind", "metric", "outputs", "y", "expected"),
    [
        ("classification", "accuracy", [[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]], [1, 0, 0], [True, True, False]),
        ("classification", "top5", np.eye(7)[:2], [0, 6], [True, False]),
        ("binary", "accuracy", [[0.7], [0.2], [0.3]], [1, 0, 1], [True, True, False]),
        ("unlabelled", "agreement", [[1.0, 2.0], [3.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]], [True, False]),
        ("segmentation", "accuracy", np.zeros((2, 3, 4)), np.zeros((2, 3), int), None),
        ("regression", "mae", [[1.0], [2.0]], [1.0, 3.0], None),
    ],
)
def test_which_samples_a_score_counts(kind: str, metric: str, outputs: Any, y: Any, expected: Any) -> None:
    of, values, labels = head(kind, metric), np.asarray(outputs, float), np.asarray(y)
    found = score(values, labels, of)
    counted = right(values, labels, of, found)
    assert (None if counted is None else counted.tolist()) == expected
    if counted is not None:
        assert counted.sum() == found.correct


@pytest.mark.parametrize("metric", ["mae", "mse", "miou", "sqnr", "accuracy"])
def test_what_samples_add_makes_the_metric(metric: str, rng: np.random.Generator) -> None:
    kinds = {"miou": "segmentation", "accuracy": "segmentation"}
    outputs, y = rng.normal(size=(30, 5, 4)), rng.normal(size=(30, 5, 4))
    of = head(kinds.get(metric, "regression"), metric)
    labels = rng.integers(0, 4, (30, 5)) if metric in kinds else y
    added = contributions(outputs, labels, of)
    assert added is not None
    with np.errstate(invalid="ignore"):
        ratios = added.numerators.sum(axis=0) / added.denominators.sum(axis=0)
    assert added.metric(ratios) == pytest.approx(score(outputs, labels, of).value)
    assert contributions(np.full_like(outputs, np.nan), labels, of) is None
    assert contributions(outputs, labels, head("multilabel", "auc")) is None
