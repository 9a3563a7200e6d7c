"""What a trial chooses, names and stops at; the models are functions of NumPy that know one way of feeding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgekit.data.lint.model_facts import ModelInput
from edgekit.data.split import Splits
from edgekit.data.trial.look import look
from edgekit.data.trial.looked import Looked
from edgekit.errors import ChanceError
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import NamedArrays
from edgekit.tasks.task import Head, Task
from tests.support.raised import raised

BYTES = Preprocessing(1 / 255)
PURE = np.array([[200, 60, 30], [60, 200, 90], [40, 80, 220]])
"""The colours of three classes."""


def pictures(count: int = 600) -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    y = rng.integers(0, 3, count)
    x = PURE[y][:, np.newaxis, np.newaxis] + rng.integers(-30, 30, (count, 6, 6, 3))
    return x.astype(np.uint8), y


def splits(x: Any, y: Any) -> Splits:
    cut = len(x) // 6
    labelled = y is not None
    return Splits(x[cut:], y[cut:] if labelled else None, x[:cut], y[:cut] if labelled else None, x[cut:])


WAYS = {
    "x": Preprocessing(),
    "x/255": BYTES,
    "x/127.5-1": Preprocessing(1 / 127.5, (1.0,)),
    "standardised": Preprocessing(
        1 / 255,
        tuple((pictures()[0].mean((0, 1, 2)) / 255).tolist()),
        tuple((pictures()[0].std((0, 1, 2)) / 255).tolist()),
    ),
    "caffe": Preprocessing(1.0, (123.68, 116.779, 103.939), channels="BGR"),
}


def nearest(how: Preprocessing) -> Callable[[Any], list[Any]]:
    """A classifier that knows its colours as it was fed them; what is far from all looks like the last class."""
    known = how.apply(PURE[:, np.newaxis, np.newaxis])[:, 0, 0]
    width = 0.1 * float(np.abs(known[0] - known[1]).max())

    def predict(z: Any) -> list[Any]:
        distance = ((z.mean(axis=(1, 2))[:, np.newaxis] - known) ** 2).mean(axis=2) / width**2
        scores = np.concatenate([np.exp(-distance), np.full((len(z), 1), 0.2)], axis=1)
        return [scores[:, :3] / scores[:, :3].sum(axis=1, keepdims=True) * (scores.argmax(axis=1) < 3)[:, np.newaxis]]

    return predict


def value(how: Preprocessing) -> Callable[[Any], list[Any]]:
    """A regression to the stored red and blue."""

    def predict(z: Any) -> list[Any]:
        stored = z[..., ::-1] if how.channels == "BGR" else z
        stored = (stored * np.array(how.std) + np.array(how.mean)) / how.scale
        mean = stored.mean(axis=(1, 2))
        return [mean[:, :1] - 0.5 * mean[:, 2:]]

    return predict


def painted(how: Preprocessing) -> Callable[[Any], list[Any]]:
    """A mask of what is bright in red, as logits."""
    edge = float(how.apply(np.full((1, 1, 1, 3), 150))[0, 0, 0, 2 if how.channels == "BGR" else 0])
    unit = abs(how.scale) / how.std[0]
    return lambda z: [(z[..., 2:] if how.channels == "BGR" else z[..., :1]) / unit - edge / unit]


def squeezed(how: Preprocessing) -> Callable[[Any], list[Any]]:
    """An autoencoder that puts out what it has seen in training, and nothing beyond."""
    seen = how.apply(pictures()[0])
    low, high = seen.min(axis=(0, 1, 2)), seen.max(axis=(0, 1, 2))
    return lambda z: [np.clip(z, low, high)]


def tried(model: Any, x: Any, y: Any, kind: str, usual: Preprocessing = BYTES, **options: Any) -> Looked:
    options = {"given": False, **options}
    task = Task(
        (Head("out", kind, {"regression": "mae", "reconstruction": "mse", "mask": "miou"}.get(kind, "accuracy")),)
    )
    facts: list[ModelInput | None] = [None]
    return look("m.keras", model, 1e6, facts, splits(x, y), task, usual, **options)


def alike(a: Preprocessing, b: Preprocessing) -> bool:
    x = pictures(50)[0]
    one, other = a.apply(x), b.apply(x)
    return bool(np.abs(one - other).max() < 0.02 * np.ptp(one))


def task_of(kind: str) -> tuple[Any, Any, Any]:
    x, y = pictures()
    if kind == "classification":
        return nearest, x, y
    if kind == "regression":
        mean = x.mean(axis=(1, 2))
        return value, x, (mean[:, :1] - 0.5 * mean[:, 2:]).astype(np.float32)
    return painted, x, (x[..., 0] > 150).astype(np.int64)


@pytest.mark.parametrize("kind", ["classification", "regression", "mask"])
@pytest.mark.parametrize("way", WAYS)
def test_the_way_of_training_is_found(kind: str, way: str) -> None:
    make, x, y = task_of(kind)
    found = tried(make(WAYS[way]), x, y, kind)
    assert alike(found.preprocessing, WAYS[way])
    assert not found.findings and found.proven
    if way == "x/255":
        assert found.notice.endswith("samples; inputs are x / 255")
        assert found.record["chosen"] == "by default"
    else:
        assert "chosen by trial" in found.notice and "with x / 255, which is --scale 1/255" in found.notice
        assert found.record["chosen"] == "by trial"
        assert "\n" not in found.notice


@pytest.mark.parametrize("way", ["x", "x/127.5-1"])
def test_an_autoencoder_needs_no_labels(way: str) -> None:
    x, _ = pictures()
    found = tried(squeezed(WAYS[way]), x, None, "reconstruction")
    assert found.preprocessing == WAYS[way]
    assert "of the variance" in found.notice


def test_what_is_given_is_kept_and_the_better_one_named() -> None:
    x, y = pictures()
    found = tried(nearest(WAYS["caffe"]), x, y, "classification", BYTES, given=True)
    assert found.preprocessing == BYTES
    [finding] = found.findings
    assert finding.code == "preprocessing-worse"
    assert "with inputs x / 255" in finding.sentence
    assert finding.message.endswith("; --scale 1 --mean 123.68,116.779,103.939 --channels BGR")
    assert found.record["chosen"] == "as given"


def test_a_layout_is_kept() -> None:
    x, y = pictures()
    usual = replace(BYTES, layout="NCHW")
    inner = nearest(WAYS["x/127.5-1"])
    found = tried(lambda z: inner(z.transpose(0, 2, 3, 1)), x, y, "classification", usual)
    assert found.preprocessing == replace(WAYS["x/127.5-1"], layout="NCHW")


def test_a_tie_changes_nothing() -> None:
    x, y = pictures()
    indifferent = lambda z: [np.eye(3)[z.mean(axis=(1, 2)).argmax(axis=1)]]  # noqa: E731 - the brightest channel
    assert tried(indifferent, x, y, "classification").preprocessing == BYTES
    assert tried(indifferent, x, y, "classification", WAYS["x"]).preprocessing == WAYS["x"]


def at_random(z: Any) -> list[Any]:
    return [np.random.default_rng(len(z)).random((len(z), 3))]


def test_nothing_better_than_a_constant_guess_stops() -> None:
    x, y = pictures()
    numbers = ("on 500 samples (the largest class alone 3", "; tried: ", "x / 127.5 - 1: 3", "--anyway")
    with raised("no-better-than-chance", *numbers, kind=ChanceError):
        tried(at_random, x, y, "classification")
    found = tried(at_random, x, y, "classification", anyway=True)
    assert found.preprocessing == BYTES
    assert [finding.code for finding in found.findings] == ["no-better-than-chance"]


@pytest.mark.parametrize("kind", ["binary", "regression", "mask", "multilabel"])
def test_every_task_stops(kind: str) -> None:
    rng = np.random.default_rng(0)
    x, _ = pictures()
    y = {
        "binary": rng.integers(0, 2, 600),
        "regression": rng.normal(size=(600, 1)).astype(np.float32),
        "mask": rng.integers(0, 2, (600, 6, 6)),
        "multilabel": rng.integers(0, 2, (600, 3)),
    }[kind]
    shape = {"mask": (6, 6, 1), "multilabel": (3,)}.get(kind, (1,))
    with pytest.raises(ChanceError):
        tried(lambda z: [np.random.default_rng(1).normal(size=(len(z), *shape))], x, y, kind)


def of_labels(y: Any, x: Any, answers: Any) -> Callable[[Any], list[Any]]:
    """A model that answers as listed, whatever it is fed: it knows samples by the order of their pixels."""
    keys = {
        row.argsort(kind="stable").tobytes(): answer for row, answer in zip(x.reshape(len(x), -1), answers, strict=True)
    }
    zero = np.zeros_like(answers[0])
    return lambda z: [np.stack([keys.get(r.argsort(kind="stable").tobytes(), zero) for r in z.reshape(len(z), -1)])]


@pytest.mark.parametrize(("majority", "recall", "stops"), [(0.79, 0.9, False), (0.95, 0.3, False), (0.95, 0.0, True)])
def test_one_class_dominates(majority: float, recall: float, stops: bool) -> None:
    rng = np.random.default_rng(5)
    x = np.stack([rng.permutation(12) for _ in range(600)]).reshape(600, 12).astype(np.float32)
    y = (rng.random(600) > majority).astype(np.int64)
    decided = np.where((y == 1) & (rng.random(600) < recall), 0.9, 0.1)
    model = of_labels(y, x, decided[:, np.newaxis])
    if stops:
        with pytest.raises(ChanceError):
            tried(model, x, y, "binary", Preprocessing())
    else:
        assert tried(model, x, y, "binary", Preprocessing()).findings == ()


def test_ranks_count_where_one_class_dominates() -> None:
    """Always below the threshold, and still a model: frauds have higher scores."""
    rng = np.random.default_rng(5)
    x = np.stack([rng.permutation(12) for _ in range(600)]).reshape(600, 12).astype(np.float32)
    y = (rng.random(600) > 0.95).astype(np.int64)
    scores = 0.1 + 0.1 * y + 0.05 * rng.random(600)
    assert (
        tried(of_labels(y, x, scores[:, np.newaxis]), x, y, "binary", Preprocessing()).preprocessing == Preprocessing()
    )


def test_too_few_samples_say_nothing() -> None:
    x, y = pictures(18)
    found = tried(at_random, x, y, "classification")
    assert not found.findings and not found.proven
    assert "(too few to judge by)" in found.notice


def test_one_class_only_says_nothing() -> None:
    x, y = pictures()
    found = tried(lambda z: [np.tile([0.8, 0.1, 0.1], (len(z), 1))], x, np.zeros_like(y), "classification")
    assert not found.findings and found.preprocessing == BYTES


def test_logits_are_told_by_all_candidates() -> None:
    """A logit that stays in [0, 1] under the usual way leaves it under another."""
    x, y = pictures()
    red = (y == 0).astype(np.int64)
    found = tried(lambda z: [z.mean(axis=(1, 2))[:, :1] / 255 * 4 - 2], x, red, "binary", WAYS["x"])
    assert found.task.main.logits


def test_what_fails_is_a_sentence() -> None:
    def fails(z: Any) -> Any:
        raise ValueError("indices out of range")

    x, y = pictures()
    with raised("model-fails-on-data", "indices out of range"):
        tried(fails, x, y, "classification")


def test_a_candidate_that_fails_is_left_out() -> None:
    inner = nearest(BYTES)

    def picky(z: Any) -> Any:
        if z.max() > 2:
            raise ValueError("indices out of range")
        return inner(z)

    x, y = pictures()
    assert tried(picky, x, y, "classification").preprocessing == BYTES


def test_tokens_are_fed_as_they_are() -> None:
    x = np.random.default_rng(0).integers(0, 200, (600, 9)).astype(np.uint8)
    y = (x[:, 0] > 100).astype(np.int64)
    facts: list[ModelInput | None] = [ModelInput(vocabulary=200)]
    task = Task((Head("out", "binary"),))
    model = lambda z: [(z[:, :1] > 100).astype(float)]  # noqa: E731
    found = look("m", model, 1e6, facts, splits(x, y), task, BYTES, given=False)
    assert found.preprocessing == Preprocessing()
    assert len(found.record["tried"]) == 2


def test_several_inputs() -> None:
    x, y = pictures()
    table = np.random.default_rng(0).normal(50, 9, (600, 4)).astype(np.float32)
    both = NamedArrays({"image": x, "table": table})
    usual = Preprocessing(inputs=(("image", BYTES), ("table", Preprocessing())))
    inner = nearest(WAYS["x/127.5-1"])
    task, facts = Task((Head("out", "classification"),)), [None, None]
    found = look("m", lambda z: inner(z[0]), 1e6, facts, splits(both, y), task, usual, given=False)
    assert found.preprocessing.of("image") == WAYS["x/127.5-1"]
    assert found.preprocessing.of("table") == Preprocessing()


def test_a_large_model_gets_fewer_samples() -> None:
    x, y = pictures()
    count = 0

    def counted(z: Any) -> Any:
        nonlocal count
        count += len(z)
        return nearest(WAYS["x"])(z)

    task = Task((Head("out", "classification"),))
    found = look("m", counted, 3e8, [None], splits(x, y), task, BYTES, given=False)
    assert found.preprocessing == WAYS["x"]
    assert count < 700


def test_images_as_outputs() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (120, 40, 40, 3)).astype(np.uint8)
    found = tried(lambda z: [np.clip(z, -1, 1) * 9], x, (x / 127.5 - 1).astype(np.float32) * 9, "regression")
    assert found.preprocessing == WAYS["x/127.5-1"]
