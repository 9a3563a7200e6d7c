"""Every criterion against numbers computed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.frameworks.tensorflow import tf_keras
from edgekit.techniques.channels.criteria import importances
from edgekit.techniques.channels.groups import Analysis, analyse
from tests.support.raised import raised
from tests.techniques.channels.cases import functional, head, image, samples

pytestmark = pytest.mark.tensorflow


def scores(model: Any, criterion: str, data: Any = None) -> dict[str, list[float]]:
    analysis = analyse(model)
    found = importances(analysis, analysis.groups, criterion, data)
    return {name: values.tolist() for name, values in found.items()}


def two_filters() -> Any:
    """A convolution `a` with the filters (3, -4) and (0, 1), the bias of which does not count."""
    layers = tf_keras().layers
    inputs = image((1, 1, 2))
    model = functional(inputs, head(layers.Conv2D(2, 1, name="a")(inputs)))
    model.get_layer("a").set_weights([np.reshape([[3, 0], [-4, 1]], (1, 1, 2, 2)), np.full(2, 9)])
    return model


def test_l1() -> None:
    assert scores(two_filters(), "l1")["a"] == pytest.approx([7 / 4, 1 / 4])


def test_l2() -> None:
    assert scores(two_filters(), "l2")["a"] == pytest.approx([5 / 3, 1 / 3])


def test_a_layer_of_zeros_has_no_importance() -> None:
    model = two_filters()
    model.get_layer("a").set_weights([np.zeros((1, 1, 2, 2)), np.full(2, 9)])
    assert scores(model, "l1")["a"] == [0, 0]


def test_coupled_layers_are_averaged_after_scaling_each_to_mean_1() -> None:
    layers = tf_keras().layers
    inputs = image((1, 1, 1))
    branches = [layers.Conv2D(2, 1, name=name, use_bias=False)(inputs) for name in "ab"]
    model = functional(inputs, head(layers.Add()(branches)))
    model.get_layer("a").set_weights([np.reshape([300.0, 100.0], (1, 1, 1, 2))])
    model.get_layer("b").set_weights([np.reshape([0.0, 2.0], (1, 1, 1, 2))])
    assert scores(model, "l1") == {"a+b": pytest.approx([(1.5 + 0) / 2, (0.5 + 2) / 2])}


def test_depthwise_and_transposed_filters() -> None:
    layers = tf_keras().layers
    x = inputs = image((2, 2, 2))
    x = layers.Conv2DTranspose(2, 1, name="t", use_bias=False)(x)
    x = layers.DepthwiseConv2D(1, depth_multiplier=2, name="d", use_bias=False)(x)
    model = functional(inputs, head(x))
    model.get_layer("t").set_weights([np.reshape([[1, 1], [3, 3]], (1, 1, 2, 2))])  # (1, 1, out, in)
    model.get_layer("d").set_weights([np.reshape([[1, 2], [3, 10]], (1, 1, 2, 2))])  # (1, 1, in, multiplier)
    expected = [np.mean([2 / 4, 1 / 4, 2 / 4]), np.mean([6 / 4, 3 / 4, 10 / 4])]
    assert scores(model, "l1") == {"t+d": pytest.approx(expected)}


def test_bn_gamma() -> None:
    layers = tf_keras().layers
    x = inputs = image()
    x = layers.ReLU()(layers.BatchNormalization(name="bn")(layers.Conv2D(2, 1, name="a")(x)))
    x = layers.BatchNormalization(scale=False)(layers.Conv2D(2, 1, name="b")(x))
    model = functional(inputs, head(x))
    model.get_layer("bn").gamma.assign([-3.0, 1.0])
    assert scores(model, "bn-gamma") == {"a": pytest.approx([1.5, 0.5])}


def test_bn_gamma_after_a_concatenation() -> None:
    layers = tf_keras().layers
    inputs = image()
    x = layers.Concatenate()([layers.Conv2D(2, 1, name=name)(inputs) for name in "ab"])
    model = functional(inputs, head(layers.BatchNormalization(name="bn")(x)))
    model.get_layer("bn").gamma.assign([1.0, 2.0, 3.0, 2.0])
    assert scores(model, "bn-gamma") == {"a": pytest.approx([0.5, 1.0]), "b": pytest.approx([1.5, 1.0])}


def test_bn_gamma_needs_batch_normalization() -> None:
    with raised("criterion-unfit", "BatchNormalization", "`l1`"):
        scores(two_filters(), "bn-gamma")


def dense_classifier() -> Any:
    layers = tf_keras().layers
    inputs = layers.Input((4,))
    x = layers.Dense(3, activation="relu", name="hidden")(inputs)
    return functional(inputs, layers.Softmax()(layers.Dense(2, name="logits")(x)), seed=2)


def test_taylor_by_hand() -> None:
    model = dense_classifier()
    x, y = samples(40, (4,)), np.arange(40) % 2  # more than one batch
    weights, bias = model.get_layer("hidden").get_weights()
    active = np.maximum(x @ weights + bias, 0)
    weights, bias = model.get_layer("logits").get_weights()
    logits = active @ weights + bias
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    gradient = (probabilities - np.eye(2)[y]) @ weights.T
    expected = np.abs(active * gradient).mean(axis=0)
    assert scores(model, "taylor", (x, y))["hidden"] == pytest.approx(expected / expected.mean(), rel=1e-4)


def test_taylor_sums_positions_and_readers_before_the_absolute_value() -> None:
    """The loss is made linear, so that what Taylor predicts is what removing the channel does."""
    layers = tf_keras().layers
    inputs = image((2, 2, 2))
    x = layers.Conv2D(3, 1, name="a")(inputs)
    read = [layers.Conv2D(2, 1, name=f"reader{i}")(x) for i in (1, 2)]
    model = functional(inputs, layers.Dense(1)(layers.Flatten()(layers.Add()(read))), seed=3)
    model.layers[-1].set_weights([model.layers[-1].get_weights()[0] * 1e-3, np.zeros(1)])  # loss = log 2 + output / 2
    batch = samples(6, (2, 2, 2))
    analysis = analyse(model)
    found = importances(analysis, analysis.groups, "taylor", (batch, np.zeros(6, np.int64)))["a"]
    changes = [np.abs(change_without(model, "a", channel, batch)).mean() for channel in range(3)]
    assert found == pytest.approx(changes / np.mean(changes), rel=1e-3)


def change_without(model: Any, name: str, channel: int, batch: np.ndarray) -> np.ndarray:
    copy = tf_keras().models.clone_model(model)
    copy.set_weights(model.get_weights())
    kernel, bias = copy.get_layer(name).get_weights()
    kernel[..., channel], bias[channel] = 0, 0
    copy.get_layer(name).set_weights([kernel, bias])
    return np.asarray(model(batch) - copy(batch))


def test_taylor_reaches_into_nested_models_and_ignores_dropout() -> None:
    layers = tf_keras().layers
    base = tf_keras().Sequential([layers.Input((6, 6, 4)), layers.Conv2D(5, 3, name="inner"), layers.Dropout(0.5)])
    inputs = image()
    model = functional(inputs, head(base(layers.BatchNormalization()(inputs))))
    data = (samples(4), np.array([0, 1, 2, 0]))
    statistics = [value.copy() for value in model.get_weights()]
    first, second = (scores(model, "taylor", data) for _ in range(2))
    assert first == second
    assert len(first[f"{base.name}/inner"]) == 5
    assert all((a == b).all() for a, b in zip(statistics, model.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("x", "y", "name"),
    [
        (np.zeros((3, 5)), np.zeros(3, np.int64), "(3, 5)"),
        (np.zeros((0, 4)), np.zeros(0, np.int64), "(0, 4)"),
        (np.zeros((3, 4)), np.zeros(2, np.int64), "3 integer labels"),
        (np.zeros((3, 4)), np.zeros(3), "3 integer labels"),
        (np.zeros((3, 4)), np.array([0, 1, 2]), "labels from 0 to 2"),
    ],
)
def test_samples_that_do_not_fit(x: np.ndarray, y: np.ndarray, name: str) -> None:
    with raised("criterion-unfit", name):
        scores(dense_classifier(), "taylor", (x, y))


def test_taylor_needs_samples_and_a_classifier() -> None:
    with raised("criterion-unfit", "`taylor`", "samples"):
        scores(two_filters(), "taylor")
    inputs = image()
    features = tf_keras().layers.Conv2D(2, 3, name="features")(tf_keras().layers.Conv2D(2, 3)(inputs))
    with raised("criterion-unfit", "`taylor`", "classifier"):
        scores(functional(inputs, features), "taylor", (samples(), np.zeros(5, np.int64)))


def test_weights_that_are_not_finite() -> None:
    model = two_filters()
    model.get_layer("a").set_weights([np.full((1, 1, 2, 2), np.nan), np.zeros(2)])
    with raised("criterion-unfit", "`a`", "`l1`"):
        scores(model, "l1")


def test_an_unknown_criterion() -> None:
    analysis: Analysis = analyse(two_filters())
    with raised("unknown-name", "`l3`"):
        importances(analysis, analysis.groups, "l3")
