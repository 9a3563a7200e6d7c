from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.data.dataset import build
from edgekit.data.split import split
from edgekit.errors import InputError
from edgekit.frameworks.tensorflow import seed_everything, tf_keras
from edgekit.models.training.targets import distillation_loss
from edgekit.models.training.training import TrainConfig, train
from edgekit.progress import SILENT
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.task import CLASSIFICATION, Head
from edgekit.techniques.distill import Distill, spaced
from edgekit.techniques.stage import CLUSTERED, QUANTIZED, SPARSE, ModelState, StageContext
from edgekit.techniques.teacher import CachedTeacher, LiveTeacher, augmentation_warning, teacher_of
from tests.support.heard import Heard
from tests.support.raised import raised

pytestmark = pytest.mark.tensorflow
HOW = Preprocessing(1 / 255)


def network(hidden: int = 12, classes: int = 3, side: int = 6) -> Any:
    seed_everything(0)
    keras = tf_keras()
    inputs = keras.Input((side, side, 1))
    x = keras.layers.Flatten()(inputs)
    x = keras.layers.Dense(hidden, activation="relu", name="hidden")(x)
    return keras.Model(inputs, keras.layers.Dense(classes, activation="softmax", name="out")(x))


@pytest.fixture
def context(arrays: dict[str, np.ndarray], tmp_path: Path) -> StageContext:
    splits = split(build("rows", arrays, "rows"), 10)
    return StageContext(splits, HOW, 3, SILENT, tmp_path, network())


@pytest.fixture
def trained(context: StageContext) -> Any:
    model = network()
    train(model, context.splits, HOW, TrainConfig(10, 16, 0.01), SILENT)
    return model


def test_the_loss_by_hand() -> None:
    teacher, student = np.array([0.7, 0.2, 0.1]), np.array([0.5, 0.25, 0.25])

    def soften(p: np.ndarray, t: float) -> np.ndarray:
        z = p ** (1 / t)
        return z / z.sum()

    for t, alpha in ((1.0, 1.0), (4.0, 0.7), (2.0, 0.0)):
        a, b = soften(teacher, t), soften(student, t)
        expected = alpha * t * t * np.sum(a * np.log(a / b)) - (1 - alpha) * np.log(student[1])
        log_p, outputs = (np.asarray(v, np.float32)[np.newaxis] for v in (np.log(teacher), student))
        found = distillation_loss(np.array([1]), log_p, outputs, Head(), t, alpha)
        assert found.numpy() == pytest.approx([expected], rel=1e-5)


def test_the_loss_is_finite_where_probabilities_underflow() -> None:
    log_p, outputs = np.array([[0, -90, -90]], np.float32), np.array([[1, 0, 0]], np.float32)
    assert np.isfinite(distillation_loss(np.array([1]), log_p, outputs, Head(), 4.0, 0.5).numpy()).all()


def test_cached_outputs_equal_uncached(trained: Any, context: StageContext) -> None:
    cached = teacher_of(trained, CLASSIFICATION, context.splits, HOW, "none", context.work)
    live = teacher_of(trained, CLASSIFICATION, context.splits, HOW, "flip", context.work)
    assert isinstance(cached, CachedTeacher)
    assert isinstance(live, LiveTeacher)
    rows = np.array([5, 0, 17])
    x = HOW.apply(context.splits.x_train[rows])
    np.testing.assert_allclose(cached.training(rows, x)[0], live.training(rows, x)[0], atol=1e-6)
    np.testing.assert_array_equal(cached.validation()[0], live.validation()[0])
    np.testing.assert_allclose(np.exp(cached.training(rows, x)[0]).sum(axis=1), 1, atol=1e-5)


