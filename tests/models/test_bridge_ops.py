"""Operations of Keras 3 graphs in Keras 2: every one of the tables, saved copies, and what crosses samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import ConversionError
from edgekit.frameworks.tensorflow import keras3
from edgekit.models.bridge.forward import bridge
from edgekit.models.bridge.op_shapes import SHAPES
from edgekit.models.bridge.op_table import TRACED
from edgekit.progress import Silent
from edgekit.techniques.channels.prune import prune_channels
from edgekit.techniques.qat_preflight import prepare
from tests.models.bridge_cases import IMAGE, SERIES, called, check, shaken

pytestmark = pytest.mark.tensorflow

Ops = Any
Call = Callable[[Ops, Any], Any]

MATRIX = np.arange(24.0, dtype=np.float32).reshape(6, 4)

OPS: dict[str, list[Call]] = {
    **{kind: [lambda ops, x, kind=kind: getattr(ops, kind.lower())(x)] for kind in ("Square", "Sign", "Floor", "Ceil")},
    **{kind: [lambda ops, x, kind=kind: getattr(ops, kind.lower())(x)] for kind in ("Sin", "Cos", "Expm1", "Erf")},
    **{kind: [lambda ops, x, kind=kind: getattr(ops, kind.lower())(ops.relu(x) + 1)] for kind in ("Log", "Sqrt")},
    **{kind: [lambda ops, x, kind=kind: getattr(ops, kind.lower())(ops.relu(x) + 1)] for kind in ("Rsqrt", "Log1p")},
    "Round": [lambda ops, x: ops.round(x)],
    "Reciprocal": [lambda ops, x: ops.reciprocal(ops.exp(x))],
    "Absolute": [lambda ops, x: ops.abs(x)],
    "Argmax": [lambda ops, x: ops.argmax(x, axis=-1)],
    "Argmin": [lambda ops, x: ops.argmin(x, axis=1)],
    "Add": [lambda ops, x: x + MATRIX, lambda ops, x: x + ops.mean(x, axis=1, keepdims=True)],
    "Subtract": [lambda ops, x: ops.subtract(MATRIX, x), lambda ops, x: x - MATRIX],
    "Multiply": [lambda ops, x: x * MATRIX, lambda ops, x: x * (x > 0)],
    "Divide": [lambda ops, x: ops.divide(2.0, ops.exp(x)), lambda ops, x: ops.divide(x, ops.exp(x))],
    "TrueDivide": [lambda ops, x: x / (1.0 + ops.abs(x))],
    "Maximum": [lambda ops, x: ops.maximum(x, 0.1), lambda ops, x: ops.maximum(0.1, x)],
    "Minimum": [lambda ops, x: ops.minimum(x, MATRIX)],
    "Power": [lambda ops, x: x**2, lambda ops, x: ops.power(2.0, x)],
    "Matmul": [lambda ops, x: x @ ops.transpose(x, (0, 2, 1)), lambda ops, x: x @ MATRIX.T],
    "Mean": [lambda ops, x: ops.mean(x, axis=-1), lambda ops, x: ops.mean(x, axis=(1, 2), keepdims=True)],
    "Max": [lambda ops, x: ops.max(x, axis=1)],
    **{kind: [lambda ops, x, kind=kind: getattr(ops, kind.lower())(x, axis=1)] for kind in ("Sum", "Min", "Std")},
    **{kind: [lambda ops, x, kind=kind: getattr(ops, kind.lower())(x, axis=-1)] for kind in ("Prod", "Var", "Cumsum")},
    "Logsumexp": [lambda ops, x: ops.logsumexp(x, axis=(1, 2))],
    "Any": [lambda ops, x: ops.cast(ops.any(x > 1, axis=1), "float32")],
    "All": [lambda ops, x: ops.cast(ops.all(x < 1, axis=2), "float32")],
    "LogSoftmax": [lambda ops, x: ops.log_softmax(x, axis=1)],
    "Gelu": [lambda ops, x: ops.gelu(x, approximate=True)],
    "Clip": [lambda ops, x: ops.clip(x, -0.5, 0.5), lambda ops, x: ops.clip(x, 0.0, 0.5)],
    "Stack": [lambda ops, x: ops.stack([x, -x], axis=1)],
    "Unstack": [lambda ops, x: ops.unstack(x, axis=-1)],
    "Flip": [lambda ops, x: ops.flip(x, axis=1), lambda ops, x: ops.flip(x, axis=(1, 2))],
    "Roll": [lambda ops, x: ops.roll(x, 2, axis=1)],
    "Repeat": [lambda ops, x: ops.repeat(x, 2, axis=1)],
    "Take": [lambda ops, x: ops.take(x, [0, 2], axis=1), lambda ops, x: ops.take(x, 1, axis=2)],
    "Squeeze": [lambda ops, x: ops.squeeze(x[:, 2:3], axis=1)],
    "ExpandDims": [lambda ops, x: ops.expand_dims(x, axis=1), lambda ops, x: ops.expand_dims(x, axis=-1)],
    "Cast": [lambda ops, x: ops.cast(x > 0, "float32")],
    "OneHot": [lambda ops, x: ops.one_hot(ops.cast(ops.clip(x, 0, 3), "int32"), 4)],
    "Where": [lambda ops, x: ops.where(x > 0, x, 0.1 * x), lambda ops, x: ops.where(x > 0, 1.0, x)],
    **{kind: [lambda ops, x, kind=kind: ops.where(getattr(ops, kind.lower())(x, 0.5), x, -x)] for kind in ("Less",)},
    "Greater": [lambda ops, x: ops.where(ops.greater(x, 0.5), x, -x)],
    "Equal": [lambda ops, x: ops.where(ops.equal(x, ops.round(x)), 1.0, x)],
    "GreaterEqual": [lambda ops, x: ops.where(x >= 0.5, x, -x)],
    "LessEqual": [lambda ops, x: ops.where(x <= 0.5, x, -x)],
    "NotEqual": [lambda ops, x: ops.where(ops.not_equal(x, ops.round(x)), x, 1.0)],
    "LogicalAnd": [lambda ops, x: ops.where(ops.logical_and(x > 0, x < 1), x, -x)],
    "LogicalOr": [lambda ops, x: ops.where(ops.logical_or(x < 0, x > 1), x, -x)],
    "LogicalNot": [lambda ops, x: ops.where(ops.logical_not(x < 0), x, -x)],
    "Reshape": [lambda ops, x: ops.reshape(x, (-1, 3, 8)), lambda ops, x: ops.reshape(x, (-1, 24))],
    "Transpose": [lambda ops, x: ops.transpose(x, (0, 2, 1))],
    "Swapaxes": [lambda ops, x: ops.swapaxes(x, 1, -1)],
    "Moveaxis": [lambda ops, x: ops.moveaxis(x[..., None], 1, -1)],
    "Pad": [
        lambda ops, x: ops.pad(x, ((0, 0), (1, 2), (0, 0))),
        lambda ops, x: ops.pad(x, ((0, 0), (1, 2), (3, 0)), constant_values=2.0),
        lambda ops, x: ops.pad(x, ((0, 0), (1, 2), (0, 1)), mode="reflect"),
    ],
    "Tile": [lambda ops, x: ops.tile(x, (1, 2, 3))],
    "Split": [lambda ops, x: ops.split(x, 2, axis=1), lambda ops, x: ops.split(x, [1, 3], axis=-1)],
    "GetItem": [
        lambda ops, x: x[:, 1:3],
        lambda ops, x: x[:, 0],
        lambda ops, x: x[..., -1],
        lambda ops, x: x[:, ::2, None, ::-1],
        lambda ops, x: x[:, ..., 1:],
    ],
}
"""By Keras 3 operation, calls on a series."""

IMAGES: dict[str, list[Call]] = {
    "Mean": [lambda ops, x: ops.mean(x, axis=(1, 2)), lambda ops, x: ops.mean(x, axis=(-3, -2), keepdims=True)],
    "Max": [lambda ops, x: ops.max(x, axis=[2, 1], keepdims=True), lambda ops, x: ops.max(x, axis=(1, 3))],
    "AveragePool": [lambda ops, x: ops.average_pool(x, (3, 2), 2, padding="same")],
    "MaxPool": [lambda ops, x: ops.max_pool(x, 3, 1)],
    "Resize": [lambda ops, x: ops.image.resize(x, (5, 11)), lambda ops, x: ops.image.resize(x, (3, 4), "nearest")],
    "Pad": [lambda ops, x: ops.pad(x, ((0, 0), (1, 2), (0, 3), (0, 0)))],
    "DepthToSpace": [lambda ops, x: ops.nn.depth_to_space(ops.concatenate([x] * 4, axis=-1), 2)],
    "SpaceToDepth": [lambda ops, x: ops.nn.space_to_depth(x, 2)],
    "Transpose": [lambda ops, x: ops.transpose(x, (0, 3, 1, 2))],
}
"""The same on an image."""


def test_every_operation_of_the_tables_has_a_call() -> None:
    assert set(OPS) | set(IMAGES) == set(TRACED) | set(SHAPES)


@pytest.mark.parametrize("kind", OPS)
def test_an_operation_on_a_series(kind: str, tmp_path: Path) -> None:
    for call in OPS[kind]:
        check(called([SERIES], lambda x, call=call: call(keras3().ops, x)), tmp_path)


@pytest.mark.parametrize("kind", IMAGES)
def test_an_operation_on_an_image(kind: str, tmp_path: Path) -> None:
    for call in IMAGES[kind]:
        if kind in ("DepthToSpace", "SpaceToDepth") and not hasattr(keras3().ops.nn, "depth_to_space"):
            continue  # an older Keras 3
        check(called([IMAGE], lambda x, call=call: call(keras3().ops, x)), tmp_path)


def test_layers_are_used_where_there_are_some(tmp_path: Path) -> None:
    ops = keras3().ops

    def call(x: Any) -> Any:
        x = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        x = ops.clip(ops.max_pool(x, 2), 0, 6)
        x = keras3().activations.relu(ops.transpose(x, (0, 2, 1, 3)), max_value=4.0, negative_slope=0.1)
        return ops.squeeze(ops.mean(x, axis=(1, 2), keepdims=True), axis=(1, 2))

    bridged = check(called([IMAGE], call), tmp_path)
    kinds = [type(layer).__name__ for layer in bridged.model.layers[1:]]
    assert kinds == ["ZeroPadding2D", "MaxPooling2D", "ReLU", "Permute", "ReLU", "GlobalAveragePooling2D", "Reshape"]


def test_operations_keep_their_names(tmp_path: Path) -> None:
    ops = keras3().ops
    source = called([SERIES], lambda x: ops.cumsum(ops.square(x)[:, 1:], axis=1))
    bridged = check(source, tmp_path)
    names = [operation.name for operation in source.operations[1:]]
    assert len(names) == 3
    assert [layer.name for layer in bridged.model.layers[1:]] == names


def test_whole_numbers_and_masks_made_in_the_graph(tmp_path: Path) -> None:
    keras = keras3()
    layers, ops = keras.layers, keras.ops
    tokens = keras.Input((7,), dtype="int32")
    x = layers.Embedding(20, 4)(tokens + 1) + layers.Embedding(7, 4)(ops.arange(7))
    seen = ops.expand_dims(ops.not_equal(tokens, 0), 1)
    x = layers.MultiHeadAttention(2, 3, name="attention")(x, x, attention_mask=seen)
    x = layers.MultiHeadAttention(2, 3, name="causal")(x, x, use_causal_mask=True)
    x = layers.LSTM(3)(x, mask=ops.not_equal(tokens, 2))
    check(shaken(keras.Model(tokens, x)), tmp_path)


def test_implicit_masks_of_a_loaded_model_stay_implicit(tmp_path: Path) -> None:
    keras = keras3()
    layers = keras.layers
    tokens = keras.Input((7,), dtype="int32")
    x = layers.Dropout(0.2)(layers.Embedding(9, 4, mask_zero=True)(tokens))
    x = layers.GRU(2)(layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x))
    source = shaken(keras.Model(tokens, x))
    source.save(tmp_path / "m.keras")
    bridged = check(keras.saving.load_model(tmp_path / "m.keras"), tmp_path)
    assert [type(layer).__name__ for layer in bridged.model.layers[1:]] == [
        *("Embedding", "Dropout", "Bidirectional", "GRU")
    ]


def test_pruning_and_fake_quantization_go_around_operations() -> None:
    keras = keras3()
    layers, ops = keras.layers, keras.ops
    image = keras.Input(IMAGE)
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(image)
    x = layers.Conv2D(32, 3, padding="same", activation="relu", name="free")(x)
    squeezed = ops.mean(x, axis=(1, 2), keepdims=True)
    x = x * layers.Conv2D(32, 1, activation="sigmoid")(squeezed)
    x = layers.Dense(4)(ops.mean(ops.square(x), axis=(1, 2)))
    model = bridge(shaken(keras.Model(image, x)), Silent()).model
    pruned = prune_channels(model, 0.5)
    assert pruned.removed["free"] == (32, 16)
    findings = [str(f) for f in prepare(model, np.random.default_rng(0).random((2, *IMAGE), np.float32)).replacements]
    assert any("(TFOpLambda): not simulated" in finding for finding in findings)


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda ops, x: ops.mean(x, axis=0), "acts across samples"),
        (lambda ops, x: ops.sum(x), "acts across samples"),
        (lambda ops, x: ops.reshape(x, (-1, 4)), "acts across samples"),
        (lambda ops, x: ops.transpose(x), "acts across samples"),
        (lambda ops, x: x[0], "acts across samples"),
        (lambda ops, x: x[1:, :], "acts across samples"),
        (lambda ops, x: ops.concatenate([x, x], axis=0), "acts across samples"),
        (lambda ops, x: ops.split(x, 2, axis=0), "acts across samples"),
        (lambda ops, x: ops.tile(x, (2, 1, 1)), "acts across samples"),
        (lambda ops, x: ops.pad(x, 1), "acts across samples"),
        (lambda ops, x: x + x[:, 0], "tensors of unlike rank"),
        (lambda ops, x: ops.cast(x, "float16"), "casts to float16"),
        (lambda ops, x: ops.pad(x, ((0, 0), (1, 1), (0, 0)), mode="wrap"), "its mode 'wrap'"),
        (lambda ops, x: ops.einsum("bij,bkj->bik", x, x), "no Keras 2 form"),
        (lambda ops, x: ops.max(x, axis=1, initial=0.0), "its option initial"),
    ],
)
def test_refusals_name_the_operation_and_the_reason(call: Call, why: str) -> None:
    with pytest.raises(ConversionError) as caught:
        bridge(called([SERIES], lambda x: call(keras3().ops, x)), Silent())
    assert why in caught.value.message
    assert "post-training" in caught.value.hint
