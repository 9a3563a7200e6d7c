from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.data.dataset import Dataset, build
from edgekit.data.split import split
from edgekit.frameworks.tensorflow import seed_everything, tf_keras
from edgekit.models.reference import reference
from edgekit.models.training.augment import augmentation
from edgekit.models.training.losses import right
from edgekit.models.training.training import TrainConfig, train
from edgekit.progress import SILENT
from edgekit.tasks.task import Head
from tests.support.raised import raised

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def rows(arrays: dict[str, np.ndarray]) -> Dataset:
    return build("rows", arrays, "rows")


def small(seed: int = 0) -> Any:
    seed_everything(seed)
    keras = tf_keras()
    return keras.Sequential(
        [keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")]
    )


def test_training_learns_and_keeps_the_best_epoch(rows: Dataset) -> None:
    splits, model = split(rows, 10), small()
    history = train(model, splits, rows.preprocessing, TrainConfig(8, 16, 0.05), SILENT)
    scores = history.epochs["val_accuracy"]
    assert len(scores) == 8
    assert history.best == {"val_accuracy_keras": max(scores)}
    assert max(scores) > 0.9
    predicted = model.predict(rows.preprocessing.apply(splits.x_validation), verbose=0).argmax(axis=1)
    assert (predicted == splits.y_validation).mean() == pytest.approx(max(scores))


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_classes_have_an_axis_of_one_or_none(shape: tuple[int, ...]) -> None:
    outputs = np.eye(3, dtype=np.float32)[[0, 1, 2, 2]]
    found = right(np.reshape([0, 1, 2, 0], shape), outputs, Head())
    np.testing.assert_array_equal(np.asarray(found), [1, 1, 1, 0])


def ruin(last: int) -> Any:
    """A callback that sets every weight to zero before the validation of one epoch."""

    class Ruin(tf_keras().callbacks.Callback):  # type: ignore[misc]
        epoch = 0

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.epoch = epoch

        def on_test_begin(self, logs: Any = None) -> None:
            if self.epoch == last:
                self.model.set_weights([np.zeros_like(weights) for weights in self.model.get_weights()])

    return Ruin()


def test_the_best_epoch_is_not_simply_the_last(rows: Dataset) -> None:
    splits, model = split(rows, 10), small()
    history = train(model, splits, rows.preprocessing, TrainConfig(3, 16, 0.05), SILENT, callbacks=[ruin(2)])
    scores = history.epochs["val_accuracy"]
    assert scores[2] < max(scores)
    assert history.best_epoch < 2 and scores[history.best_epoch] == max(scores)
    assert all(weights.any() for weights in model.get_weights())


def test_unrolled_layers_train_as_loops(rows: Dataset) -> None:
    layers = tf_keras().layers
    splits, weights = split(rows, 10), []
    for unroll in (False, True):
        seed_everything(0)
        steps = [layers.Reshape((6, 6)), layers.Bidirectional(layers.GRU(4, unroll=unroll)), layers.Dense(3, "softmax")]
        model = tf_keras().Sequential([layers.Input((6, 6, 1)), *steps])
        train(model, splits, rows.preprocessing, TrainConfig(1, 16, 0.01), SILENT)
        assert model.layers[1].forward_layer.unroll is unroll
        weights.append(model.get_weights())
    for loop, unrolled in zip(*weights, strict=True):
        np.testing.assert_allclose(loop, unrolled, atol=1e-6)


@pytest.mark.parametrize("augment", ["none", "flip-crop"])
def test_same_seed_same_weights(rows: Dataset, augment: str) -> None:
    weights = []
    for seed in (1, 1, 2):
        model = small(seed)
        train(model, split(rows, 10), rows.preprocessing, TrainConfig(2, 16, augment=augment, seed=seed), SILENT)
        weights.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    np.testing.assert_array_equal(weights[0], weights[1])
    assert np.abs(weights[0] - weights[2]).max() > 1e-3


def test_sgd_learns_too(rows: Dataset) -> None:
    model = small()
    history = train(model, split(rows, 10), rows.preprocessing, TrainConfig(8, 16, 0.5, optimizer="sgd"), SILENT)
    assert history.best["val_accuracy_keras"] > 0.9
    assert type(model.optimizer).__name__ == "SGD"


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_weight_decay_shrinks_kernels_and_leaves_biases(rows: Dataset, optimizer: str) -> None:
    found = {}
    for decay in (0.0, 0.9):
        model = small()
        kernel, _ = model.get_weights()
        # Softmax gives equal biases no gradient in common: their mean stays, unless they decay.
        model.set_weights([kernel, np.ones(3, np.float32)])
        config = TrainConfig(3, 16, 0.02, optimizer=optimizer, weight_decay=decay)
        train(model, split(rows, 10), rows.preprocessing, config, SILENT)
        found[decay] = [np.linalg.norm(model.get_weights()[0]), model.get_weights()[1].mean()]
    assert found[0.9][0] < 0.9 * found[0.0][0]
    assert found[0.9][1] == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    "fields",
    [
        {"epochs": 0}, {"batch_size": 0}, {"learning_rate": 0.0}, {"learning_rate": float("nan")}, {"schedule": "step"},
        {"optimizer": "lion"}, {"weight_decay": -0.1}, {"weight_decay": 1.0},
    ],
)  # fmt: skip
def test_impossible_configurations(fields: dict[str, Any]) -> None:
    with raised("training-option-invalid", *fields):
        TrainConfig(**{"epochs": 1, **fields})


