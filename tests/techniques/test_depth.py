"""Blocks that can be left out, and models without them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.frameworks.tensorflow import tf_keras
from edgekit.models.reference.reference import build
from edgekit.progress import SILENT
from edgekit.techniques.depth import blocks_of, shallower
from edgekit.techniques.distill import Distill
from tests.support.raised import raised

pytestmark = pytest.mark.tensorflow


def dense(units: int, name: str, **more: Any) -> Any:
    return tf_keras().layers.Dense(units, name=name, **more)


@pytest.mark.parametrize(
    ("name", "shape", "ends"),
    [
        ("resnet8", (32, 32, 3), ["stack1_relu2"]),
        ("cifar10-cnn", (32, 32, 3), ["conv1_2_relu", "conv2_2_relu", "conv3_2_relu"]),
        ("ds-cnn", (32, 32, 3), ["block3_pointwise_relu", "block5_pointwise_relu"]),
        ("mnist-cnn", (28, 28, 1), []),
    ],
)
def test_blocks_of_the_reference_models(name: str, shape: tuple[int, ...], ends: list[str]) -> None:
    blocks = blocks_of(build(name, shape, 10))
    assert [block.layers[-1] for block in blocks] == ends
    assert all(not block.layers[0].endswith(("_bn", "_relu")) for block in blocks)
    for block in blocks:
        assert block.start.shape.as_list() == block.end.shape.as_list()


def test_a_shallower_model_is_the_same_without_the_last_blocks() -> None:
    model = build("cifar10-cnn", (32, 32, 3), 10)
    assert shallower(model, 0) is model
    less = shallower(model, 2)
    gone = {layer.name for layer in model.layers} - {layer.name for layer in less.layers}
    assert gone == {
        *("conv2_2", "conv2_2_bn", "conv2_2_relu"), *("conv3_2", "conv3_2_bn", "conv3_2_relu"),
    }  # fmt: skip
    for layer in less.layers:
        for mine, theirs in zip(layer.get_weights(), model.get_layer(layer.name).get_weights(), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    assert (less.input_shape, less.output_shape) == (model.input_shape, model.output_shape)


def test_a_residual_block_that_adds_nothing_can_go() -> None:
    model = build("resnet8", (32, 32, 3), 10)
    last = model.get_layer("stack1_bn2")
    last.set_weights([np.zeros_like(w) for w in last.get_weights()[:2]] + last.get_weights()[2:])
    x = np.random.default_rng(0).random((4, 32, 32, 3), np.float32)
    np.testing.assert_allclose(shallower(model, 1).predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)


def test_students_may_be_shallower() -> None:
    model = build("resnet8", (32, 32, 3), 10)
    for student in ("scaled", "sliced"):
        outline = Distill(student=student, width=0.5, shallower=1).outline(model, SILENT, allow_unsafe=False)
        assert {layer.name for layer in model.layers} - {layer.name for layer in outline.layers} == {
            "stack1_conv1", "stack1_bn1", "stack1_relu1", "stack1_conv2", "stack1_bn2", "stack1_add", "stack1_relu2",
        }  # fmt: skip
        assert outline.get_layer("stem").filters == 8


def test_more_blocks_than_there_are() -> None:
    with raised("value-out-of-range", "`shallower` is 2", "1 blocks"):
        shallower(build("resnet8", (32, 32, 3), 10), 2)


def test_neither_the_output_nor_shared_layers_are_left_out() -> None:
    keras = tf_keras()
    inputs = keras.Input((8,))
    whole = keras.Model(inputs, dense(8, "b")(dense(8, "a", activation="relu")(inputs)))
    assert [block.layers for block in blocks_of(whole)] == [("a",)]
    twice = dense(8, "twice")
    shared = keras.Model(inputs, dense(3, "out")(twice(twice(inputs))))
    assert not blocks_of(shared)


def test_several_inputs_and_what_goes_around_a_block() -> None:
    keras = tf_keras()
    one, two = keras.Input((8,)), keras.Input((8,))
    x = keras.layers.Add()([one, two])
    y = dense(8, "inside")(x)
    z = dense(8, "after")(y)
    model = keras.Model([one, two], dense(3, "out")(keras.layers.Concatenate()([x, z])))
    assert not blocks_of(model)
    plain = keras.Model([one, two], dense(3, "out")(z))
    assert [block.layers for block in blocks_of(plain)] == [("inside",), ("after",)]
    assert shallower(plain, 2).count_params() == 8 * 3 + 3


def test_nested_models_are_looked_into() -> None:
    keras = tf_keras()
    inner = keras.Sequential([keras.layers.Input((8,)), dense(8, "a", activation="relu"), dense(8, "b")], name="inner")
    inputs = keras.Input((8,))
    model = keras.Model(inputs, dense(3, "out")(inner(inputs)))
    assert [block.layers for block in blocks_of(model)] == [("a",), ("b",)]