def test_a_teacher_that_never_saw_the_augmentation_is_doubted(context: StageContext) -> None:
    """It knows the class by the column that is bright, so mirrored samples mislead it."""
    x = np.zeros((90, 6, 6, 1), np.uint8)
    y = np.arange(90) % 2
    x[y == 0, :, 0], x[y == 1, :, 5] = 255, 255
    sides = build("sides", {"x_train": x, "y_train": y, "x_test": x[:20], "y_test": y[:20]}, "sides")
    splits, model = split(sides, 10), network(classes=2)
    train(model, splits, HOW, TrainConfig(5, 16, 0.02), SILENT)
    assert "after augmentation `flip`" in augmentation_warning(
        model, CLASSIFICATION, dataclasses.replace(context, splits=splits), "flip"
    )
    assert augmentation_warning(model, CLASSIFICATION, dataclasses.replace(context, splits=splits), "none") == ""
    x[:, :, 0], x[:, :, 5], x[:, :, 2:4] = 0, 0, 40
    x[y == 1, :, 2:4] = 255
    even = split(build("even", {"x_train": x, "y_train": y, "x_test": x[:20], "y_test": y[:20]}, "even"), 10)
    train(model, even, HOW, TrainConfig(5, 16, 0.02), SILENT)
    assert augmentation_warning(model, CLASSIFICATION, dataclasses.replace(context, splits=even), "flip") == ""


