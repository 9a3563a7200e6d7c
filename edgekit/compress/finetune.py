"""`finetune`: plain training, between or after other stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgekit.compress.masks import keep_zeros
from edgekit.compress.stage import SPARSE, ModelState, StageContext, refuse_after_clustering
from edgekit.models.training import TrainConfig, train


@dataclass(frozen=True)
class Finetune:
    """Train on with Adam and keep the best epoch; the fields are those of `TrainConfig`."""

    epochs: int = 3
    batch_size: int = 64
    learning_rate: float = 1e-4
    augment: str = "none"
    schedule: str = "cosine"

    def __post_init__(self) -> None:
        self._config(0)

    @property
    def expectation(self) -> str:
        """See `Stage`."""
        return f"fine-tuning, {self.epochs} epochs: accuracy may rise, size and speed stay"

    def follow(self, traits: frozenset[str]) -> frozenset[str]:
        """See `Stage`."""
        refuse_after_clustering("finetune", traits)
        return traits

    def run(self, state: ModelState, context: StageContext) -> tuple[ModelState, dict[str, Any]]:
        """See `Stage`."""
        config = self._config(context.seed)
        callbacks = keep_zeros(state.model) if SPARSE in state.traits else []
        history = train(
            state.model,
            context.splits,
            context.preprocessing,
            config,
            context.progress,
            callbacks=callbacks,
            checkpoint=context.work / "training.npz",
        )
        return state, history.to_dict()

    def _config(self, seed: int) -> TrainConfig:
        return TrainConfig(self.epochs, self.batch_size, self.learning_rate, self.augment, self.schedule, seed)
