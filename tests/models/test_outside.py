"""Rescaling, Normalization and BatchNormalization moved from a model into its preprocessing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgekit.frameworks.tensorflow import tf_keras
from edgekit.models.keras.outside import normalize_outside
from edgekit.tasks.preprocessing import Preprocessing
from tests.support.raised import raised

pytestmark = pytest.mark.tensorflow
IMAGES = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)


def adapted(x: np.ndarray, **options: Any) -> Any:
    layer = tf_keras().layers.Normalization(**options)
    layer.adapt(x.astype(np.float32))
    return layer


def trained(**options: Any) -> Any:
    """Return a BatchNormalization with other weights than it begins with."""
    layer = tf_keras().layers.BatchNormalization(**options)
    layer.build((None, 8, 8, 3))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.uniform(0.5, 2.0, 3) * (100 if "moving" in w.name else 1) for w in layer.weights])
    return layer


STARTS: dict[str, Callable[[Any], list[Any]]] = {
    "batch": lambda layers: [trained()],
    "batch without gamma": lambda layers: [trained(scale=False, epsilon=0.5)],
    "batch without beta": lambda layers: [trained(center=False)],
    "rescaled batch": lambda layers: [layers.Rescaling(0.1), trained()],
    "rescaling": lambda layers: [layers.Rescaling(1 / 127.5, offset=-1.0)],
    "per channel": lambda layers: [layers.Rescaling([0.1, 0.2, 0.3], offset=[1.0, 0.0, -1.0])],
    "adapted": lambda layers: [adapted(IMAGES)],
    "one mean": lambda layers: [adapted(IMAGES, axis=None)],
    "inverted": lambda layers: [layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 9.0, 16.0], invert=True)],
    "chain": lambda layers: [
        layers.Rescaling(1 / 255),
        layers.Normalization(mean=[0.4, 0.5, 0.6], variance=[0.1, 0.2, 0.3]),
    ],
}


@pytest.mark.parametrize("how", [Preprocessing(), Preprocessing(0.5, (1.0, 2.0, 3.0), (0.5,))], ids=["raw", "fed"])
@pytest.mark.parametrize("start", list(STARTS))
def test_together_they_compute_the_same(start: str, how: Preprocessing) -> None:
    keras = tf_keras()
    taken = STARTS[start](keras.layers)
    model = keras.Sequential([keras.Input((8, 8, 3)), *taken, keras.layers.Conv2D(4, 3), keras.layers.Flatten()])
    found = normalize_outside(model, how, ["image"])
    assert found.layers == tuple(sorted(layer.name for layer in taken))
    assert [type(layer).__name__ for layer in found.model.layers] == ["InputLayer", "Conv2D", "Flatten"]
    expected = model(how.apply(IMAGES)).numpy()
    np.testing.assert_allclose(
        found.model(found.preprocessing.apply(IMAGES)), expected, atol=1e-4 * np.abs(expected).max()
    )
    assert len(model.layers) == len(taken) + 2


@pytest.mark.parametrize(
    ("moves", "inside"),
    [
        (lambda layers: [layers.Reshape((4, 16, 3))], "batch"),
        (lambda layers: [layers.Permute((2, 1, 3)), layers.Cropping2D(((1, 0), (0, 2)))], "batch"),
        (lambda layers: [layers.Permute((3, 1, 2)), layers.Flatten()], "rescaling"),
        (lambda layers: [layers.Identity(), layers.Reshape((32, 6))], "twice the channels"),
    ],
)
def test_behind_layers_that_move_values(moves: Any, inside: str) -> None:
    keras = tf_keras()
    before = moves(keras.layers)
    twice = keras.layers.Rescaling([0.1, 0.2, 0.3] * 2, offset=[1.0, 0.0, -1.0] * 2)
    taken = [twice] if inside == "twice the channels" else STARTS[inside](keras.layers)
    model = keras.Sequential([keras.Input((8, 8, 3)), *before, *taken, keras.layers.Flatten(), keras.layers.Dense(3)])
    found = normalize_outside(model, Preprocessing(), ["image"])
    assert found.layers == tuple(layer.name for layer in taken)
    expected = model(IMAGES.astype(np.float32)).numpy()
    given = found.preprocessing.apply(IMAGES)
    np.testing.assert_allclose(found.model(given), expected, atol=1e-4 * np.abs(expected).max())


def test_what_is_an_output_too_stays_what_it_is() -> None:
    keras = tf_keras()
    inputs = keras.Input((8, 8, 3))
    scaled = keras.layers.Rescaling(1 / 255)(inputs)
    model = keras.Model(inputs, [scaled, keras.layers.Flatten()(trained()(scaled))])
    found = normalize_outside(model, Preprocessing(), ["image"])
    assert len(found.layers) == 1
    for made, expected in zip(
        found.model(found.preprocessing.apply(IMAGES)), model(IMAGES.astype(np.float32)), strict=True
    ):
        np.testing.assert_allclose(made, expected, atol=1e-5)


def test_several_inputs_that_are_fed_alike_before() -> None:
    keras = tf_keras()
    a, b = keras.Input((8, 8, 3), name="a"), keras.Input((8, 8, 3), name="b")
    joined = keras.layers.Add()([trained()(a), keras.layers.Rescaling(0.5)(b)])
    model = keras.Model([a, b], keras.layers.Flatten()(joined))
    found = normalize_outside(model, Preprocessing(), ["a", "b"])
    given = [found.preprocessing.of(name).apply(IMAGES) for name in "ab"]
    np.testing.assert_allclose(found.model(given), model([IMAGES.astype(np.float32)] * 2), atol=1e-4)
    assert str(found.preprocessing.of("b")) == "x / 2"


def test_only_the_inputs_that_normalise_change() -> None:
    keras = tf_keras()
    image, row = keras.Input((8, 8, 3), name="image"), keras.Input((3,), name="row")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    model = keras.Model([image, row], keras.layers.Dense(2)(keras.layers.Concatenate()([x, row])))
    how = Preprocessing(inputs=(("image", Preprocessing()), ("row", Preprocessing(2.0))))
    found = normalize_outside(model, how, ["image", "row"])
    assert found.preprocessing.of("row") == how.of("row")
    assert str(found.preprocessing.of("image")) == "x / 255"
    rows = np.ones((6, 3), np.float32)
    given = [found.preprocessing.of("image").apply(IMAGES), rows]
    np.testing.assert_allclose(found.model(given), model([IMAGES.astype(np.float32), rows]), atol=1e-5)


def test_inside_a_nested_model() -> None:
    keras = tf_keras()
    inside = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(2, 3)])
    outer = keras.Input((8, 8, 3))
    model = keras.Model(outer, keras.layers.Flatten()(inside(outer)))
    found = normalize_outside(model, Preprocessing(), ["image"])
    expected = model(IMAGES.astype(np.float32))
    np.testing.assert_allclose(found.model(found.preprocessing.apply(IMAGES)), expected, atol=1e-5)


def test_what_stays_where_it_is() -> None:
    keras = tf_keras()
    layers = keras.layers
    inputs = keras.Input((4, 4, 3), name="image")
    scaled = layers.Rescaling(1 / 255, name="scale")
    shared = layers.Rescaling(2.0, name="shared")
    pixels = adapted(IMAGES[:, :4, :4], axis=(1, 2, 3), name="pixels")
    both = layers.Concatenate()([scaled(inputs), layers.ReLU()(inputs)])
    cases = {
        "goes to conv2d": keras.Sequential([inputs, layers.Conv2D(2, 3, name="conv2d"), layers.Rescaling(2.0)]),
        "which does not work per channel of the input": keras.Sequential(
            [keras.Input((4, 4, 3)), layers.Permute((3, 1, 2)), layers.Rescaling([1.0, 2.0, 3.0, 4.0]), layers.Dense(2)]
        ),
        "(Flatten, channels first)": keras.Sequential(
            [keras.Input((4, 4, 3)), layers.Flatten("channels_first"), layers.BatchNormalization(), layers.Dense(2)]
        ),
        "which is called with training=True": keras.Model(inputs, layers.Dense(2)(trained()(inputs, training=True))),
        "goes to 2 layers": keras.Model(inputs, layers.Dense(2)(both)),
        "does not work per channel": keras.Sequential([keras.Input((4, 4, 3)), pixels, layers.Dense(2)]),
        "as uint8 to": keras.Sequential(
            [keras.Input((4, 4, 3), dtype="uint8"), layers.Rescaling(1 / 255), layers.Dense(2)]
        ),
    }
    other = keras.Input((4, 4, 3))
    cases["goes to shared (Rescaling)"] = keras.Model(other, layers.Conv2D(2, 3)(shared(layers.ReLU()(shared(other)))))
    for reason, model in cases.items():
        with raised("normalize-outside-unsuitable", reason):
            normalize_outside(model, Preprocessing(), ["image"])
    with raised("normalize-outside-unsuitable", "transposed to NCHW"):
        model = keras.Sequential([keras.Input((3, 4, 4)), layers.Rescaling(1 / 255), layers.Dense(2)])
        normalize_outside(model, Preprocessing(layout="NCHW"), ["image"])
