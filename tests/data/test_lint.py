"""The data lint: each finding with what triggers it and what must not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgekit.data.lint import facts as facts_module
from edgekit.data.lint.checks import lint
from edgekit.data.lint.facts import data_facts
from edgekit.data.lint.finding import Finding
from edgekit.data.lint.model_facts import ModelFacts, ModelInput
from edgekit.frameworks.tensorflow import keras3, tf_keras
from edgekit.models.keras.facts import keras_facts
from edgekit.tasks.preprocessing import Preprocessing

CNN = ModelFacts((ModelInput(shape=(8, 8, 1), first_layers=("Conv2D",)),))
DENSE = ModelFacts((ModelInput(shape=(4,), first_layers=("Dense",)),))
BYTES = Preprocessing(scale=1 / 255)


def images(n: int = 300, dtype: type = np.uint8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (n, 8, 8, 1)).astype(dtype)
    return x, np.arange(n) % 3


def looked(
    x: Any, y: Any = None, preprocessing: Preprocessing = BYTES, model: ModelFacts = CNN, **more: Any
) -> list[Finding]:
    """Lint samples whose last third is the test part."""
    cut = len(y if y is not None else x) * 2 // 3
    labels = (None, None) if y is None else (y[:cut], y[cut:])
    part = (lambda s: {k: v[s] for k, v in x.items()}) if isinstance(x, dict) else (lambda s: x[s])
    found = data_facts(
        part(slice(cut)), part(slice(cut, None)), *labels, apply=preprocessing.apply, fed=str(preprocessing), **more
    )
    return lint(found, model)


def codes(findings: list[Finding]) -> list[str]:
    assert all(f.sentence and f.hint for f in findings)
    return [finding.code for finding in findings]


def test_of_large_samples_fewer_are_looked_at_and_few_at_a_time() -> None:
    """As float64, 256 photos at a time would take gigabytes."""
    few, fed = (300, 30_000, 10), []
    x = np.broadcast_to(np.arange(300, dtype=np.uint8)[:, np.newaxis, np.newaxis], few)

    def apply(stored: np.ndarray) -> np.ndarray:
        fed.append(stored.size)
        return stored

    [facts] = data_facts(x, x[:1], apply=apply).inputs
    assert facts.looked == 200
    assert (facts.low, facts.high) == (0, 255)
    assert max(fed) <= 8 << 20
    assert data_facts(x[:, :1], x[:1, :1]).inputs[0].looked == 300


def test_nothing_to_say() -> None:
    assert looked(*images(), calibration_samples=100) == []
    assert looked(images()[0]) == []


def one_input(**fields: Any) -> ModelFacts:
    return ModelFacts((ModelInput(shape=(8, 8, 1), **fields),))


RAW = Preprocessing()
HALF = Preprocessing(1 / 127.5, (1.0,))


@pytest.mark.parametrize(
    ("preprocessing", "model", "expected"),
    [
        (BYTES, one_input(rescales=1 / 255), ["normalised-twice"]),
        (HALF, one_input(rescales=1 / 127.5), ["normalised-twice"]),
        (RAW, one_input(rescales=1 / 255), []),
        (BYTES, one_input(rescales=2.0), []),
        (RAW, CNN, ["not-normalised"]),
        (BYTES, CNN, []),
        (HALF, CNN, []),
        (RAW, ModelFacts(CNN.inputs, batch_norm=True), []),
        (RAW, one_input(computes=True), []),
        (RAW, one_input(normalizes=True), []),
        (Preprocessing(100.0), CNN, ["not-normalised"]),
        (Preprocessing(1 / 255**2), CNN, ["normalised-twice"]),
        (RAW, one_input(normalizes=True, mean=(127.0,), std=(70.0,)), []),
        (BYTES, one_input(normalizes=True, mean=(127.0,), std=(70.0,)), ["normalised-twice"]),
        (RAW, one_input(normalizes=True, mean=(0.5,), std=(0.3,)), ["not-normalised"]),
        (BYTES, one_input(normalizes=True, mean=(0.5,), std=(0.3,)), []),
        (RAW, one_input(dtype="uint8"), []),
        (BYTES, one_input(dtype="uint8"), ["not-integers"]),
    ],
)
def test_range(preprocessing: Preprocessing, model: ModelFacts, expected: list[str]) -> None:
    assert codes(looked(*images(), preprocessing=preprocessing, model=model)) == expected


def test_stored_in_0_to_1_and_divided_again() -> None:
    x, y = images(dtype=np.float32)
    assert codes(looked(x / 255, y, BYTES)) == ["normalised-twice"]
    assert codes(looked(x / 255, y, RAW)) == []


def test_the_sentence() -> None:
    [found] = looked(*images(), model=one_input(rescales=1 / 255))
    assert found.sentence == (
        "samples are fed as values from 0 to 1 (x / 255), and the model multiplies them by 0.003922 itself"
    )


@pytest.mark.parametrize(
    ("highest", "scale", "expected"),
    [(99, 1.0, []), (100, 1.0, ["token-range"]), (99, 1 / 255, ["not-integers"]), (99, -1.0, ["token-range"])],
)
def test_tokens(highest: int, scale: float, expected: list[str]) -> None:
    x = np.random.default_rng(0).integers(0, 100, (300, 12))
    x[0, 0], x[1, 0] = highest, 1
    model = ModelFacts((ModelInput(shape=(None,), vocabulary=100),))
    assert codes(looked(x, preprocessing=Preprocessing(scale), model=model)) == expected


@pytest.mark.parametrize(
    ("stored", "takes", "expected"),
    [
        ((3, 8, 9), (8, 9, 3), ["channel-order"]),
        ((3, 8, 9), (None, None, 3), ["channel-order"]),
        ((8, 9, 3), (3, 8, 9), ["channel-order"]),
        ((8, 9, 3), (8, 9, 3), []),
        ((8, 9, 3), (None, None, 3), []),
        ((8, 9, 3), (None, None, None), []),
        ((8, 9, 3), (16, 16, 3), []),
        ((8, 9), (8, 9, 1), []),
    ],
)
def test_channel_order(stored: tuple[int, ...], takes: tuple[int | None, ...], expected: list[str]) -> None:
    x = np.random.default_rng(0).integers(0, 256, (60, *stored), np.uint8)
    assert codes(looked(x, model=ModelFacts((ModelInput(shape=takes),)))) == expected


def test_channels_that_preprocessing_transposes() -> None:
    x = np.random.default_rng(0).integers(0, 256, (60, 8, 9, 3), np.uint8)
    model = ModelFacts((ModelInput(shape=(3, 8, 9)),))
    assert codes(looked(x, preprocessing=Preprocessing(1 / 255, layout="NCHW"), model=model)) == []


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        ((50, 50, 50), (20, 20, 20), []),
        ((100, 40, 11), (20, 20, 20), []),
        ((100, 100, 6), (20, 20, 20), ["rare-class"]),
        ((100, 100, 0), (20, 20, 20), ["rare-class"]),
        ((200, 50, 19), (20, 20, 20), ["uneven-classes"]),
        ((50, 50, 50), (20, 20, 0), ["untested-class"]),
        ((50, 50, 50), (20, 20), ["untested-class"]),
    ],
)
def test_class_balance(train: tuple[int, ...], test: tuple[int, ...], expected: list[str]) -> None:
    y_train, y_test = (np.repeat(np.arange(len(counts)), counts) for counts in (train, test))
    x, _ = images(len(y_train) + len(y_test))
    facts = data_facts(
        x[: len(y_train)], x[len(y_train) :], y_train, y_test, apply=BYTES.apply, class_names=("ant", "bee", "cow")
    )
    found = lint(facts, CNN)
    assert codes(found) == expected
    if expected and expected != ["uneven-classes"]:
        assert "cow" in found[0].sentence


@pytest.mark.parametrize(
    "y", [np.arange(300) * 0.1, np.arange(300) - 5, np.arange(300) * 10**6, np.eye(3)[np.arange(300) % 3]]
)
def test_targets_that_are_no_classes(y: np.ndarray) -> None:
    assert looked(images()[0], y) == []


def test_test_samples_in_the_training_part() -> None:
    x, y = images()
    x[200:205] = x[:5]
    [found] = looked(x, y)
    assert found.code == "test-in-train"
    assert "5 of 100 test samples compared are in the training part, too (5.0%)" in found.sentence


def test_one_copy_among_many_is_not_worth_a_word() -> None:
    x, y = images(6000)
    x[5999] = x[0]
    assert looked(x, y) == []


def test_copies_with_other_labels() -> None:
    x, y = images()
    x[1] = x[0]
    assert codes(looked(x, y)) == ["contradicting-labels"]
    y[1] = y[0]
    assert codes(looked(x, y)) == []


def test_only_so_much_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts_module, "COMPARED_BYTES", 64 * 10)
    x, y = images()
    x[200], x[290] = x[0], x[1]
    assert "1 of 10 test samples compared" in looked(x, y)[0].sentence


def test_equal_in_one_input_only_is_no_copy() -> None:
    x, y = images()
    a, b = x.copy(), x.copy()
    a[200:] = a[:100]
    model = ModelFacts(tuple(ModelInput(name, (8, 8, 1)) for name in "ab"))
    assert codes(looked({"a": a, "b": b}, y, model=model)) == []
    b[200:210] = b[:10]
    assert codes(looked({"a": a, "b": b}, y, model=model)) == ["test-in-train"]


def test_findings_name_the_input() -> None:
    x, _ = images()
    model = ModelFacts((ModelInput("b", (8, 8, 1), rescales=1 / 255), ModelInput("a", (8, 8, 1))))
    [found] = looked({"a": x, "b": x + 0}, model=model)
    assert found.sentence.startswith("samples of b are fed")


def test_constant_samples() -> None:
    x, y = images()
    x[:10] = np.arange(10).reshape(10, 1, 1, 1)
    assert "10 of 200 samples looked at have the same value" in looked(x, y)[0].sentence
    x, y = images()
    x[0] = 0
    assert looked(x, y) == []


@pytest.mark.parametrize(("count", "expected"), [(99, ["few-calibration-samples"]), (100, []), (None, [])])
def test_calibration_samples(count: int | None, expected: list[str]) -> None:
    assert codes(looked(*images(), calibration_samples=count)) == expected


def table(*scales: float) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(300, len(scales))) * np.array(scales)


def test_constant_features() -> None:
    x = table(1, 1, 1, 1)
    x[:, 2] = 7.3
    found = looked(x, preprocessing=RAW, model=DENSE, feature_names=("a", "b", "c", "d"))
    assert codes(found) == ["constant-features"]
    assert "1 of 4 features never change: c" in found[0].sentence
    assert looked(table(1, 1, 1, 1), preprocessing=RAW, model=DENSE) == []


def test_borders_of_images_without_a_channel_axis_are_no_channels() -> None:
    x, _ = images()
    x[:, :, 0] = 0
    flat = x[..., 0]
    model = ModelFacts((ModelInput(shape=(8, 8), first_layers=("Flatten",)),))
    assert looked(flat, model=model) == []


def test_values_that_are_no_numbers_are_somebody_elses() -> None:
    x = table(1, 1, 1, 1)
    x[3, 2] = np.nan
    assert "feature-scales" not in codes(looked(x, preprocessing=RAW, model=DENSE))


NORMALIZING = ModelFacts((ModelInput(shape=(4,), first_layers=("Normalization",), normalizes=True),))


@pytest.mark.parametrize(
    ("model", "scales", "expected"),
    [
        (DENSE, (9, 9, 500, 9), ["feature-scales"]),
        (DENSE, (9, 9, 90, 9), []),
        (DENSE, (0.9, 50, 50, 50), []),
        (NORMALIZING, (9, 9, 500, 9), ["feature-scales"]),
        (DENSE, (1e5, 1e5, 1e5, 1e5), ["not-normalised"]),
    ],
)
def test_feature_scales(model: ModelFacts, scales: tuple[float, ...], expected: list[str]) -> None:
    found = looked(table(*scales), preprocessing=RAW, model=model)
    assert codes(found) == expected
    if expected == ["feature-scales"]:
        assert "erases 3 of 4 features: number 0, number 1, number 3 (a spread of 8.5" in found[0].sentence
        assert found[0].hint.startswith("add --normalize-outside" if model is NORMALIZING else "train on standardised")
        assert "feature-scales" not in codes(looked(table(*scales), preprocessing=RAW, model=model, int8=False))


def test_one_narrow_feature_matters_to_a_model_that_normalises() -> None:
    [found] = looked(table(0.9, 50, 50, 50), preprocessing=RAW, model=NORMALIZING)
    assert "erases 1 of 4 features: number 0 (a spread of 0.87" in found.sentence


def test_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    from edgekit.data.loading import load_data

    data = load_data("digits")
    facts = data_facts(
        data.x_train, data.x_test, data.y_train, data.y_test, apply=data.preprocessing.apply, calibration_samples=500
    )
    assert lint(facts, CNN) == []
    assert codes(lint(facts, one_input(rescales=1 / 16))) == ["normalised-twice"]


@pytest.mark.tensorflow
@pytest.mark.parametrize("keras", [tf_keras, keras3])
class TestModelFacts:
    def test_sequential(self, keras: Callable[[], Any]) -> None:
        k = keras()
        model = k.Sequential(
            [
                k.layers.Input((8, 8, 3)),
                k.layers.Rescaling(1 / 127.5, -1),
                k.layers.Conv2D(2, 3),
                k.layers.BatchNormalization(),
            ]
        )
        facts = keras_facts(model)
        [found] = facts.inputs
        assert (found.shape, found.rescales, found.normalizes, found.dtype) == ((8, 8, 3), 1 / 127.5, False, "float32")
        assert found.first_layers == ("Rescaling", "Conv2D")
        assert facts.batch_norm

    def test_normalization(self, keras: Callable[[], Any]) -> None:
        k = keras()
        layer = k.layers.Normalization()
        layer.adapt(np.random.default_rng(0).normal((5, 50), (2, 20), (500, 2)).astype(np.float32))
        [found] = keras_facts(k.Sequential([k.layers.Input((2,)), layer, k.layers.Dense(1)])).inputs
        assert found.normalizes
        np.testing.assert_allclose(found.mean, (5, 50), rtol=0.1)
        np.testing.assert_allclose(found.std, (2, 20), rtol=0.1)

    def test_batch_normalization_first(self, keras: Callable[[], Any]) -> None:
        k = keras()
        [found] = keras_facts(
            k.Sequential([k.layers.Input((2,)), k.layers.BatchNormalization(), k.layers.Dense(1)])
        ).inputs
        assert (found.normalizes, found.mean) == (True, (0, 0))
        np.testing.assert_allclose(found.std, (1, 1))

    def test_nested_and_embedding(self, keras: Callable[[], Any]) -> None:
        k = keras()
        inner = k.Sequential(
            [k.layers.Input((8, 8, 1)), k.layers.Rescaling(1 / 255), k.layers.Flatten(), k.layers.Dense(3)]
        )
        x = k.layers.Input((None, None, 1))
        [found] = keras_facts(k.Model(x, k.layers.Dense(2)(inner(k.layers.Resizing(8, 8)(x))))).inputs
        assert (found.shape, found.rescales) == ((None, None, 1), 1 / 255)
        words = k.Sequential([k.layers.Input((5,)), k.layers.Embedding(50, 4), k.layers.LSTM(3)])
        assert keras_facts(words).inputs[0].vocabulary == 50

    def test_two_inputs(self, keras: Callable[[], Any]) -> None:
        k = keras()
        a, b = k.layers.Input((8, 8, 1), name="picture"), k.layers.Input((4,), name="row")
        left = k.layers.Flatten()(k.layers.Rescaling(1 / 255)(a))
        model = k.Model([a, b], k.layers.Dense(1)(k.layers.Concatenate()([left, k.layers.Dense(4)(b)])))
        picture, row = keras_facts(model).inputs
        assert (picture.name, picture.rescales, row.name, row.rescales) == ("picture", 1 / 255, "row", None)
        assert row.first_layers == ("Dense",)

    def test_arithmetic_first(self, keras: Callable[[], Any]) -> None:
        k = keras()
        x = k.layers.Input((8, 8, 1))
        [found] = keras_facts(k.Model(x, k.layers.Conv2D(2, 3)(x / 127.5 - 1))).inputs
        assert (found.rescales, found.shift, found.computes) == (pytest.approx(1 / 127.5), -1.0, False)
        assert found.takes_raw


def test_borders_of_flattened_images_are_no_features() -> None:
    x = np.random.default_rng(0).integers(0, 256, (300, 64), np.uint8)
    x[:, :9] = 0
    assert "constant-features" not in codes(looked(x, model=ModelFacts((ModelInput(shape=(64,)),))))
    assert "constant-features" in codes(looked(x.astype(np.float32), model=ModelFacts((ModelInput(shape=(64,)),))))
