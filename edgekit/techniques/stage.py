"""What a stage is: it takes a Keras model and returns the next one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgekit.data.split import Splits
from edgekit.errors import InputError
from edgekit.export.calibration import MINMAX, Ranging
from edgekit.frameworks.types import KerasModel
from edgekit.models.training.training import ADAM, TrainConfig
from edgekit.progress import Progress
from edgekit.schema.types import JsonObject
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.task import CLASSIFICATION, Task

SPARSE, CLUSTERED, QUANTIZED = "sparse", "clustered", "quantized"
"""Traits: what earlier stages left in the weights, and later ones must keep."""


@dataclass(frozen=True)
class ModelState:
    """A model between two stages.

    Attributes:
        model: a tf_keras model without wrappers; with the trait `quantized`, a model with quantize wrappers.
        traits: `sparse` (zeros that stay zero), `clustered` (few distinct weights a layer), `quantized` (trained with
            fake quantization).
    """

    model: KerasModel
    traits: frozenset[str] = frozenset()


@dataclass(frozen=True)
class StageContext:
    """What every stage may use. Choices look at validation samples; test samples are not here.

    Attributes:
        splits: stored samples and labels.
        preprocessing: from stored samples to model inputs.
        seed: of everything random.
        progress: gets every step.
        work: a folder of this stage's own, for caches and checkpoints.
        original: the tf_keras model as it came, before any stage.
        allow_unsafe: model files that a stage names may hold Lambda layers, which run code.
        task: what the model's outputs are for.
        ranging: how the ranges of activations are chosen from calibration samples.
    """

    splits: Splits
    preprocessing: Preprocessing
    seed: int
    progress: Progress
    work: Path
    original: KerasModel
    allow_unsafe: bool = False
    task: Task = CLASSIFICATION
    ranging: Ranging = MINMAX


@dataclass(frozen=True)
class Trained:
    """The options of every stage that trains, as in `TrainConfig`; a stage may set other defaults.

    Attributes:
        epochs: passes over the training samples; the best epoch by validation samples is kept.
        batch_size: samples a step.
        learning_rate: of the optimizer, at the start; `sgd` takes 10 to 100 times as much as `adam`.
        augment: of images while training: `none`, `flip`, `crop` or `flip-crop`.
        schedule: of the learning rate: `constant`, or `cosine` down to zero over all epochs.
        optimizer: `adam`, or `sgd` with Nesterov momentum.
        weight_decay: of kernels, apart from the gradients; 0.0005 is usual with `sgd`.
    """

    epochs: int = 5
    batch_size: int = 64
    learning_rate: float = 1e-3
    augment: str = "none"
    schedule: str = "cosine"
    optimizer: str = ADAM
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        self.config(0)

    def config(self, seed: int) -> TrainConfig:
        """Return how to train.

        Raises:
            InputError: an option is out of range.
        """
        return TrainConfig(
            self.epochs, self.batch_size, self.learning_rate, self.augment, self.schedule, seed, self.optimizer,
            self.weight_decay,
        )  # fmt: skip

    def preflight(self, model: KerasModel, progress: Progress, *, allow_unsafe: bool) -> None:
        """See `Stage`; nothing stops a stage that only trains."""

    def outline(self, model: KerasModel, progress: Progress, *, allow_unsafe: bool) -> KerasModel:
        """See `Stage`; a stage that only trains changes no shapes."""
        return model


class Stage(Protocol):
    """A configured technique. Implementations are frozen dataclasses whose fields are the recipe's options."""

    @property
    def expectation(self) -> str:
        """One sentence, shown before the work: what this stage will and will not bring."""

    def follow(self, traits: frozenset[str]) -> frozenset[str]:
        """Return the traits after this stage, given those before; called for all stages before any work.

        Raises:
            InputError: the stage would destroy what an earlier one did; with the order that works.
        """

    def preflight(self, model: KerasModel, progress: Progress, *, allow_unsafe: bool) -> None:
        """Look, before any stage trains, for what would stop this one.

        Args:
            model: that is compressed; stages keep the shapes of its inputs and outputs.
            progress: gets every step.
            allow_unsafe: model files that the stage names may hold Lambda layers, which run code.

        Raises:
            InputError: the stage cannot work on this model, or with the files that it names.
        """

    def outline(self, model: KerasModel, progress: Progress, *, allow_unsafe: bool) -> KerasModel:
        """Return a model of the shapes that this stage makes of one, without training: its sizes are known then.

        Args:
            model: of the shapes before the stage; left as it is.
            progress: gets every step.
            allow_unsafe: as for `preflight`.

        Raises:
            InputError, ConversionError: the stage cannot work on this model.
        """

    def run(self, state: ModelState, context: StageContext) -> tuple[ModelState, JsonObject]:
        """Return the next model and what to note in the lineage (JSON values)."""


def check_order(stages: Sequence[Stage]) -> None:
    """Raise `InputError` if a stage would destroy what an earlier one did."""
    traits: frozenset[str] = frozenset()
    for stage in stages:
        traits = stage.follow(traits)


def refuse_after_clustering(stage: str, traits: frozenset[str]) -> None:
    """Raise if training without cluster wrappers would move the weights off their clusters."""
    if CLUSTERED in traits:
        raise InputError(
            f"`{stage}` after `cluster` trains every weight by itself and destroys the clusters",
            f"put `{stage}` before `cluster`; `quantize` keeps clusters, and learns from a teacher with alpha > 0",
            code="stage-order",
        )
