"""A stage that is killed while it trains, and run again with the same work folder, ends with the same weights."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from edgekit.frameworks.tensorflow import seed_everything
from edgekit.techniques.cluster import Cluster
from edgekit.techniques.prune import Prune
from edgekit.techniques.qat import Quantize
from edgekit.techniques.stage import CLUSTERED, SPARSE, ModelState, Stage, StageContext
from tests.support.heard import Heard
from tests.techniques.tiny import context, dense_network, trained_dense, weights

pytestmark = pytest.mark.tensorflow
OPTIONS: dict[str, Any] = {"epochs": 3, "batch_size": 32, "learning_rate": 1e-2}


class Killed(Heard):
    """Ends the training after its first epoch."""

    def advance(self, note: str = "", units: int = 1) -> None:
        raise KeyboardInterrupt


class Counted(Heard):
    """Remembers the notes of a training."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def advance(self, note: str = "", units: int = 1) -> None:
        self.notes.append(note)


@cache
def coarse() -> Any:
    """A model with zeros and few distinct weights."""
    model = dense_network()
    model.set_weights([np.round(8 * w) / 8 for w in trained_dense().get_weights()])
    return model


def run(stage: Stage, where: StageContext) -> np.ndarray:
    seed_everything(9)
    state = (
        ModelState(coarse(), frozenset({SPARSE, CLUSTERED}))
        if isinstance(stage, Quantize)
        else ModelState(trained_dense())
    )
    state, note = stage.run(state, where)
    assert len(note["epochs"]["loss"]) == 3
    return weights(state.model)


@pytest.mark.parametrize(
    "stage",
    [
        Prune(amount=0.5, granularity="weight", **OPTIONS),
        Cluster(clusters=6, init="random", **OPTIONS),
        Quantize(**OPTIONS, alpha=0.5),
    ],
    ids=lambda stage: type(stage).__name__.lower(),
)
def test_same_weights_as_without_interruption(stage: Stage) -> None:
    straight = run(stage, context())
    where = context()
    with pytest.raises(KeyboardInterrupt):
        run(stage, replace(where, progress=Killed()))
    counted = Counted()
    np.testing.assert_array_equal(run(stage, replace(where, progress=counted)), straight)
    assert len(counted.notes) == 3
    assert counted.notes[0] == "as an earlier run left it"
