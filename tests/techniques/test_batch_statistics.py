"""The statistics of BatchNormalization are those of the weights that are validated."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.frameworks.tensorflow import tf_keras
from edgekit.techniques.batch_statistics import measure_before_validation
from tests.techniques.tiny import inputs, network

pytestmark = pytest.mark.tensorflow


def test_statistics_are_measured_again_before_validation() -> None:
    model = network()
    layer = model.get_layer("stem_bn")
    before = model.get_layer("stem").get_weights()[0]
    layer.moving_mean.assign(np.full(8, 7.0))
    x = inputs()
    [callback] = measure_before_validation(model, x, batch_size=10)
    for times in (1, 2):
        model.get_layer("stem").set_weights([before * times])
        callback.on_test_begin()
        stem = tf_keras().Model(model.inputs, layer.input).predict(x[: len(x) - len(x) % 10], verbose=0)
        assert layer.moving_mean.numpy() == pytest.approx(stem.mean((0, 1, 2)), rel=1e-4, abs=1e-6)
        # The operator divides by n - 1.
        assert layer.moving_variance.numpy() == pytest.approx(stem.var((0, 1, 2)), rel=0.01)
    assert layer.momentum == 0.8
    assert np.array_equal(model.get_layer("stem").get_weights()[0], before * 2)


def test_a_frozen_layer_keeps_its_statistics() -> None:
    model = network()
    model.get_layer("stem_bn").trainable = False
    assert measure_before_validation(model, inputs(), batch_size=10) == []


def test_fit_calls_it_once_an_epoch() -> None:
    model = network()
    x, y = inputs(), np.zeros(len(inputs()), np.int64)
    callbacks = measure_before_validation(model, x, batch_size=10)
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
    model.fit(x, y, validation_data=(x, y), epochs=2, verbose=0, callbacks=callbacks)
    layer = model.get_layer("stem_bn")
    stem = tf_keras().Model(model.inputs, layer.input).predict(x[: len(x) - len(x) % 10], verbose=0)
    assert layer.moving_mean.numpy() == pytest.approx(stem.mean((0, 1, 2)), rel=1e-4, abs=1e-6)
