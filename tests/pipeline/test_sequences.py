"""Stages in sequence, judged by the flatbuffer: do zeros, clusters and removed channels arrive in the int8 file?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.bundle.manifest import Bundle
from edgekit.bundle.recipe import Recipe, named_recipes, parse_stage
from edgekit.formats.reading import inspect_file
from edgekit.pipeline.run import compress
from edgekit.techniques.stage import check_order

pytestmark = [pytest.mark.tensorflow, pytest.mark.usefixtures("one_latency_round")]


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from edgekit.frameworks.tensorflow import seed_everything, tf_keras

    keras = tf_keras()
    seed_everything(1)
    inputs = keras.Input((6, 6, 1), name="image")
    x = keras.layers.Conv2D(16, 3, padding="same", use_bias=False, name="conv")(inputs)
    x = keras.layers.ReLU(name="relu")(keras.layers.BatchNormalization(name="bn")(x))
    y = keras.layers.Conv2D(16, 3, padding="same", activation="relu", name="conv2")(x)
    x = keras.layers.MaxPooling2D(name="pool")(keras.layers.Add(name="add")([x, y]))
    x = keras.layers.Dense(24, activation="relu", name="dense")(keras.layers.Flatten(name="flatten")(x))
    x = keras.layers.Softmax(name="probabilities")(keras.layers.Dense(3, name="logits")(x))
    path = tmp_path_factory.mktemp("model") / "net.keras"
    keras.Model(inputs, x).save(path)
    return path


RECIPE = Recipe("s", schemes=("int8",), formats=("tflite",), calibration_samples=40, check_samples=15)


def run(model: Path, data: Path, out: Path, *stages: str, recipe: Recipe = RECIPE) -> Bundle:
    return compress(model, str(data), replace(recipe, stages=tuple(map(parse_stage, stages))), out, anyway=True)


def kernels(bundle: Bundle) -> dict[int, tuple[float, int]]:
    """Elements of each int8 kernel of the TFLite file -> share of zeros, distinct values."""
    [file] = [a.file for a in bundle.manifest.artifacts if a.file.endswith("int8.tflite")]
    info = inspect_file(bundle.path / file)
    return {w.elements: (w.zeros / w.elements, w.unique) for w in info.weights if w.dtype == "int8"}


FAST = "epochs=1,batch_size=16,learning_rate=0.002"


@pytest.mark.e2e
def test_zeros_and_clusters_survive_quantization_aware_training(model_file: Path, npz: Path, tmp_path: Path) -> None:
    stages = (
        f"prune:granularity=weight,amount=0.75,{FAST}", "cluster:clusters=8,epochs=1,batch_size=16",
        "quantize:epochs=1,batch_size=16",
    )  # fmt: skip
    bundle = run(model_file, npz, tmp_path / "o", *stages)
    found = kernels(bundle)
    for elements in (16 * 16 * 9, 144 * 24):
        assert found[elements][0] >= 0.7
    ledger = {e.stage: e for e in bundle.manifest.ledger}
    assert ledger["source"].zeros < 0.1
    assert ledger["prune"].zeros == pytest.approx(0.75, abs=0.05)
    assert ledger["quantize"].zeros >= 0.7
    assert ledger["quantize"].gzip_bytes < 0.7 * ledger["source"].gzip_bytes
    # A dense kernel has one scale a channel, so 8 clusters may become up to 8 codes in each of 24 channels.
    assert found[144 * 24][1] < 0.7 * max(ledger["source"].unique.values())


@pytest.mark.e2e
def test_channels_are_gone_and_the_file_agrees_with_the_trained_model(
    model_file: Path, npz: Path, tmp_path: Path
) -> None:
    stages = (f"prune:amount=0.5,multiple_of=1,{FAST}", "quantize:epochs=1,batch_size=16")
    both = replace(RECIPE, schemes=("int8", "float32"), formats=("tflite", "onnx"))
    bundle = run(model_file, npz, tmp_path / "o", *stages, recipe=both)
    assert set(kernels(bundle)) == {8 * 9, 8 * 8 * 9, 72 * 12, 12 * 3}
    agreement = {a.other: a for a in bundle.manifest.agreement if a.reference.endswith("model")}
    assert agreement["net-int8.tflite"].reference == "fake-quant model"
    assert agreement["net-int8.tflite"].max_abs < 0.1
    assert agreement["net-float32.tflite"].max_abs < 1e-5
    assert "fake quantization" in next(a.made_by for a in bundle.manifest.artifacts if a.file == "net-int8.tflite")
    source, last = bundle.manifest.ledger[0], bundle.manifest.ledger[-1]
    # The ledger is of the last scheme, also after fake quantization.
    assert last.sha256 == next(a.sha256 for a in bundle.manifest.artifacts if a.file == "net-float32.tflite")
    assert last.macs < 0.5 * source.macs
    assert last.bytes < source.bytes


@pytest.mark.e2e
def test_a_quantized_stage_is_resumed(npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgekit.frameworks.tensorflow import tf_keras
    from edgekit.techniques.distill import Distill

    layers = tf_keras().layers
    inputs = layers.Input((6, 6, 1))
    model_file = tmp_path / "dense.keras"
    tf_keras().Model(inputs, layers.Dense(3, activation="softmax")(layers.Flatten()(inputs))).save(model_file)
    stages = ("quantize:epochs=1,batch_size=16", "distill:student=current,epochs=1,batch_size=16")
    straight = run(model_file, npz, tmp_path / "straight", *stages)
    with monkeypatch.context() as patch:
        patch.setattr(Distill, "run", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(model_file, npz, tmp_path / "resumed", *stages)
    resumed = run(model_file, npz, tmp_path / "resumed", *stages)
    assert [e.sha256 for e in resumed.manifest.ledger] == [e.sha256 for e in straight.manifest.ledger]


def test_every_named_recipe_has_an_order_that_works() -> None:
    from edgekit.bundle.recipe import load_recipe
    from edgekit.techniques.registry import resolve

    for name in named_recipes():
        check_order([resolve(spec, name) for spec in load_recipe(name).stages])
