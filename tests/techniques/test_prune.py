"""The `prune` stage: options, order, and channels removed between rounds of training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.data.dataset import build
from edgekit.data.split import split
from edgekit.errors import InputError
from edgekit.progress import SILENT
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.techniques.prune import Prune
from edgekit.techniques.stage import CLUSTERED, QUANTIZED, SPARSE, ModelState, StageContext
from tests.support.raised import raised


@pytest.mark.parametrize(
    "fields",
    [
        {"amount": 1.0}, {"amount": -0.1}, {"amount": float("nan")}, {"granularity": "row"}, {"scope": "both"},
        {"criterion": "l0"}, {"multiple_of": 0}, {"rounds": 0}, {"rounds": 2, "granularity": "weight"}, {"epochs": 0},
        {"layers": "convs"}, {"layers": "name:"}, {"augment": "flipp"}, {"amount": 0.6, "granularity": "2:4"},
        {"granularity": "weight", "sparsity_schedule": "linear"}, {"sparsity_schedule": "constant"},
        {"granularity": "weight", "criterion": "l2"}, {"granularity": "block", "multiple_of": 4},
    ],
)  # fmt: skip
def test_impossible_options(fields: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Prune(**fields)


def test_what_to_expect_is_said_before() -> None:
    assert "faster on every runtime" in Prune().expectation
    assert "no faster on int8" in Prune(granularity="weight").expectation


def test_orders() -> None:
    assert Prune().follow(frozenset()) == frozenset()
    assert Prune(granularity="2:4").follow(frozenset()) == {SPARSE}
    assert Prune().follow(frozenset({SPARSE})) == {SPARSE}
    for trait in (CLUSTERED, QUANTIZED):
        with raised("stage-order", "prune"):
            Prune().follow(frozenset({trait}))


@pytest.mark.tensorflow
def test_taylor_sees_all_classes_of_sorted_data(
    arrays: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgekit.techniques import prune
    from edgekit.techniques.channels import prune as engine

    seen: list[Any] = []

    def stop(*args: Any, samples: Any, **rest: Any) -> None:
        seen.append(samples)
        raise KeyboardInterrupt

    monkeypatch.setattr(prune, "TAYLOR_SAMPLES", 9)
    monkeypatch.setattr(engine, "prune_channels", stop)
    order = np.argsort(arrays["y_train"], kind="stable")
    ordered = {**arrays, "x_train": arrays["x_train"][order], "y_train": arrays["y_train"][order]}
    context = StageContext(split(build("rows", ordered, "rows"), 10), Preprocessing(1 / 255), 0, SILENT, tmp_path, None)
    with pytest.raises(KeyboardInterrupt):
        Prune(criterion="taylor").run(ModelState(None), context)
    assert np.bincount(seen[0][1]).tolist() == [3, 3, 3]


@pytest.mark.tensorflow
@pytest.mark.parametrize("criterion", ["l1", "taylor"])
def test_channels_go_in_rounds(arrays: dict[str, np.ndarray], tmp_path: Path, criterion: str) -> None:
    from edgekit.frameworks.tensorflow import seed_everything, tf_keras

    seed_everything(0)
    keras = tf_keras()
    inputs = keras.Input((6, 6, 1))
    x = keras.layers.Conv2D(16, 3, padding="same", activation="relu", name="conv")(inputs)
    x = keras.layers.GlobalMaxPooling2D()(keras.layers.Conv2D(8, 3, activation="relu", name="conv2")(x))
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="out")(x))
    splits = split(build("rows", arrays, "rows"), 10)
    context = StageContext(splits, Preprocessing(1 / 255), 0, SILENT, tmp_path, model)
    stage = Prune(amount=0.5, rounds=2, epochs=2, batch_size=16, multiple_of=1, criterion=criterion)
    state, note = stage.run(ModelState(model), context)
    assert state.model.get_layer("conv").filters == 8
    assert state.model.get_layer("conv2").filters == 4
    assert model.get_layer("conv").filters == 16
    assert len(note["rounds"]) == 2
    assert "out" in note["rounds"][0]["not_pruned"]
    import json

    json.dumps(note)
