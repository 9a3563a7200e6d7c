"""The int8 files that can be made of a Keras model: of one trained with fake quantization the float file is float."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.export.calibration import MINMAX
from edgekit.export.mixed.keras_ways import KerasWays
from edgekit.frameworks.tensorflow import seed_everything, tf_keras
from edgekit.techniques.qat_finish import for_converter, strip_quantization
from edgekit.techniques.qat_preflight import prepare
from edgekit.techniques.qat_ranges import calibrate
from edgekit.techniques.qat_scheme import apply

pytestmark = pytest.mark.tensorflow


def test_operators_of_a_trained_model_can_be_reverted(tmp_path: Path) -> None:
    seed_everything(0)
    layers = tf_keras().layers
    inputs = layers.Input((8, 8, 3))
    x = layers.Conv2D(8, 3, activation="relu")(inputs)
    model = tf_keras().Model(inputs, layers.Dense(4)(layers.Flatten()(x)))
    samples = np.random.default_rng(0).normal(size=(40, 8, 8, 3)).astype(np.float32)
    prepared = prepare(model, samples)
    trained = apply(prepared.model, prepared.handling, {})
    calibrate(trained, prepared.model, samples, 40)
    ways = KerasWays(for_converter(trained), strip_quantization(trained), samples, MINMAX, tmp_path)
    assert not list(ways.refined())
    pair = ways.quantized(ways.plain())
    true = pair.outputs(pair.float_file, [samples])[0]
    errors = [
        np.abs(pair.outputs(file, [samples])[0] - true).mean()
        for file in (pair.int8_file, pair.reverted({o.index for o in pair.operators}, float_weights=True))
    ]
    assert errors[1] < 0.5 * errors[0]
    assert ways.order(pair)
    assert len(ways.finished(ways.plain())) < len(pair.float_file)
