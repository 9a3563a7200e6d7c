"""What int8 inputs do to a model: measured on stand-ins that compute with NumPy, and on one Keras model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgekit.bundle.recipe import Recipe, StageSpec
from edgekit.data.fitting import Port
from edgekit.data.lint.checks import lint
from edgekit.data.lint.facts import data_facts
from edgekit.data.lint.finding import Finding
from edgekit.data.lint.model_facts import ModelFacts, ModelInput
from edgekit.errors import InputError
from edgekit.frameworks.tensorflow import tf_keras
from edgekit.models.sources.keras_source import KerasSource
from edgekit.pipeline.int8_inputs import SPOILED, Subject, judge
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import NamedArrays
from edgekit.tasks.task import Head, Task

RECIPE = Recipe("int8")
N = 400


class Model:
    """A source that predicts as a function of its inputs does."""

    format = "keras"

    def __init__(self, function: Callable[..., Any], inputs: int = 1) -> None:
        self._function = function
        self.inputs = [Port(f"input_{number}", ()) for number in range(inputs)]

    def predict(self, inputs: Any) -> list[Any]:
        return [self._function(*inputs) if isinstance(inputs, tuple) else self._function(inputs)]

    def normalized_outside(self, preprocessing: Preprocessing) -> Any:
        raise InputError("has no layers")


def classes_of(values: np.ndarray) -> np.ndarray:
    """Two classes, by the sign of a value a sample."""
    return np.stack([values, -values], axis=1)


def subject(x: Any, model: Any, head: Head | None = None) -> Subject:
    return Subject(model, Preprocessing(), x[: N // 2], x[N // 2 :], Task((head or Head(),)))


def findings(x: Any, model: ModelFacts | None = None) -> list[Finding]:
    parts = dict(zip(x.names, x.arrays, strict=True)) if isinstance(x, NamedArrays) else x
    facts = data_facts(parts, parts)
    inputs = tuple(ModelInput(data.name, data.shape) for data in facts.inputs)
    found = lint(facts, model or ModelFacts(inputs), unsure=True)
    return [finding for finding in found if finding.code in ("feature-scales", "int8-range", "token-steps")]


def windows(*scales: float) -> np.ndarray:
    return (np.random.default_rng(0).normal(size=(N, 16, len(scales))) * scales).astype(np.float32)


def images(*scales: float) -> np.ndarray:
    return (np.random.default_rng(0).normal(size=(N, 6, 5, len(scales))) * scales).astype(np.float32)


@pytest.mark.parametrize("make", [windows, images])
def test_channels_that_one_scale_erases(make: Callable[..., np.ndarray]) -> None:
    x = make(0.5, 0.5, 300)
    x[..., 0] += 0.2 * np.sign(x[..., 0].reshape(N, -1).mean(axis=1)).reshape(N, *[1] * (x.ndim - 2))
    model = Model(lambda x: classes_of(x[..., 0].reshape(len(x), -1).mean(axis=1)))
    [found] = findings(x)
    assert "erases 2 of 3 channels: number 0, number 1 (a spread of 0." in found.sentence
    with pytest.raises(
        InputError, match=r"an int8 file of this model would be worthless: .* 2 of 3 channels"
    ) as stopped:
        judge([found], subject(x, model), RECIPE, anyway=False)
    assert "choose --recipe int16x8" in stopped.value.hint
    assert "then 100.0% of 200 validation samples keep their class (measured)" in stopped.value.hint
    [grave] = judge([found], subject(x, model), RECIPE, anyway=True)
    assert grave.code == SPOILED


def test_channels_that_the_model_hardly_looks_at() -> None:
    x = windows(0.5, 0.5, 300)
    model = Model(lambda x: classes_of(x[:, :, 2].mean(axis=1)))
    assert judge(findings(x), subject(x, model), RECIPE, anyway=False) == []


def test_channels_of_like_spread_are_not_worth_a_word() -> None:
    rng = np.random.default_rng(1)
    assert findings(windows(1, 1, 5)) == []
    dark = rng.integers(0, 40, (N, 6, 5, 3)).astype(np.uint8) * np.array([1, 1, 6], np.uint8)
    dark[0, 0, 0] = 255
    assert findings(dark) == []  # bytes lose nothing


def test_channels_first() -> None:
    x = windows(0.5, 300).transpose(0, 2, 1)
    facts = data_facts(x, x, channel_axis={"": -2})
    [found] = [f for f in lint(facts, ModelFacts((ModelInput(shape=(2, 16)),))) if f.code == "feature-scales"]
    assert "erases 1 of 2 channels: number 0" in found.sentence


def test_a_few_readings_that_widen_the_range() -> None:
    x = windows(1)
    x[-1, 3] = 900
    model = Model(lambda x: classes_of(np.clip(x, -3, 3).mean(axis=(1, 2))))
    [found] = findings(x)
    assert found.code == "int8-range"
    assert "use 0.7% of its range, 2 of 256 steps" in found.sentence
    with pytest.raises(InputError) as stopped:
        judge([found], subject(x, model), RECIPE, anyway=False)
    assert stopped.value.hint.startswith("add --calibration-method percentile: then ")
    method = replace(RECIPE, calibration_method="percentile")
    assert judge([found], subject(x, model), method, anyway=False) == []


def test_values_far_from_zero() -> None:
    x = 101_000 + windows(5)
    model = Model(lambda x: (x - 101_000).mean(axis=(1, 2))[:, np.newaxis])
    [found] = findings(x)
    assert found.code == "int8-range"
    with pytest.raises(InputError, match=r"are off by .* of their spread"):
        judge([found], subject(x, model, Head(kind="regression")), RECIPE, anyway=False)


def test_one_of_several_values_that_is_lost() -> None:
    x = windows(0.5, 300)
    both = Model(lambda x: np.stack([x[:, :, 1].mean(axis=1), x[:, :, 0].mean(axis=1)], axis=1))
    with pytest.raises(InputError, match="worthless"):
        judge(findings(x), subject(x, both, Head(kind="regression")), RECIPE, anyway=False)


def test_heavy_tails() -> None:
    rng = np.random.default_rng(1)
    x = (10 ** rng.uniform(-4, 3, (N, 16, 1))).astype(np.float32)
    [found] = findings(x)
    assert "of the values differ and become the same step" in found.sentence
    model = Model(lambda x: classes_of((np.log10(np.maximum(x, 1e-6)) + 0.5).mean(axis=(1, 2))))
    with pytest.raises(InputError):
        judge([found], subject(x, model), RECIPE, anyway=False)
    sparse = windows(1) * (rng.random((N, 16, 1)) < 0.1)
    assert findings(sparse) == []


def test_several_inputs_have_a_scale_each() -> None:
    x = NamedArrays({"a": windows(1), "b": windows(1000)})
    assert findings(x) == []
    x = NamedArrays({"a": windows(1, 1), "b": windows(0.5, 300)})
    [found] = findings(x)
    assert "erases 1 of 2 channels of b: number 0" in found.sentence
    model = Model(lambda a, b: classes_of(b[:, :, 0].mean(axis=1)), 2)
    with pytest.raises(InputError):
        judge([found], subject(x, model), RECIPE, anyway=False)


def test_tokens_that_are_declared_as_floats() -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(0, 2000, (N, 8)).astype(np.float32)
    for dtype, expected in (("float32", 1), ("int32", 0)):
        known = ModelFacts((ModelInput(shape=(8,), dtype=dtype, vocabulary=2000),))
        found = findings(x, known)
        assert len(found) == expected
    kinds = rng.normal(size=2000)
    model = Model(lambda x: classes_of(kinds[x.astype(int)].mean(axis=1)))
    with pytest.raises(InputError, match="numbers of tokens, which are rounded") as stopped:
        judge(findings(x, ModelFacts((ModelInput(vocabulary=2000),))), subject(x, model), RECIPE, anyway=False)
    assert stopped.value.hint.startswith('declare the input as integers: keras.Input(..., dtype="int32")')
    assert judge([], subject(x, model), RECIPE, anyway=False) == []


def test_what_hurts_a_little_is_said_and_no_more() -> None:
    x = np.concatenate([windows(12), windows(300)], axis=2)
    x[:, :, 0] += np.where(np.arange(N) % 2, 8, -8)[:, np.newaxis]
    model = Model(lambda x: classes_of(x[:, :3, 0].mean(axis=1)))
    [found] = judge(findings(x), subject(x, model), RECIPE, anyway=False)
    assert found.code == "feature-scales"


@pytest.mark.tensorflow
def test_a_leading_batch_normalization_is_moved_outside() -> None:
    keras = tf_keras()
    layers = keras.layers
    x = windows(0.5, 300)
    norm = layers.BatchNormalization()
    flat = layers.Flatten()
    last = layers.Dense(2)
    model = keras.Sequential([keras.Input((16, 2)), norm, flat, last])
    norm.set_weights([np.ones(2), np.zeros(2), np.zeros(2), np.array([0.25, 90_000])])
    weights = np.zeros((32, 2))
    weights[::2] = [1, -1]
    last.set_weights([weights, np.zeros(2)])
    source = KerasSource(model)
    found = findings(x, source.facts())
    with pytest.raises(InputError) as stopped:
        judge(found, subject(x, source), RECIPE, anyway=False)
    assert stopped.value.hint.startswith("add --normalize-outside: then ")
    taught = replace(RECIPE, name="mine", stages=(StageSpec("distill", {"teacher": "big.keras"}),))
    with pytest.raises(InputError) as stopped:  # whose teacher would get other inputs
        judge(found, subject(x, source), taught, anyway=False)
    assert "--normalize-outside: then" not in stopped.value.hint
    assert "choose --recipe int16x8" in stopped.value.hint
