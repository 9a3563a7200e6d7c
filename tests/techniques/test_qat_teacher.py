"""Distillation during quantization-aware training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgekit.errors import InputError
from edgekit.frameworks.tensorflow import seed_everything
from edgekit.techniques import teacher as teachers
from edgekit.techniques.qat import Quantize
from edgekit.techniques.stage import ModelState
from edgekit.techniques.teacher import CachedTeacher, LiveTeacher, teacher_of
from tests.techniques.tiny import context, dense_network, inputs, splits, trained_dense, weights

pytestmark = pytest.mark.tensorflow


def test_the_teacher_counts_as_much_as_alpha_says() -> None:
    wrong = replace(splits(), y_train=(splits().y_train + 1) % 3, y_validation=(splits().y_validation + 1) % 3)
    expected = trained_dense().predict(inputs(), verbose=0).argmax(axis=1)
    agreement = {}
    for alpha in (0.0, 1.0):
        seed_everything(2)
        stage = Quantize(epochs=12, batch_size=32, learning_rate=2e-2, alpha=alpha)
        state, _ = stage.run(ModelState(trained_dense()), replace(context(), splits=wrong))
        agreement[alpha] = (state.model.predict(inputs(), verbose=0).argmax(axis=1) == expected).mean()
    assert agreement[1.0] > 0.8
    assert agreement[0.0] < 0.3


@pytest.mark.parametrize(("teacher", "augment"), [("float", "flip"), ("original", "none")])
def test_who_teaches_and_what_is_cached(teacher: str, augment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original, entering = trained_dense(), dense_network()
    before, asked = weights(entering), []

    def watch(model: Any, *args: Any) -> Any:
        asked.append((model, teacher_of(model, *args)))
        return asked[-1][1]

    monkeypatch.setattr(teachers, "teacher_of", watch)
    where = context(original=original)
    stage = Quantize(epochs=1, batch_size=64, alpha=0.5, teacher=teacher, augment=augment)
    stage.run(ModelState(entering), where)
    [(model, source)] = asked
    assert model is (entering if teacher == "float" else original)
    assert isinstance(source, CachedTeacher if augment == "none" else LiveTeacher)
    cached = {path.name for path in (where.work / "teacher").iterdir()}
    assert cached == {"teacher-validation-0.npy", *(["teacher-training-0.npy"] if augment == "none" else [])}
    np.testing.assert_array_equal(weights(entering), before)


def test_labels_alone_need_no_teacher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teachers, "teacher_of", lambda *_: pytest.fail("a teacher was asked"))
    Quantize(epochs=1, batch_size=64).run(ModelState(dense_network()), context())


def test_expectations() -> None:
    assert "taught" not in Quantize().expectation
    assert "taught by the float model" in Quantize(alpha=0.5).expectation
    assert "cached" not in Quantize(alpha=0.5).expectation
    assert "taught by the original model" in Quantize(alpha=0.5, teacher="original").expectation
    assert "the teacher runs along" in Quantize(alpha=0.5, augment="flip").expectation
    assert "the teacher runs along" not in Quantize(augment="flip").expectation


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -0.1}, "alpha=-0.1"),
        ({"alpha": 1.5}, "alpha=1.5"),
        ({"alpha": float("nan")}, "alpha=nan"),
        ({"alpha": 0.5, "temperature": 0.0}, "temperature=0.0"),
        ({"alpha": 0.5, "temperature": float("inf")}, "temperature=inf"),
        ({"alpha": 0.5, "teacher": "resnet8"}, "unknown teacher `resnet8`"),
        ({"teacher": "original"}, "no effect"),
    ],
)
def test_impossible_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        Quantize(**options)
    assert caught.value.hint
