"""How every stage trains its model: on the context's samples, towards the labels, or what stands in for them."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.frameworks.types import KerasModel, KerasObject
from edgekit.models.training.targets import Labels, Targets
from edgekit.models.training.training import History, TrainConfig, train
from edgekit.tasks.task import FOLLOWED
from edgekit.techniques.stage import StageContext
from edgekit.techniques.teacher import soft_targets

CHECKPOINT = "training.npz"


def train_stage(
    model: KerasModel,
    context: StageContext,
    config: TrainConfig,
    *,
    targets: Targets | None = None,
    callbacks: Sequence[KerasObject] = (),
    keep_from: int = 0,
    checkpoint: str = CHECKPOINT,
) -> History:
    """Train a stage's model, as `edgekit.models.training.training.train` does.

    Args:
        model: a tf_keras model, trained in place.
        context: of the stage.
        config: how to train.
        targets: by default the labels; without labels, or a loss for them, the outputs of the original model.
        callbacks: further tf_keras callbacks.
        keep_from: the first epoch (from 0) that may be kept.
        checkpoint: name of the file in the stage's work folder.
    """
    return train(
        model,
        context.splits,
        context.preprocessing,
        config,
        context.progress,
        targets=targets or _default_targets(context, config.augment),
        callbacks=callbacks,
        keep_from=keep_from,
        checkpoint=context.work / checkpoint,
    )


def _default_targets(context: StageContext, augment: str) -> Targets:
    if context.task.main.kind in FOLLOWED:
        return soft_targets(context.original, context, "original", augment=augment, temperature=1.0, alpha=1.0)
    return Labels(context.splits, context.task, context.preprocessing)
