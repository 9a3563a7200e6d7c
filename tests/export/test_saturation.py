"""Ranges of tensors whose readers do not tell all values apart: tails in front of swish and sigmoid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.export.mixed.sensitivity import measured
from edgekit.export.mixed.tflite import TfliteQuantized
from edgekit.export.signature import Signature
from edgekit.export.tflite import convert as tflite
from edgekit.frameworks.tensorflow import seed_everything, tf_keras
from edgekit.stats import sqnr_db

from .test_ranges import run

pytestmark = pytest.mark.tensorflow
DEAD = -600.0
"""Bias of a channel: what it computes is 0 or 1 behind the activation."""


def lives(layers: Any, act: Callable[[Any], Any], folder: Path) -> tuple[bytes, bytes, Any]:
    """Return the float and the int8 file of a convolution with a dead channel, and samples."""
    seed_everything(0)
    inputs = layers.Input((8, 8, 3))
    dense = layers.Conv2D(6, 3, use_bias=True, name="conv")
    model = tf_keras().Model(inputs, layers.Dense(4)(layers.Flatten()(act(dense(inputs)))))
    kernel, bias = dense.get_weights()
    bias[2] = DEAD
    dense.set_weights([8 * kernel, bias])
    signature = Signature(model)
    signature.save(folder / "saved")
    samples = np.random.default_rng(0).uniform(0, 1, (40, 8, 8, 3)).astype(np.float32)
    files = [tflite.convert(folder / "saved", signature, scheme, samples) for scheme in ("float32", "int8")]
    return *files, samples


def near(files: tuple[bytes, bytes, Any]) -> float:
    true, found = (run(file, files[2]) for file in files[:2])
    return sqnr_db(true, found)


def hard_swish(x: Any) -> Any:
    layers = tf_keras().layers
    return layers.Multiply()([x, layers.Rescaling(1 / 6)(layers.ReLU(6.0)(layers.Rescaling(1.0, 3.0)(x)))])


@pytest.mark.parametrize("act", ["swish", hard_swish])
def test_a_dead_channel_does_not_coarsen_the_others(act: Any, tmp_path: Path) -> None:
    layers = tf_keras().layers
    float_file, int8_file, samples = lives(layers, layers.Activation(act), tmp_path)
    assert near((float_file, int8_file, samples)) > 30
    table = measured(TfliteQuantized(float_file, int8_file), [samples], most=1).layers
    assert all(layer.output_sqnr_db is None or layer.output_sqnr_db > 25 for layer in table)


def test_what_another_reader_needs_is_kept(tmp_path: Path) -> None:
    layers = tf_keras().layers

    def both(x: Any) -> Any:
        return layers.Concatenate()([layers.Activation("sigmoid")(x), x])

    float_file, int8_file, samples = lives(layers, both, tmp_path)
    true, found = run(float_file, samples), run(int8_file, samples)
    assert np.abs(true).max() > 100 and sqnr_db(true, found) > 30  # 600 in it did not saturate
