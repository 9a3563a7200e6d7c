"""`finetune`: plain training, between or after other stages."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.schema.types import JsonObject
from edgekit.techniques.masks import keep_zeros
from edgekit.techniques.stage import SPARSE, ModelState, StageContext, Trained, refuse_after_clustering
from edgekit.techniques.training import train_stage


@dataclass(frozen=True)
class Finetune(Trained):
    """Train on with Adam and keep the best epoch."""

    epochs: int = 3
    learning_rate: float = 1e-4

    @property
    def expectation(self) -> str:
        """See `Stage`."""
        return f"fine-tuning, {self.epochs} epoch{'s' * (self.epochs != 1)}: accuracy may rise, size and speed stay"

    def follow(self, traits: frozenset[str]) -> frozenset[str]:
        """See `Stage`."""
        refuse_after_clustering("finetune", traits)
        return traits

    def run(self, state: ModelState, context: StageContext) -> tuple[ModelState, JsonObject]:
        """See `Stage`."""
        config = self.config(context.seed)
        callbacks = keep_zeros(state.model) if SPARSE in state.traits else []
        history = train_stage(
            state.model,
            context,
            config,
            callbacks=callbacks,
        )
        return state, history.to_dict()
