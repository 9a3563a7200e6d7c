"""What outputs are for: by the labels' values and the outputs' own, before shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.data.dataset import build
from edgekit.data.fitting import Port, fit, with_classes
from edgekit.data.sources.holdout import choose
from edgekit.data.split import split
from edgekit.tasks.heads import chosen_kinds, find_head, settled
from edgekit.tasks.labels import Coding
from edgekit.tasks.metrics import decisions
from edgekit.tasks.nature import INDICES, Nature, are_logits, nature_of
from edgekit.tasks.scoring import score, with_metric
from edgekit.tasks.task import Head, Task
from tests.support.raised import raised

VALUES = Nature(numbers=False, probable=False, competing=False, sigmoid=False, high=7.0)
SIGMOID = Nature(numbers=False, probable=False, competing=False, sigmoid=True, high=1.0)


@pytest.mark.parametrize(
    ("y", "shape", "nature", "kind", "coding"),
    [
        ([-1, 1, 1], (1,), SIGMOID, "binary", Coding(-1, 2)),
        ([1, 2, 1], (1,), SIGMOID, "binary", Coding(1)),
        ([1.0, 2.0, 1.0], (1,), SIGMOID, "binary", Coding(1)),
        ([0.0, 1.0, 2.0], (3,), VALUES, "classification", Coding()),
        ([1, 2, 3], (3,), VALUES, "classification", Coding(1)),
        ([-1, 1, 1], (2,), VALUES, "classification", Coding(-1, 2)),
        ([1, 2, 3], (4,), VALUES, "classification", Coding()),  # class 0 does not occur
        ([[-1, 1], [1, 1]], (2,), VALUES, "multilabel", Coding(-1, 2)),
        ([[[0, 255]] * 2] * 2, (2, 2, 1), SIGMOID, "mask", Coding(0, 255)),
        ([[[1, 2]] * 2] * 2, (2, 2, 2), VALUES, "segmentation", Coding(1)),
        ([[[[0, 1], [1, 0]]] * 2] * 2, (2, 2, 2), VALUES, "segmentation", Coding()),
        ([3, 70, 12], (1,), VALUES, "regression", Coding()),
        ([3, 1, 2], (), INDICES, "classification", Coding()),
        ([1, 2, 3], (), Nature(numbers=True, high=2.0), "classification", Coding(1)),
        ([[0, 1], [2, 1]], (2,), INDICES, "segmentation", Coding()),
        ([0, 1, 2], (30,), VALUES, "reconstruction", Coding()),
        ([0, 1, 2], (30,), Nature(probable=True), "classification", Coding()),
        ([0, 1, 29], (30,), VALUES, "classification", Coding()),
    ],
)
def test_values_decide_before_shapes(y: Any, shape: Any, nature: Nature, kind: str, coding: Coding) -> None:
    found = find_head("y", np.array(y), shape, [(30,)], nature)
    assert (found.kind, found.coding) == (kind, coding)
    assert found.indices == bool(nature.numbers)
    assert bool(found.note) == (coding != Coding() or found.indices or kind in ("reconstruction",) or "[[[[" in str(y))


@pytest.mark.parametrize(
    ("y", "nature", "kind", "expected"),
    [
        (np.arange(10), SIGMOID, "", ("labels-do-not-fit", "0", "1", "9")),
        (np.arange(10), SIGMOID, "binary", ("labels-do-not-fit",)),
        (np.linspace(0, 1, 10), SIGMOID, "classification", ("labels-do-not-fit",)),
        (np.arange(10), SIGMOID, "reconstruction", ("labels-do-not-fit", "(1,)", "(30,)")),
    ],
)
def test_what_cannot_be_is_refused(y: Any, nature: Nature, kind: str, expected: tuple[str, ...]) -> None:
    with raised(*expected) as caught:
        find_head("y", y, (1,), [(30,)], nature, kind)
    assert kind or "--task regression" in caught.value.hint


def test_the_user_decides() -> None:
    assert chosen_kinds("regression", ["a", "b"]) == {"a": "regression"}
    assert chosen_kinds("b=mask; a=binary", ["a", "b"]) == {"a": "binary", "b": "mask"}
    assert find_head("y", np.arange(10), (1,), [(3,)], SIGMOID, "regression").kind == "regression"
    assert find_head("y", np.array([0, 1]), (30,), [(30,)], kind="reconstruction").kind == "reconstruction"
    assert find_head("y", None, (4,), [(3,)], VALUES, "classification").metric == "agreement"
    for text, expected in (("dog", ("task-unknown",)), ("c=mask", ("output-unknown", "`c`"))):
        with raised(*expected):
            chosen_kinds(text, ["a", "b"])


def test_unlabelled_outputs_are_judged_as_what_they_look_like(rng: np.random.Generator) -> None:
    scores = rng.normal(0, 4, (128, 10))
    softmax = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    landmarks = np.linspace(20, 150, 10) + rng.normal(0, 9, (128, 1)) + rng.normal(0, 3, (128, 10))
    boxes = rng.uniform(0, 1, (128, 4))
    gaze = rng.normal(0, 0.4, (128, 2))
    for outputs, metric in ((scores, "agreement"), (softmax, "agreement"), (landmarks, "sqnr"), (boxes, "sqnr")):
        found = find_head("y", None, outputs.shape[1:], [(3,)], nature_of(outputs))
        assert (found.kind, found.metric) == ("unlabelled", metric)
    assert not are_logits(gaze)
    assert not are_logits(landmarks / 192)
    assert nature_of(rng.integers(0, 5, (20, 1)).astype(float)).numbers
    assert nature_of(rng.uniform(0, 1, (128, 1)) ** 0.01).sigmoid
    assert not nature_of(rng.uniform(0, 1, (128, 1)) ** 0.01, activation="linear").sigmoid


def data(y: Any, y_test: Any = None) -> Any:
    rng = np.random.default_rng(0)
    arrays = {"x_train": rng.normal(size=(len(y), 4)), "x_test": rng.normal(size=(len(y), 4))}
    return build("d", {**arrays, "y_train": y, "y_test": y if y_test is None else y_test}, "d.npz")


def test_labels_become_classes_that_keep_their_names_and_shares() -> None:
    ports = [Port("x", (4,))], [Port("y", (1,))]
    two = data(np.tile([-1, 1, 1, 1], 50))
    fitted, task = fit(two, two.preprocessing, *ports, "m")
    assert fitted.class_names == ("-1", "1")
    assert sorted(set(fitted.y_test)) == [0, 1]
    assert Task.from_dict(task.to_dict()).main.coding == Coding(-1, 2)
    rare = np.repeat([0.0, 1.0, 2.0], [180, 10, 10])
    fitted, _ = fit(data(rare), fitted.preprocessing, ports[0], [Port("y", (3,))], "m")
    assert fitted.class_names == ("0", "1", "2")
    assert np.bincount(split(fitted, 20).y_validation).tolist() == [18, 1, 1]
    assert np.bincount(rare[choose(200, rare, "d")].astype(int)).tolist() == [36, 2, 2]
    with raised("labels-do-not-fit", "`y_test`", "`y` has 2 classes", "-1 to 1"):
        fit(data(np.tile([-1, 1], 50), np.tile([0, 1], 50)), fitted.preprocessing, *ports, "m")


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([0.0, 1.0, 2.0], ("0", "1", "2")),
        ([1, 2, 2], ("1", "2")),
        ([1, 2, 3], ("1", "2", "3")),
        ([-1.0, 1.0, 1.0], ("-1", "1")),
        ([0, 1, 2], ("0", "1", "2")),
        ([0.0, 1.0, 2.5], ()),
        ([-3.0, 1.0, 2.0], ()),
    ],
)
def test_classes_to_train_a_model_for(labels: Any, names: tuple[str, ...]) -> None:
    found, note = with_classes(data(np.tile(labels, 20)))
    assert found.class_names == names
    assert not names or sorted(set(found.y_test)) == list(range(len(names)))
    assert bool(note) == (bool(names) and names[0] != "0")


def test_class_numbers_are_compared_not_measured() -> None:
    head = Head("y", "classification", indices=True)
    outputs, y = np.array([[0.0], [2.0], [9.0]]), np.array([0, 2, 8])
    assert score(outputs, y, head).correct == 2
    assert decisions(outputs, head).shape == (3, 1)
    with raised("metric-unfit", "--metric", "top5"):
        with_metric(Task((head,)), "top5")
    as_floats = Head("y", "regression", "mae")
    assert settled(as_floats, np.array([0.0, 2.0, 9.0]), y).indices
    assert settled(as_floats, np.array([0.5, 2.0, 9.0]), y) == as_floats
    with raised("labels-do-not-fit"):
        settled(as_floats, np.array([0.2, 0.5, 0.999]), y)
