"""What a stage's outline says of its shapes is what the stage makes."""

from __future__ import annotations

from typing import Any

import pytest

from edgekit.bundle.recipe import parse_stage
from edgekit.models.training.training import History, TrainConfig
from edgekit.techniques.qat_finish import strip_quantization
from edgekit.techniques.registry import resolve
from edgekit.techniques.stage import QUANTIZED, ModelState
from tests.support.heard import Heard
from tests.techniques import tiny

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize(
    "stage",
    [
        "distill:width=0.6,epochs=1", "distill:student=sliced,width=0.6,taper=2,epochs=1",
        "distill:student=digits-cnn,width=0.3,epochs=1", "distill:student=current,epochs=1",
        "prune:amount=0.4,multiple_of=1,epochs=1", "prune:amount=0.5,rounds=2,multiple_of=2,epochs=1",
        "prune:amount=0.4,criterion=taylor,epochs=1", "prune:granularity=weight,epochs=1",
        "cluster:clusters=4,epochs=1", "quantize:epochs=1", "finetune:epochs=1",
    ],
)  # fmt: skip
def test_shapes(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def untrained(model: Any, splits: Any, preprocessing: Any, config: TrainConfig, *_: Any, **__: Any) -> History:
        return History(config, {"loss": [1.0], "val_loss": [1.0], "val_accuracy": [0.0]}, 0)

    monkeypatch.setattr("edgekit.techniques.training.train", untrained)  # it changes no shape
    resolved, model = resolve(parse_stage(stage), "x"), tiny.network()
    outline = resolved.outline(model, Heard(), allow_unsafe=False)
    state, _ = resolved.run(ModelState(model), tiny.context(original=model))
    made = strip_quantization(state.model) if QUANTIZED in state.traits else state.model
    assert [w.shape for w in outline.get_weights()] == [w.shape for w in made.get_weights()]