@pytest.mark.parametrize(
    ("name", "shape", "parameters"),
    # resnet8: what the public MLPerf Tiny Keras model counts
    [
        ("resnet8", (32, 32, 3), 78_666),
        ("resnet14", (32, 32, 3), 176_554),
        ("mnist-cnn", (28, 28, 1), 225_034),
        ("digits-cnn", (8, 8, 1), 13_706),
    ],
)
def test_reference_models(name: str, shape: tuple[int, ...], parameters: int) -> None:
    model = reference.build(name, shape, 10)
    assert model.count_params() == parameters
    assert model.output_shape == (None, 10)
    assert model.layers[-2].name == "logits"


@pytest.mark.parametrize("name", list(reference.REFERENCE))
def test_width_scales_every_reference_model(name: str) -> None:
    half, whole = (reference.build(name, (32, 32, 3), 7, width).count_params() for width in (0.5, 1.0))
    assert 0.2 < half / whole < 0.6


@pytest.mark.parametrize(
    ("shape", "width", "expected"),
    [
        ((10,), 1, ("reference-model-unfit", "(10,)")),
        ((3, 3, 1), 1, ("reference-model-unfit", "(3, 3, 1)")),
        ((28, 28, 1), 0, ("training-option-invalid", "--width 0")),
    ],
)
def test_reference_models_refuse(shape: tuple[int, ...], width: float, expected: tuple[str, ...]) -> None:
    with raised(*expected):
        reference.build("mnist-cnn", shape, 10, width)


def test_flip_crop_shifts_and_mirrors() -> None:
    x = np.zeros((200, 9, 9, 1), np.uint8)
    x[:, 4, 5] = 7
    out = augmentation("flip-crop", (9, 9, 1))(x, np.random.default_rng(0))
    assert out.shape == x.shape
    assert set(out.reshape(200, -1).sum(axis=1)) <= {0, 7}  # at the edge the pixel may be shifted out
    positions = {tuple(p) for p in np.argwhere(out[..., 0])[:, 1:]}
    assert len(positions) > 40
    assert x[0, 4, 5] == 7


def test_augmentations_refuse() -> None:
    with raised("training-option-invalid"):
        TrainConfig(1, augment="cutmix")
    with raised("training-option-invalid"):
        augmentation("flip", (10,))


