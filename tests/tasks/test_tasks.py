"""From a model and data of every kind to a bundle, and through training stages where the kind has any."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.bundle.manifest import Bundle
from edgekit.bundle.recipe import Recipe, StageSpec
from edgekit.data.loading import load_data
from edgekit.devices.device import open_device
from edgekit.errors import InputError
from edgekit.frameworks.tensorflow import seed_everything, tf_keras
from edgekit.measuring.candidates import candidates
from edgekit.measuring.plan import Plan
from edgekit.measuring.session import bench
from edgekit.models.files.file_model import FileModel
from edgekit.pipeline.run import compress
from edgekit.progress import SILENT
from edgekit.reporting.bench_table import bench_table
from edgekit.reporting.bundle_table import bundle_table
from tests.support.heard import Heard
from tests.support.raised import raised

pytestmark = [pytest.mark.tensorflow, pytest.mark.usefixtures("one_latency_round")]
PLAIN = Recipe("plain", calibration_samples=20, check_samples=15, eval_samples=0)
TRAINED = dataclasses.replace(
    PLAIN,
    # Towards labels and the float model's outputs, with fake quantization: every loss at once.
    stages=(StageSpec("quantize", {"epochs": 1, "batch_size": 16, "alpha": 0.5}),),
    formats=("tflite",),
    schemes=("int8",),
)
FLOAT = dataclasses.replace(PLAIN, formats=("tflite",), schemes=("float32",))
"""For a second bundle, of which only the score of a float file is looked at."""
ROWS = 120


def save(path: Path, x: Any, y: Any, held: int = 30) -> str:
    arrays = {}
    for key, part in (("x", x), ("y", y)):
        for name, array in part.items() if isinstance(part, Mapping) else {"": part}.items():
            if array is not None:
                suffix = f"/{name}" if name else ""
                arrays |= {f"{key}_train{suffix}": array[held:], f"{key}_test{suffix}": array[:held]}
    np.savez(path, **arrays)
    return str(path)


def functional(inputs: Any, outputs: Any, path: Path) -> Path:
    tf_keras().Model(inputs, outputs).save(path)
    return path


@pytest.fixture(autouse=True)
def _seed() -> None:
    seed_everything(3)


def made(model: Path, data: str, recipe: Recipe, out: Path, **options: Any) -> Bundle:
    bundle = compress(model, data, recipe, out, **{"anyway": True, **options})  # most models here are not trained
    assert bundle_table(bundle)
    int8 = [a for a in bundle.manifest.agreement if "int8.tflite" in a.other and a.reference.endswith("model")]
    assert all(a.sqnr_db is None or a.sqnr_db > 5 for a in int8)
    with open_device() as desktop:
        record = bench(candidates([out]), Plan(latency=False, memory=False), desktop, progress=SILENT)
    assert not any(m.failures for m in record.measurements)
    assert f"{bundle.manifest.task.main.metric}: {record.evaluation.samples} samples" in bench_table(record)
    return bundle


def columns(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = rng.normal(0, 1, (ROWS, 6)).astype(np.float32)
    return x, (x @ np.linspace(-1, 1, 6)).astype(np.float32)


@pytest.mark.parametrize("recipe", [PLAIN, TRAINED], ids=["plain", "trained"])
def test_regression(tmp_path: Path, recipe: Recipe) -> None:
    x, y = columns(np.random.default_rng(0))
    layers = tf_keras().layers
    inputs = layers.Input((6,))
    dense = layers.Dense(1, name="price", kernel_initializer="zeros")
    model = functional(inputs, dense(inputs), tmp_path / "m.keras")
    loaded = tf_keras().models.load_model(model)
    loaded.layers[-1].set_weights([np.linspace(-1, 1, 6)[:, None], np.zeros(1)])
    loaded.save(model)
    bundle = made(model, save(tmp_path / "d.npz", x, y), recipe, tmp_path / "out")
    assert bundle.manifest.task.main.kind == "regression"
    found = bundle.manifest.artifacts[-1 if recipe is TRAINED else 1].validation
    assert found is not None
    assert found["metric"] == "mae"
    assert 0 < found["value"] < (0.2 if recipe is PLAIN else 1)
    assert found["low"] < found["value"] < found["high"]
    assert "= Keras" not in bundle_table(bundle)  # a regression decides nothing
    if recipe is TRAINED:
        return
    squared = compress(model, str(tmp_path / "d.npz"), FLOAT, tmp_path / "mse", metric="mse")
    assert (squared.manifest.artifacts[0].validation or {})["metric"] == "mse"
    with raised("metric-unfit", "--metric") as caught:
        compress(model, str(tmp_path / "d.npz"), PLAIN, tmp_path / "no", metric="accuracy")
    assert "mae, mse" in caught.value.hint


@pytest.mark.parametrize(("activation", "recipe"), [("sigmoid", PLAIN), ("linear", PLAIN), ("linear", TRAINED)])
def test_binary(tmp_path: Path, activation: str, recipe: Recipe) -> None:
    x, y = columns(np.random.default_rng(0))
    layers = tf_keras().layers
    inputs = layers.Input((6,))
    dense = layers.Dense(1, activation=activation)
    outputs = dense(inputs)
    dense.set_weights([np.linspace(-1, 1, 6)[:, None], np.zeros(1)])
    model = functional(inputs, outputs, tmp_path / "m.keras")
    bundle = made(model, save(tmp_path / "d.npz", x, (y > 0).astype(np.int64)), recipe, tmp_path / "out")
    assert bundle.manifest.task.main.kind == "binary"
    assert bundle.manifest.task.main.logits == (activation == "linear")
    assert (bundle.manifest.artifacts[0].validation or {})["correct"] >= 8
    if (activation, recipe) == ("sigmoid", PLAIN):
        area = compress(model, str(tmp_path / "d.npz"), FLOAT, tmp_path / "auc", metric="auc")
        assert (area.manifest.artifacts[0].validation or {})["value"] > 0.95


def test_multilabel(tmp_path: Path) -> None:
    x, _ = columns(np.random.default_rng(0))
    y = np.stack([x[:, 0] > 0, x[:, 1] > 0, x[:, 2] > 0], axis=1).astype(np.float32)
    layers = tf_keras().layers
    inputs = layers.Input((6,))
    dense = layers.Dense(3, activation="sigmoid")
    outputs = dense(inputs)
    dense.set_weights([5 * np.eye(6, 3), np.zeros(3)])
    bundle = made(
        functional(inputs, outputs, tmp_path / "m.keras"), save(tmp_path / "d.npz", x, y), TRAINED, tmp_path / "o"
    )
    assert bundle.manifest.task.main.kind == "multilabel"
    assert (bundle.manifest.artifacts[0].validation or {})["value"] > 0.9


def test_an_autoencoder_needs_no_labels(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (ROWS, 8, 8, 1)).astype(np.uint8)
    layers = tf_keras().layers
    inputs = layers.Input((8, 8, 1))
    hidden = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    outputs = layers.Conv2D(1, 3, padding="same", activation="sigmoid")(hidden)
    bundle = made(
        functional(inputs, outputs, tmp_path / "m.keras"), save(tmp_path / "d.npz", x, None), TRAINED, tmp_path / "o"
    )
    assert bundle.manifest.task.main.kind == "reconstruction"
    assert "resetVariableTensors" not in (bundle.path / "README.txt").read_text()
    assert 0 < (bundle.manifest.artifacts[0].validation or {})["value"] < 0.5


@pytest.mark.parametrize(("classes", "recipe"), [(1, TRAINED), (3, PLAIN)])
def test_segmentation(tmp_path: Path, classes: int, recipe: Recipe) -> None:
    x = np.random.default_rng(0).integers(0, 256, (ROWS, 8, 8, 1)).astype(np.uint8)
    y = (x[..., 0] > 128).astype(np.uint8)
    layers = tf_keras().layers
    inputs = layers.Input((8, 8, 1))
    last = layers.Conv2D(classes, 1, activation="sigmoid" if classes == 1 else "softmax")
    outputs = last(inputs)
    if classes == 1:
        last.set_weights([np.full((1, 1, 1, 1), 20.0), np.array([-10.0])])
    else:
        last.set_weights([np.array([[[[-20.0, 20.0, 0.0]]]]), np.array([10.0, -10.0, -20.0])])
    bundle = made(
        functional(inputs, outputs, tmp_path / "m.keras"), save(tmp_path / "d.npz", x, y), recipe, tmp_path / "o"
    )
    assert bundle.manifest.task.main.kind == ("mask" if classes == 1 else "segmentation")
    found = bundle.manifest.artifacts[0].validation or {}
    assert found["metric"] == "miou"
    assert found["value"] > 0.9


@pytest.mark.parametrize("recipe", [PLAIN, TRAINED], ids=["plain", "trained"])
def test_without_labels_the_float_model_is_followed(tmp_path: Path, recipe: Recipe) -> None:
    x, _ = columns(np.random.default_rng(0))
    layers = tf_keras().layers
    inputs = layers.Input((6,))
    outputs = layers.Dense(4, activation="softmax")(layers.Dense(8, activation="relu")(inputs))
    bundle = made(
        functional(inputs, outputs, tmp_path / "m.keras"), save(tmp_path / "d.npz", x, None), recipe, tmp_path / "o"
    )
    found = bundle.manifest.artifacts[0].validation or {}
    assert found["metric"] == "agreement"
    assert found["correct"] >= 8
    data = load_data(str(tmp_path / "d.npz"))
    with open_device() as desktop:
        record = bench(candidates([tmp_path / "o"]), Plan(latency=False, memory=False), desktop)
    assert data.y_test is None
    assert {m.accuracy.score.metric for m in record.measurements} == {"agreement"}


@pytest.mark.e2e
@pytest.mark.parametrize("recipe", [PLAIN, TRAINED], ids=["plain", "trained"])
def test_two_inputs_and_two_outputs(tmp_path: Path, recipe: Recipe) -> None:
    rng = np.random.default_rng(0)
    image, table = (
        rng.integers(0, 256, (ROWS, 8, 8, 1)).astype(np.uint8),
        rng.normal(0, 1, (ROWS, 5)).astype(np.float32),
    )
    layers = tf_keras().layers
    left, right = layers.Input((8, 8, 1), name="zeta image"), layers.Input((5,), name="alpha")
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="relu")(left))
    merged = layers.Concatenate()([pooled, layers.Dense(4, activation="relu")(right)])
    kind = layers.Dense(3, activation="softmax", name="kind")(merged)
    age = layers.Dense(1, name="age")(merged)
    model = functional([left, right], [kind, age], tmp_path / "m.keras")
    y = {"age": table[:, 0], "kind": rng.integers(0, 3, ROWS)}
    data = save(tmp_path / "d.npz", {"alpha": table, "zeta_image": image}, y)
    bundle = made(model, data, recipe, tmp_path / "out")
    assert [(h.name, h.kind) for h in bundle.manifest.task.heads] == [("kind", "classification"), ("age", "regression")]
    assert dict(bundle.manifest.preprocessing.inputs)["zeta_image"].scale == 1 / 255
    assert dict(bundle.manifest.preprocessing.inputs)["alpha"].scale == 1
    assert set((bundle.manifest.artifacts[0].validation or {})["heads"]) == {"kind", "age"}
    if recipe is PLAIN:
        float32 = next(a for a in bundle.manifest.agreement if a.other.endswith("float32.tflite"))
        assert float32.max_abs < 1e-4
        with raised("array-names-mismatch", "`m`", "2 inputs", "`d1`") as caught:
            compress(model, save(tmp_path / "d1.npz", table, y), PLAIN, tmp_path / "no")
        assert "x_train/zeta_image, x_train/alpha" in caught.value.hint
        with raised("array-names-mismatch", "beta, zeta_image", "zeta_image, alpha"):
            compress(model, save(tmp_path / "d2.npz", {"beta": table, "zeta_image": image}, y), PLAIN, tmp_path / "no")


@pytest.mark.e2e
def test_a_recurrent_network_over_tokens(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 20, (ROWS, 10)).astype(np.int32)
    y = (x[:, :5].sum(axis=1) > x[:, 5:].sum(axis=1)).astype(np.int64)
    layers = tf_keras().layers
    inputs = layers.Input((10,), dtype="int32")
    hidden = layers.LSTM(8)(layers.Embedding(20, 4)(inputs))
    model = functional(inputs, layers.Dense(2, activation="softmax")(hidden), tmp_path / "m.keras")
    recipe = dataclasses.replace(PLAIN, stages=(StageSpec("finetune", {"epochs": 1}),))
    bundle = made(model, save(tmp_path / "d.npz", x, y), recipe, tmp_path / "out")
    assert {a.format for a in bundle.manifest.artifacts} == {"tflite", "onnx", "c"}
    float32 = {a.other: a for a in bundle.manifest.agreement if a.reference == "float model"}["m-float32.tflite"]
    assert float32.max_abs < 1e-5  # the state of one sample does not reach the next
    file = FileModel(bundle.path / "m-float32.tflite")
    np.testing.assert_array_equal(
        file.predict(x[:4]), np.concatenate([file.predict(x[i : i + 1]) for i in (0, 1, 2, 3)])
    )
    np.testing.assert_array_equal(file.predict(x[[3, 1]]), file.predict(x[:4])[[3, 1]])
    assert "interpreter.resetVariableTensors()" in (bundle.path / "README.txt").read_text()


def test_what_the_model_fails_on_is_a_sentence(tmp_path: Path) -> None:
    layers = tf_keras().layers
    inputs = layers.Input((4,), dtype="int32")
    pooled = layers.GlobalAveragePooling1D()(layers.Embedding(20, 4)(inputs))
    model = functional(inputs, layers.Dense(2, activation="softmax")(pooled), tmp_path / "m.keras")
    x = np.random.default_rng(0).integers(0, 60, (ROWS, 4)).astype(np.int32)
    with raised("model-fails-on-data", "m.keras", "is not in [0, 20)") as caught:
        compress(model, save(tmp_path / "d.npz", x, x[:, 0] % 2), PLAIN, tmp_path / "out")
    assert "training" in caught.value.hint


def test_what_does_not_fit_is_said_with_the_next_step(tmp_path: Path) -> None:
    x, _ = columns(np.random.default_rng(0))
    layers = tf_keras().layers
    inputs = layers.Input((6,), name="row")
    model = functional(inputs, layers.Dense(3, activation="softmax", name="kind")(inputs), tmp_path / "m.keras")
    for data, code, names, hint in (
        ((x, np.arange(ROWS) % 5), "labels-do-not-fit", ("0 to 4", "`kind`", "3 classes"), "number the classes"),
        (({"a": x, "b": x}, None), "array-names-mismatch", ("a, b", "row"), "give one array, x_train and x_test"),
        ((x[:, :5], None), "shape-mismatch", ("(6,)", "(5,)"), "check --data"),
    ):
        with raised(code, *names) as caught:
            compress(model, save(tmp_path / "d.npz", *data), PLAIN, tmp_path / "out")
        assert caught.value.hint.startswith(hint)
        assert "layout" not in caught.value.hint


def test_normalization_outside_saves_narrow_columns(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rooms, year = rng.integers(1, 7, 200), rng.integers(1900, 2024, 200)
    prices = 10 * rooms + 0.2 * (year - 1960)
    lines = ["rooms,year,price", *(f"{r},{y},{p:.1f}" for r, y, p in zip(rooms, year, prices, strict=True))]
    (tmp_path / "houses.csv").write_text("\n".join(lines))
    layers = tf_keras().layers
    inputs = layers.Input((2,))
    scaled = layers.Normalization(mean=[3.5, 1960.0], variance=[3.0, 1300.0], name="scaled")(inputs)
    outputs = layers.Dense(1, name="price")(scaled)
    model = tf_keras().Model(inputs, outputs)
    model.layers[-1].set_weights([np.array([[10 * 3.0**0.5], [0.2 * 1300.0**0.5]]), np.array([35.0])])
    model.save(tmp_path / "m.keras")
    recipe = dataclasses.replace(PLAIN, formats=("tflite",), schemes=("int8",))
    errors, heard = {}, Heard()
    for outside in (False, True):
        chosen = dataclasses.replace(recipe, normalize_outside=outside)
        out = tmp_path / str(outside)
        data = str(tmp_path / "houses.csv")
        if not outside:
            with pytest.raises(InputError, match="an int8 file of this model would be worthless") as stopped:
                compress(tmp_path / "m.keras", data, chosen, out)
            assert stopped.value.hint.startswith("add --normalize-outside: then outputs of 16 validation samples are")
            assert not out.exists()
        bundle = compress(tmp_path / "m.keras", data, chosen, out, anyway=not outside, progress=heard)
        with open_device() as desktop:
            record = bench(candidates([out]), Plan(latency=False, memory=False), desktop)
        errors[outside] = record.measurements[0].accuracy.score.interval.value
    assert errors[True] < 1 < 5 < errors[False]
    first, again = (sentence for sentence in heard.warned if "erases" in sentence)
    assert "erases 1 of 2 features: rooms" in first
    assert "add --normalize-outside: then " in first
    assert first in again
    assert bundle.manifest.preprocessing.mean == pytest.approx((3.5, 1960.0))
    assert bundle.manifest.lineage[-1]["normalized_outside"] == ["scaled"]
    assert "normalize_outside = true" in (out / "recipe.toml").read_text()


def test_normalization_outside_is_refused_where_it_would_change_the_task(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((60, 8)).astype(np.float32)
    layers = tf_keras().layers
    inputs = layers.Input((8,))
    model = functional(inputs, layers.Dense(8)(layers.Rescaling(2.0)(inputs)), tmp_path / "m.keras")
    recipe = dataclasses.replace(PLAIN, normalize_outside=True)
    with raised("normalize-outside-unsuitable", "autoencoders"):
        compress(model, save(tmp_path / "d.npz", x, None), recipe, tmp_path / "o")
    (tmp_path / "big.keras").touch()
    taught = dataclasses.replace(recipe, stages=(StageSpec("distill", {"teacher": str(tmp_path / "big.keras")}),))
    with raised("normalize-outside-unsuitable", "big.keras"):
        compress(model, save(tmp_path / "d.npz", x, -x), taught, tmp_path / "o")
    assert not (tmp_path / "o").exists()


def test_models_that_scale_bytes_by_themselves_get_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    layers = tf_keras().layers
    names = ("rescaled", "normalised", "plain", "centred")
    inputs = [layers.Input((5,), name=name) for name in names]
    starts = [
        layers.Rescaling(1 / 127.5, -1.0),
        layers.Normalization(mean=[120.0] * 5, variance=[900.0] * 5),
        layers.Identity(),
        layers.Normalization(mean=[0.5] * 5, variance=[0.1] * 5),  # of values that were scaled before
    ]
    joined = layers.Concatenate()([start(tensor) for start, tensor in zip(starts, inputs, strict=True)])
    model = functional(inputs, layers.Dense(3, activation="softmax")(joined), tmp_path / "m.keras")
    x = {name: rng.integers(0, 256, (60, 5), dtype=np.uint8) for name in names}
    data = save(tmp_path / "d.npz", x, np.arange(60) % 3)
    recipe = dataclasses.replace(PLAIN, formats=("tflite",), schemes=("float32",))
    how = compress(model, data, recipe, tmp_path / "o", anyway=True).manifest.preprocessing
    assert [how.of(name).scale for name in names] == [1, 1, 1 / 255, 1 / 255]
    how = compress(
        model, data, recipe, tmp_path / "p", preprocessing={"scale": 0.5}, anyway=True
    ).manifest.preprocessing
    assert [how.of(name).scale for name in names] == [0.5] * 4
    one = functional(inputs[0], layers.Dense(3, activation="softmax")(starts[0](inputs[0])), tmp_path / "one.keras")
    data = save(tmp_path / "one.npz", x["rescaled"], np.arange(60) % 3)
    assert compress(one, data, recipe, tmp_path / "q", anyway=True).manifest.preprocessing.scale == 1


def test_inputs_that_are_only_numbered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    layers = tf_keras().layers
    zebra, ant = layers.Input((6, 6, 1), name="zebra"), layers.Input((3,), name="ant")
    joined = layers.Concatenate()([layers.Flatten()(zebra), ant])
    outputs = layers.Dense(3, activation="softmax", name="kind")(joined)
    model = functional([zebra, ant], outputs, tmp_path / "m.keras")
    (tmp_path / "mine.py").write_text(
        "import numpy as np, tensorflow as tf\n"
        "rng = np.random.default_rng(0)\n"
        "x, r = rng.integers(0, 256, (90, 6, 6, 1), dtype=np.uint8), rng.random((90, 3))\n"
        "def load():\n    return tf.data.Dataset.from_tensor_slices(((x, r), np.arange(90) % 3)).batch(8)\n"
    )
    recipe = dataclasses.replace(PLAIN, formats=("tflite",))
    bundle = compress(model, "mine.py:load", recipe, tmp_path / "o", anyway=True)
    how = bundle.manifest.preprocessing
    assert (how.of("zebra").scale, how.of("ant").scale) == (1 / 255, 1)
    with open_device() as desktop:
        data = load_data("mine.py:load")
        found = [
            bench(candidates([tmp_path / "o"]), Plan(latency=False, memory=False), desktop, data=given).measurements
            for given in (None, data)
        ]
    assert not [failure for measured in found for m in measured for failure in m.failures]
    own, given = ([m.accuracy.score.correct for m in measured] for measured in found)
    assert own == given


def test_a_metric_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_metrics.py").write_text(
        "def worst(y_true, y_pred):\n    return abs(y_true - y_pred[:, 0]).max()\n"
        "def broken(y_true, y_pred):\n    return [1, 2, 3]\n"
    )
    x, y = columns(np.random.default_rng(0))
    layers = tf_keras().layers
    inputs = layers.Input((6,))
    model = functional(inputs, layers.Dense(1)(inputs), tmp_path / "m.keras")
    data = save(tmp_path / "d.npz", x, y)
    recipe = dataclasses.replace(PLAIN, formats=("tflite",), schemes=("float32",))
    bundle = compress(model, data, recipe, tmp_path / "o", metric="my_metrics:worst", anyway=True)
    found = bundle.manifest.artifacts[0].validation
    assert found is not None
    assert found["value"] > 0
    assert "low" not in found
    heard = Heard()
    with open_device() as desktop:  # a bundle may be someone else's: what it names is not run unasked
        for metric, used in ((None, "mae"), ("my_metrics:worst", "my_metrics:worst")):
            plan = Plan(latency=False, memory=False)
            record = bench(candidates([tmp_path / "o"]), plan, desktop, metric=metric, progress=heard)
            assert record.measurements[0].accuracy.score.metric == used
    assert [s for s in heard.warned if "--metric my_metrics:worst" in s] == heard.warned
    assert len(heard.warned) == 1
    for metric, expected in (
        ("my_metrics:broken", ("metric-failed", "(3,)")),
        ("my_metrics:none", ("metric-failed",)),
        ("nothing_here:f", ("metric-failed", "nothing_here")),
        ("accurcy", ("metric-unfit",)),
    ):
        with raised(*expected):
            compress(model, data, recipe, tmp_path / "p", metric=metric, anyway=True)
