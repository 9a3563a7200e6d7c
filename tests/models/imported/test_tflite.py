"""Operators of TFLite as layers: files of TensorFlow's converter, rebuilt and compared with the interpreter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.formats.reading import inspect_file
from edgekit.frameworks.tensorflow import tensorflow
from edgekit.models.imported import tflite_operators
from edgekit.models.imported.fusing import fused
from edgekit.models.imported.lowering.lower import lowered
from edgekit.models.imported.operators import Operators, unpacked
from edgekit.models.imported.proof import prove
from edgekit.models.imported.reading.tflite import OPERATORS, graph_of
from tests.support.raised import raised
from tests.support.tiny_tflite import Op, T, model

pytestmark = pytest.mark.tensorflow

Outputs = dict[str, Any]
SINGLE = ("RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "ROUND", "CEIL", "COS", "SIGN", "L2_NORMALIZATION")
"""The converter writes them as others: they are tried in a file of their own, with PRELU."""
FORMS = {"ARG_MIN", "BROADCAST_TO", "LOGICAL_OR", "SPLIT_V", "SQUEEZE", "EXPAND_DIMS", "REDUCE_PROD", "PADV2"}
FORMS |= {"LOGICAL_NOT", "LOGICAL_AND"}
"""Forms of those that are tried."""


def _weights(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).uniform(-0.5, 0.5, shape).astype(np.float32)


def images(x: Any) -> Outputs:
    """What images go through."""
    tf = tensorflow()
    nn = tf.nn
    y = nn.conv2d(x, _weights(3, 3, 3, 4), 1, "SAME") + _weights(4)
    return {
        "strided": nn.relu(nn.conv2d(y, _weights(3, 3, 4, 6), 2, "SAME")),
        "valid": nn.relu6(nn.conv2d(y, _weights(3, 3, 4, 6), 1, "VALID", dilations=2) + _weights(6)),
        "grouped": nn.conv2d(y, _weights(3, 3, 2, 6), 1, "SAME"),
        "depthwise": nn.depthwise_conv2d(y, _weights(3, 3, 4, 2), [1, 2, 2, 1], "SAME"),
        "transposed": nn.conv2d_transpose(y, _weights(3, 3, 5, 4), (1, 16, 20, 5), 2, "SAME"),
        "blown_up": nn.conv2d_transpose(y, _weights(2, 2, 5, 4), (1, 16, 20, 5), 2, "VALID"),
        "largest": nn.max_pool2d(y, 3, 2, "SAME"),
        "means": nn.avg_pool2d(y, 3, 2, "SAME"),
        "bilinear": tf.image.resize(y, (16, 20)),
        "uneven": tf.image.resize(y, (11, 13)),
        "nearest": tf.image.resize(y, (16, 20), method="nearest"),
        "corners": tf.compat.v1.image.resize_bilinear(y, (15, 19), align_corners=True),
        "blocks": nn.depth_to_space(y, 2),
        "depth": nn.space_to_depth(y, 2),
        "flat": nn.tanh(tf.matmul(tf.reshape(y, (1, -1)), _weights(320, 5)) + _weights(5)),
        "mean": tf.reduce_mean(y, (1, 2)),
        "gate": y * tf.sigmoid(tf.reduce_mean(y, (1, 2), keepdims=True)),
        "cut": y[:, 1:7, ::2, 1:],
        "row": y[:, -1],
        "begin": tf.slice(y, (0, 1, 2, 0), (1, 3, 4, 2)),
        "zeros": tf.pad(y, ((0, 0), (1, 2), (0, 1), (0, 0))),
        "mirror": tf.pad(y, ((0, 0), (2, 2), (1, 1), (0, 0)), "REFLECT"),
        "joined": tf.concat((y, nn.relu(y)), -1),
        "halves": tf.concat(tf.split(y, 2, -1)[::-1], -1),
        "first": tf.transpose(y, (0, 3, 1, 2)),
        "tiled": tf.tile(y, (1, 2, 1, 3)),
        "slopes": nn.leaky_relu(y, 0.3),
        "own_slopes": nn.relu(y) + -_weights(1, 1, 4) * nn.relu(-y),
        "clipped": nn.relu(tf.pad(y, ((0, 0), (1, 1), (0, 0), (0, 0)))),
    }


def others(x: Any, words: Any) -> Outputs:
    """Functions, arithmetic, and what transformers go through; x is (1, 6, 8)."""
    tf = tensorflow()
    nn, up = tf.nn, tf.abs(x) + 1.0
    q, k = tf.matmul(x, _weights(8, 4)), tf.einsum("btc,cd->btd", x, _weights(8, 4))
    return {
        **{name: getattr(tf, name)(x) for name in ("exp", "floor", "sin", "square")},
        **{name: getattr(tf.math, name)(up) for name in ("log", "rsqrt", "sqrt")},
        "elu": nn.elu(x), "swish": nn.silu(x), "hard": x * nn.relu6(x + 3.0) / 6.0,
        "gelu_tanh": nn.gelu(x, approximate=True), "softmax": nn.softmax(x), "logs": nn.log_softmax(x),
        "attention": tf.matmul(nn.softmax(tf.matmul(q, k, transpose_b=True)), q),
        "sum": tf.reduce_sum(x, 2), "max": tf.reduce_max(x, 1), "min": tf.reduce_min(x, (1, 2)),
        "place": tf.cast(tf.argmax(x, -1), tf.float32),
        "times": x * _weights(6, 1) - _weights(8), "over": _weights(8) / up, "more": tf.maximum(x, q[:, :, :1]),
        "less": tf.minimum(x, 0.1), "power": tf.pow(up, 2.5),
        "chosen": tf.where(tf.greater(x, 0.1), x, 0.5), "equal": tf.where(tf.equal(x, up), x, up),
        "unequal": tf.where(tf.not_equal(x, up), x, up),
        "others": tf.where(tf.greater_equal(x, 0.1), x, tf.where(tf.less(x, -0.1), up, tf.where(x <= 0.0, up, x))),
        "distance": tf.math.squared_difference(x, up), "stack": tf.stack((x, up), 1),
        "unstacked": tf.add_n(tf.unstack(x, axis=1)), "taken": tf.gather(x, (5, 0, 3), axis=1),
        "rows": tf.gather(_weights(11, 4), words), "negative": -x,
        "norm": (x - tf.reduce_mean(x, -1, True)) * tf.math.rsqrt(tf.math.reduce_variance(x, -1, True) + 1e-5),
    }  # fmt: skip


def _file(function: Callable[..., Outputs], *specs: Any) -> bytes:
    tf = tensorflow()
    traced = tf.function(lambda *x: list(function(*x).values()))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced.get_concrete_function(*specs)])
    data: bytes = converter.convert()
    return data


def _by_hand() -> bytes:
    tensors = [T("x", (1, 2, 3, 4), "FLOAT32"), T("slopes", (1, 1, 4), "FLOAT32", _weights(1, 1, 4).tobytes())]
    tensors += [T(f"y{i}", (1, 2, 3, 4), "FLOAT32") for i in range(len(SINGLE) + 1)]
    operators = [Op(kind, [0], [2 + i]) for i, kind in enumerate(SINGLE)]
    operators.append(Op("PRELU", [0, 1], [2 + len(SINGLE)]))
    return model(tensors, operators, [0], list(range(2, len(tensors))))


def _rebuilt(path: Path) -> Operators:
    info = inspect_file(path)
    ends = [t.name for t in info.inputs], [t.name for t in info.outputs]
    operators = unpacked(*tflite_operators.read(path=str(path), inputs=ends[0], outputs=ends[1]))
    graph = fused(graph_of(operators, path.name))
    made = lowered(graph, path.name, "made")

    def run(inputs: Sequence[Any], names: Sequence[str]) -> list[Any]:
        both = [*ends[0], "", *ends[1]]
        return tflite_operators.run_values(*inputs, path=str(path), names=names, ends=both)[1]

    assert prove(made, graph, run, path.name).samples == 6
    assert [port.name for port in made.outputs] == ends[1]
    return operators


def test_operators_are_rebuilt_equal(tmp_path: Path) -> None:
    tf = tensorflow()
    (tmp_path / "images.tflite").write_bytes(_file(images, tf.TensorSpec((1, 8, 10, 3))))
    (tmp_path / "others.tflite").write_bytes(_file(others, tf.TensorSpec((1, 6, 8)), tf.TensorSpec((1, 5), tf.int32)))
    (tmp_path / "hand.tflite").write_bytes(_by_hand())
    tried = {node.kind for name in ("images", "others", "hand") for node in _rebuilt(tmp_path / f"{name}.tflite").nodes}
    assert sorted(set(OPERATORS) - tried - FORMS) == []


def test_float16_weights_are_widened_and_what_is_not_known_is_named(tmp_path: Path) -> None:
    tf = tensorflow()
    keras = tf.keras
    x = keras.Input((8, 8, 3), 1)
    net = keras.Model(x, keras.layers.Dense(3)(keras.layers.Flatten()(keras.layers.Conv2D(4, 3)(x))))
    converter = tf.lite.TFLiteConverter.from_keras_model(net)
    converter.optimizations, converter.target_spec.supported_types = [tf.lite.Optimize.DEFAULT], [tf.float16]
    (tmp_path / "half.tflite").write_bytes(converter.convert())
    assert {node.kind for node in _rebuilt(tmp_path / "half.tflite").nodes} >= {"CONV_2D", "FULLY_CONNECTED"}
    (tmp_path / "sums.tflite").write_bytes(_file(lambda y: {"y": tf.cumsum(y, 1)}, tf.TensorSpec((1, 6, 8))))
    with raised("operator-not-rebuilt", "`CUMSUM`"):
        _rebuilt(tmp_path / "sums.tflite")
