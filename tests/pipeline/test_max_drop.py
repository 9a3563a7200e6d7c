"""`max_drop` from a model to a bundle: a model that int8 ruins, by one channel that dwarfs the others."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edgekit.bundle.manifest import read_bundle
from edgekit.bundle.recipe import Recipe
from edgekit.frameworks.tensorflow import seed_everything, tf_keras
from edgekit.pipeline.run import compress
from edgekit.reporting.bundle_page import page
from tests.support.heard import Heard
from tests.support.raised import raised

pytestmark = [pytest.mark.tensorflow, pytest.mark.usefixtures("one_latency_round")]
RECIPE = Recipe(
    "limited", schemes=("float32", "int8"), formats=("tflite", "onnx"), calibration_samples=60, check_samples=100,
    eval_samples=20, max_drop=6.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Images without labels: what the float model answers is what files are scored against."""
    path = tmp_path_factory.mktemp("data") / "d.npz"
    x = np.random.default_rng(0).normal(size=(400, 8, 8, 3)).astype(np.float32)
    np.savez(path, x_train=x[:300], x_test=x[300:])
    return str(path)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a channel that is always 1,000, where the others are around 1, and that nothing depends on."""
    path = tmp_path_factory.mktemp("model") / "spoilt.keras"
    keras = tf_keras()
    seed_everything(0)
    layers = keras.layers
    inputs = layers.Input((8, 8, 3))
    x = layers.Conv2D(8, 3, activation="relu", name="first")(inputs)
    x = layers.Conv2D(8, 3, activation="relu", name="culprit")(x)
    x = layers.Conv2D(8, 3, activation="relu", name="reader")(x)
    made = keras.Model(inputs, layers.Dense(6)(layers.Flatten()(x)))
    kernel, bias = made.get_layer("culprit").get_weights()
    kernel[..., 0], bias[0] = 0, 1000
    made.get_layer("culprit").set_weights([kernel, bias])
    kernel, bias = made.get_layer("reader").get_weights()
    kernel[:, :, 0] = 0
    made.get_layer("reader").set_weights([kernel, bias])
    made.save(path)
    return path


def test_the_fewest_operators_compute_in_float(model: Path, data: str, tmp_path: Path) -> None:
    heard = Heard()
    made = compress(model, data, RECIPE, tmp_path / "out", progress=heard)
    assert not made.refusal
    bundle = read_bundle(tmp_path / "out")
    first, *_, last = bundle.manifest.ledger
    assert first.stage == "int8" and first.drop is not None and not first.drop.within(50)
    assert last.drop is not None and last.drop.within(6)
    assert 1 <= len(last.reverted) <= 4
    int8 = [artifact for artifact in bundle.manifest.artifacts if artifact.scheme == "int8"]
    assert [artifact.reverted for artifact in int8] == [last.reverted] * 2
    assert int8[0].sha256 == last.sha256
    assert int8[0].bytes < 1.1 * first.bytes  # int8 weights are kept
    [twins] = [a for a in bundle.manifest.agreement if a.reference.endswith("int8.tflite")]
    assert twins.max_steps == 0 or (twins.sqnr_db or 0) > 40
    assert "drop" in page(bundle)


@pytest.mark.e2e
def test_a_file_of_another_tool_is_left_in_float_in_part(model: Path, data: str, tmp_path: Path) -> None:
    plain = dataclasses.replace(RECIPE, schemes=("float32",), max_drop=None)
    compress(model, data, plain, tmp_path / "float")
    for suffix in ("tflite", "onnx"):
        [source] = (tmp_path / "float").glob(f"*.{suffix}")
        bundle = compress(source, data, RECIPE, tmp_path / suffix)
        assert not bundle.refusal
        assert bundle.manifest.ledger[-1].reverted
        assert bundle.manifest.artifacts[1].reverted == bundle.manifest.ledger[-1].reverted


def test_what_cannot_be_reached_keeps_the_best_and_is_refused(model: Path, data: str, tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, formats=("tflite",), max_drop=0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgekit.tasks.drop.Drop.within", lambda self, limit: False)
        patch.setattr("edgekit.pipeline.escalation.escalate._Retraining.possible", lambda self: False)
        bundle = compress(model, data, recipe, tmp_path / "out")
    assert bundle.refusal and bundle.large
    lost = [entry.drop.interval.value for entry in bundle.manifest.ledger if entry.drop is not None]
    best = min(bundle.manifest.ledger, key=lambda entry: entry.drop.interval.value if entry.drop else np.inf)
    assert bundle.manifest.artifacts[1].sha256 == best.sha256
    assert min(lost) == lost[-1]


def test_it_is_for_int8(model: Path, data: str, tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, schemes=("float32",))
    with raised("max-drop-without-int8", "limited"):
        compress(model, data, recipe, tmp_path / "out")


@pytest.mark.parametrize("value", [-0.1, float("nan"), 1e9])
def test_limits_that_are_none(value: float) -> None:
    with raised("max-drop-invalid"):
        RECIPE.changed(max_drop=value)


def test_it_is_read_back_from_a_recipe() -> None:
    from edgekit.bundle.recipe import parse

    assert parse(RECIPE.to_toml(), "limited", "limited.toml").max_drop == 6.0
    assert parse("schema = 1\n", "plain", "plain.toml").max_drop is None
