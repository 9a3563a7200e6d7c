"""The state of a training after its last finished epoch, on disk, so that a killed run goes on with the next one."""

from __future__ import annotations

import json
import math
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edgekit.files.whole import atomic_file
from edgekit.frameworks.tensorflow import tensorflow
from edgekit.frameworks.types import KerasConfig, KerasModel
from edgekit.tasks.samples import Array


@dataclass
class Best:
    """The epoch to keep so far: its score (higher is better), its number from 0, and the model's weights then."""

    score: tuple[float, float] = (-math.inf, -math.inf)
    epoch: int = 0
    weights: list[Array] = field(default_factory=list)


@dataclass
class Finished:
    """What is known after `epochs` epochs: their history, and the best of them."""

    epochs: int = 0
    history: dict[str, list[float]] = field(default_factory=dict)
    best: Best = field(default_factory=Best)


class Checkpoint:
    """One `.npz` file that always holds a whole state.

    Args:
        path: the file; it belongs to one training of one model.
        config: `TrainConfig.to_dict()` of that training. A file of another one is ignored.
    """

    def __init__(self, path: Path, config: KerasConfig) -> None:
        self._path, self._config = path, config

    def save(self, model: KerasModel, finished: Finished) -> None:
        """Write the weights and the optimizer of a compiled tf_keras model, and what is finished."""
        best = finished.best
        state = {"config": self._config, "epochs": finished.epochs, "history": finished.history}
        arrays = {
            **_numbered("model", model.get_weights()),
            **_numbered("optimizer", [variable.numpy() for variable in model.optimizer.variables]),
            **_numbered("best", best.weights),
        }
        with atomic_file(self._path) as temporary, temporary.open("wb") as stream:
            note = np.array(json.dumps({**state, "best": [*best.score, best.epoch]}))
            np.savez(stream, allow_pickle=False, state=note, **arrays)

    def restore(self, model: KerasModel) -> Finished:
        """Set weights and optimizer to those of the last finished epoch; without a usable file nothing changes."""
        try:
            with self._path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return Finished()
        state = json.loads(str(arrays["state"]))
        weights, optimizer = _list("model", arrays), _list("optimizer", arrays)
        model.optimizer.build(model.trainable_variables)
        shapes = [tuple(v.shape) for v in model.optimizer.variables]
        if state["config"] != self._config or shapes != [a.shape for a in optimizer]:
            return Finished()
        model.set_weights(weights)
        for variable, value in zip(model.optimizer.variables, optimizer, strict=True):
            variable.assign(tensorflow().constant(value))
        *score, epoch = state["best"]
        best = Best((score[0], score[1]), int(epoch), _list("best", arrays))
        return Finished(state["epochs"], state["history"], best)


def _numbered(name: str, arrays: list[Array]) -> dict[str, Array]:
    return {f"{name}{i}": array for i, array in enumerate(arrays)}


def _list(name: str, arrays: dict[str, Array]) -> list[Array]:
    count = sum(key.removeprefix(name).isdigit() for key in arrays if key.startswith(name))
    return [arrays[f"{name}{i}"] for i in range(count)]