def test_saved_models_load_again(tmp_path: Path, rows: Dataset) -> None:
    from edgekit.models.files.loader import load_model
    from edgekit.models.files.saving import ModelCard, read_card, save_model

    model = small()
    save_model(model, tmp_path / "m.keras", ModelCard(rows.preprocessing))
    loaded = load_model(tmp_path / "m.keras", progress=SILENT).model
    x = rows.preprocessing.apply(rows.x_test)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    card = read_card(tmp_path / "m.keras")
    assert card is not None
    assert card.preprocessing == rows.preprocessing


class Killed(BaseException):
    pass


def with_dropout() -> Any:
    seed_everything(3)
    layers = tf_keras().layers
    stack = [layers.Flatten(), layers.Dense(12, activation="relu"), layers.BatchNormalization(), layers.Dropout(0.5)]
    return tf_keras().Sequential([tf_keras().Input((6, 6, 1)), *stack, layers.Dense(3, activation="softmax")])


def killer(epoch: int) -> Any:
    class Killer(tf_keras().callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if self.model.optimizer.iterations.numpy() > epoch * self.params["steps"] + 1:
                raise Killed

    return Killer()


@pytest.mark.parametrize("killed_in", [0, 2])
def test_a_killed_training_goes_on_and_ends_the_same(rows: Dataset, tmp_path: Path, killed_in: int) -> None:
    splits, config = split(rows, 10), TrainConfig(4, 16, 0.01, "flip", "cosine", seed=5)
    straight, path = with_dropout(), tmp_path / "state.npz"
    history = train(straight, splits, rows.preprocessing, config, SILENT)
    with pytest.raises(Killed):
        train(
            with_dropout(), splits, rows.preprocessing, config, SILENT, checkpoint=path, callbacks=[killer(killed_in)]
        )
    assert path.exists() == (killed_in > 0)
    ran = []
    count = tf_keras().callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ran.append(epoch))
    resumed = with_dropout()
    again = train(resumed, splits, rows.preprocessing, config, SILENT, checkpoint=path, callbacks=[count])
    assert ran == list(range(killed_in, 4))
    assert again == history
    for one, other in zip(resumed.get_weights(), straight.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    finished = with_dropout()
    assert train(finished, splits, rows.preprocessing, config, SILENT, checkpoint=path, callbacks=[count]) == history
    assert len(ran) == 4 - killed_in
    np.testing.assert_array_equal(finished.get_weights()[0], straight.get_weights()[0])


@pytest.mark.parametrize("damage", ["other config", "truncated", "empty", "other model"])
def test_a_checkpoint_that_does_not_fit_is_ignored(rows: Dataset, tmp_path: Path, damage: str) -> None:
    splits, path = split(rows, 10), tmp_path / "state.npz"
    train(with_dropout(), splits, rows.preprocessing, TrainConfig(1, 16, seed=1), SILENT, checkpoint=path)
    config, model = TrainConfig(1, 16, seed=2 if damage == "other config" else 1), with_dropout()
    if damage == "other model":
        model = small(1)
    elif damage != "other config":
        path.write_bytes(path.read_bytes()[: 2000 if damage == "truncated" else 0])
    ran = []
    count = tf_keras().callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ran.append(epoch))
    train(model, splits, rows.preprocessing, config, SILENT, checkpoint=path, callbacks=[count])
    assert ran == [0]


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_step_is_traced_once(rows: Dataset, optimizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keras, traced = tf_keras(), list[str]()
    step = keras.Model.train_step

    def counted(self: Any, data: Any) -> Any:
        traced.append(self.name)
        return step(self, data)

    monkeypatch.setattr(keras.Model, "train_step", counted)
    model = small()
    train(model, split(rows, 10), rows.preprocessing, TrainConfig(2, 16, optimizer=optimizer), SILENT)
    assert traced == [model.name]
