"""ONNX files made of int8 TFLite files in which some operators compute in float: they compute the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from edgekit.export.mixed.tflite import TfliteQuantized
from edgekit.export.onnx.convert import from_tflite
from edgekit.export.signature import Signature
from edgekit.frameworks.tensorflow import tensorflow, tf_keras
from edgekit.measuring.loaded import load_tflite
from edgekit.measuring.ports import to_stored
from tests.support.pairs import pair_of
from tests.support.reverted_onnx import run_model

onnx = pytest.importorskip("onnx")
pytestmark = pytest.mark.tensorflow


def branched() -> Any:
    """Convolution with a limit, depthwise, sum, pooling, resizing, join, swish, dense."""
    keras = tf_keras()
    layers = keras.layers
    image = keras.Input((8, 8, 3), name="image")
    first = layers.Conv2D(8, 3, padding="same", activation="relu6")(image)
    second = layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same", activation="relu")(first))
    total = layers.Add()([layers.Conv2D(8, 1)(second), first])
    larger = layers.UpSampling2D(2, interpolation="bilinear")(layers.MaxPool2D()(total))
    joined = layers.Conv2D(8, 1, activation="swish")(layers.Concatenate()([larger, first]))
    hidden = layers.Dense(12, activation="relu", bias_initializer="ones")(layers.GlobalAveragePooling2D()(joined))
    return keras.Model(image, layers.Dense(5, activation="softmax")(hidden))


def attention() -> Any:
    """Products of activations, normalization, GELU, and padding before a convolution."""
    keras, matmul = tf_keras(), tensorflow().matmul
    layers = keras.layers
    image = keras.Input((6, 8), name="image")
    query, key = layers.Dense(8)(image), layers.Dense(8)(image)
    score = layers.Softmax()(layers.Lambda(lambda pair: matmul(pair[0], pair[1], transpose_b=True))([query, key]))
    mixed = layers.LayerNormalization()(layers.Add()([layers.Lambda(lambda pair: matmul(*pair))([score, key]), image]))
    wide = layers.Conv1D(8, 3, padding="causal", activation="gelu")(mixed)
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(wide)))


class Network(NamedTuple):
    """A model's pair of files, and samples."""

    model: Any
    pair: TfliteQuantized
    samples: Any


@pytest.fixture(scope="module", params=[branched, attention])
def network(request: pytest.FixtureRequest) -> Iterator[Network]:
    tf_keras().utils.set_random_seed(0)
    model = request.param()
    samples = np.random.default_rng(0).normal(size=(40, *model.inputs[0].shape[1:])).astype(np.float32)
    yield Network(model, TfliteQuantized(*pair_of(model, samples)), samples)


def chosen(pair: TfliteQuantized) -> dict[str, list[int]]:
    """Return operators that are reverted together."""
    every = [operator.index for operator in pair.operators]
    rng = np.random.default_rng(0)
    return {
        "all": every,
        "second and third": every[1:3],
        "every other": every[::2],
        "half": sorted(map(int, rng.choice(every, len(every) // 2, replace=False))),
    }


@pytest.mark.parametrize("float_weights", [True, False])
def test_both_files_compute_the_same(network: Network, float_weights: bool, tmp_path: Path) -> None:
    pair, path = network.pair, tmp_path / "m.onnx"
    for name, operators in chosen(pair).items():
        file = pair.reverted(operators, float_weights=float_weights)
        (tmp_path / "m.tflite").write_bytes(file)
        from_tflite(path, Signature(network.model), tmp_path / "m.tflite")
        twin, made = load_tflite(file), onnx.load(path)
        assert [v.type.tensor_type.elem_type for v in (*made.graph.input, *made.graph.output)] == [3, 3]
        (entry,) = made.graph.input
        most = 1 if name == "all" else 2  # the kernels of either runtime round in places of their own
        for row in network.samples[:4]:
            stored = to_stored(row[None], twin.inputs[0])
            (expected,) = twin.run([stored])
            for optimized in (False, True) if name == "all" else (False,):
                found = run_model(made, {entry.name: stored}, optimized=optimized)[0]
                assert np.abs(np.int32(found) - expected).max() <= most, name


def test_int8_weights_stay_int8_in_the_file(network: Network, tmp_path: Path) -> None:
    pair, path = network.pair, tmp_path / "m.onnx"
    every = [operator.index for operator in pair.operators]
    (tmp_path / "m.tflite").write_bytes(pair.reverted(every, float_weights=False))
    from_tflite(path, Signature(network.model), tmp_path / "m.tflite")
    graph = onnx.load(path).graph
    casts = {n.input[0] for n in graph.node if n.op_type == "Cast"}
    held = sum(operator.weight_bytes for operator in pair.operators if operator.weight_bytes >= 32)
    assert sum(len(t.raw_data) for t in graph.initializer if t.name in casts) == held
