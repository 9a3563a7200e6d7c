"""int8 ONNX files that tf2onnx made of TFLite ones, with operators in float again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.bundle.recipe import Recipe
from edgekit.export.exporter import export
from edgekit.export.mixed.onnx import OnnxQuantized
from edgekit.export.onnx.convert import FROM_TFLITE
from edgekit.frameworks.tensorflow import tf_keras
from edgekit.progress import SILENT
from edgekit.stats import sqnr_db

pytestmark = [pytest.mark.tensorflow, pytest.mark.processes]


def network() -> Any:
    """Convolutions with normalization, depthwise with a limit, sum, pooling, resizing, join, swish, dense."""
    keras = tf_keras()
    layers = keras.layers
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3), name="image")
    first = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(image)))
    second = layers.ReLU(6.0)(layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(first)))
    total = layers.Add()([layers.Conv2D(8, 1)(second), first])
    larger = layers.UpSampling2D(2, interpolation="bilinear")(layers.MaxPool2D()(total))
    joined = layers.Conv2D(8, 1, activation="swish")(layers.Concatenate()([larger, first]))
    hidden = layers.Dense(12, activation="relu", bias_initializer="ones")(layers.GlobalAveragePooling2D()(joined))
    return keras.Model(image, layers.Dense(5, activation="softmax")(hidden))


def test_a_file_that_tf2onnx_made(tmp_path: Path, rng: np.random.Generator) -> None:
    samples = rng.normal(size=(40, 8, 8, 3)).astype(np.float32)
    recipe = Recipe("r", schemes=("float32", "int8"), formats=("onnx",))
    exact, int8 = export(network(), recipe, samples, tmp_path, "m", SILENT)
    assert int8.made_by == f"{FROM_TFLITE}, uint8 weights in 1 layer"
    with OnnxQuantized(exact.path, int8.path) as pair:
        every = [operator.index for operator in pair.operators]
        kinds = [operator.kind for operator in pair.operators]
        assert kinds[:5] == ["Transpose", "Conv", "Conv", "Conv", "Add"] and kinds[-3:] == ["Gemm", "MatMul", "Softmax"]
        assert all(pair.weights(operator) is not None for operator in pair.operators if operator.weight_bytes)
        scale, point = pair.step(0) or (1.0, 0)
        x = (np.clip(np.round(samples[:20] / scale) + point, -128, 127) - point) * np.float32(scale)
        (expected,) = pair.outputs(pair.float_file, [x])
        (integers,) = pair.outputs(pair.int8_file, [x])
        out, _ = pair.step(pair.operators[-1].outputs[0]) or (1.0, 0)
        for float_weights, most in ((True, 0.501 * out), (False, 4 * out)):
            (found,) = pair.outputs(pair.reverted(every, float_weights=float_weights), [x])
            assert np.abs(found - expected).max() <= most
        floats = next(pair.traced("float", [x]))
        assert set(floats) >= {operator.outputs[0] for operator in pair.operators}
        for chosen in (every[1:4], every[4:8], every[9:12], every[-3:]):
            (found,) = pair.outputs(pair.reverted(chosen, float_weights=True), [x])
            assert sqnr_db(expected, found) > sqnr_db(expected, integers) - 3