def test_the_teacher_is_asked_once_without_augmentation(
    trained: Any, context: StageContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgekit.techniques import teacher

    teacher_of(trained, CLASSIFICATION, context.splits, HOW, "none", context.work)
    monkeypatch.setattr(teacher, "_flat", lambda _: pytest.fail("computed again"))
    teacher_of(trained, CLASSIFICATION, context.splits, HOW, "none", context.work)


def test_a_student_of_another_kind_learns(trained: Any, context: StageContext, tmp_path: Path) -> None:
    path = tmp_path / "student.keras"
    network(hidden=4).save(path)
    state, note = Distill(student=str(path), epochs=15, learning_rate=0.02).run(ModelState(trained), context)
    assert state.model.count_params() < trained.count_params()
    assert note["chain"][-1]["val_accuracy_keras"] > 0.8


def test_the_current_model_learns_from_the_original(trained: Any, context: StageContext) -> None:
    student = network(hidden=4)
    state, note = Distill(student="current", epochs=2).run(ModelState(student), context)
    assert state.model is student
    assert [step["name"] for step in note["chain"]] == ["current"]


def test_a_teacher_from_a_file(
    trained: Any, context: StageContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgekit.techniques import teacher

    asked: list[Any] = []
    monkeypatch.setattr(teacher, "teacher_of", lambda model, *rest: asked.append(model) or teacher_of(model, *rest))
    trained.save(tmp_path / "teacher.keras")
    for student in ("current", "scaled"):
        work = dataclasses.replace(context, work=tmp_path / student)
        Distill(student=student, teacher=str(tmp_path / "teacher.keras"), epochs=1).run(ModelState(network()), work)
    assert len(asked) == 2
    for model in asked:
        np.testing.assert_array_equal(model.get_weights()[0], trained.get_weights()[0])
    network(classes=4).save(tmp_path / "other.keras")
    with raised("student-unfit", "teacher", "output shape"):
        Distill(teacher=str(tmp_path / "other.keras")).run(ModelState(trained), context)
    with raised("file-missing", "teacher `resnet8`"):
        Distill(teacher="resnet8")


def test_the_assistants_are_spaced_evenly_on_a_log_scale() -> None:
    assert spaced(0.25, 1) == pytest.approx((0.5,))
    assert spaced(0.125, 2) == pytest.approx((0.5, 0.25))
    assert spaced(0.5, 0) == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"width": 0.0}, {"width": 1.5}, {"temperature": 0.0}, {"temperature": float("nan")}, {"alpha": -0.1},
        {"alpha": 1.1}, {"assistants": -1}, {"assistants": 1, "assistant_widths": (0.5,)},
        {"assistant_widths": (0.3, 0.5)}, {"assistant_widths": (0.5, 0.5)}, {"assistant_widths": (2.0,)},
        {"student": "current", "width": 0.25}, {"student": __file__, "width": 0.25}, {"augment": "flipp"},
        {"student": "current", "assistants": 1}, {"student": "current", "taper": 2.0},
        {"student": "digits-cnn", "taper": 2.0}, {"taper": 0.0}, {"taper": 11.0},
        {"shallower": -1}, {"shallower": 101}, {"student": "current", "shallower": 1},
        {"epochs": 0},
    ],
)  # fmt: skip
def test_impossible_options(fields: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Distill(**fields)


@pytest.mark.parametrize(("side", "classes", "message"), [(5, 3, "input shape"), (6, 4, "output shape")])
def test_a_student_that_does_not_fit(
    trained: Any, context: StageContext, tmp_path: Path, side: int, classes: int, message: str
) -> None:
    network(classes=classes, side=side).save(tmp_path / "s.keras")
    with raised("student-unfit", message):
        Distill(student=str(tmp_path / "s.keras")).run(ModelState(trained), context)


@pytest.mark.parametrize("role", ["student", "teacher"])
def test_a_model_file_that_ends_in_logits(trained: Any, context: StageContext, tmp_path: Path, role: str) -> None:
    last = tf_keras().layers.Dense(3, name="logits")
    model = tf_keras().Model(trained.input, last(trained.layers[-1].input))
    last.set_weights(trained.layers[-1].get_weights())
    model.save(tmp_path / "logits.keras")
    files = {role: str(tmp_path / "logits.keras")}
    stage, state = Distill(**files, epochs=15, learning_rate=0.02), ModelState(trained)
    if role == "student":
        with raised("student-unfit", "student", "probabilities"):
            stage.run(state, context)
    else:  # a teacher's logits are as good
        assert stage.run(state, context)[1]["chain"][-1]["val_accuracy_keras"] > 0.8


def test_a_student_that_does_not_exist() -> None:
    with raised("file-missing", "student `resnet9`", "resnet8"):
        Distill(student="resnet9")


def test_a_student_larger_than_its_teacher_is_a_warning(context: StageContext, tmp_path: Path) -> None:
    heard = Heard()
    network(hidden=40).save(tmp_path / "s.keras")
    loud = dataclasses.replace(context, progress=heard)
    Distill(student=str(tmp_path / "s.keras"), epochs=1).run(ModelState(network()), loud)
    assert "student-not-smaller" in heard.codes


def test_a_sliced_student_begins_with_what_its_teacher_knows(
    trained: Any, context: StageContext, tmp_path: Path
) -> None:
    stage = Distill(student="sliced", width=0.75, epochs=1, learning_rate=1e-5)
    state, note = stage.run(ModelState(trained), context)
    assert state.model.get_layer("hidden").units == 9
    assert note["chain"][-1]["val_accuracy_keras"] > 0.8
    (tmp_path / "fresh").mkdir()
    other = dataclasses.replace(context, work=tmp_path / "fresh")
    fresh, note = dataclasses.replace(stage, student="scaled").run(ModelState(trained), other)
    assert fresh.model.get_layer("hidden").units == 9
    assert note["chain"][-1]["val_accuracy_keras"] < 0.8


def test_orders() -> None:
    assert Distill().follow(frozenset()) == frozenset()
    for trait in (SPARSE, CLUSTERED, QUANTIZED):
        with raised("stage-order", trait):
            Distill().follow(frozenset({trait}))
    current = Distill(student="current")
    assert current.follow(frozenset({SPARSE})) == {SPARSE}
    assert current.follow(frozenset({QUANTIZED})) == {QUANTIZED}
    for traits in ({CLUSTERED}, {QUANTIZED, CLUSTERED}):
        with raised("stage-order", "`distill` after `cluster`"):
            current.follow(frozenset(traits))
