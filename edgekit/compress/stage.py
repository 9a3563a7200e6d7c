"""What a stage is: it takes a Keras model and returns the next one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from edgekit.data.split import Splits
from edgekit.preprocessing import Preprocessing
from edgekit.progress import Progress

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

    model: Any
    traits: frozenset[str] = frozenset()


@dataclass(frozen=True)
class StageContext:
    """What every stage may use. Choices look at validation samples; test samples are not here.

    Attributes:
        splits: stored samples and labels.
        preprocessing: from stored samples to model inputs.
        seed: of everything random.
        progress: told of every step.
        work: a folder of this stage's own, for caches and checkpoints.
    """

    splits: Splits
    preprocessing: Preprocessing
    seed: int
    progress: Progress
    work: Path


class Stage(Protocol):
    """A configured technique. Implementations are frozen dataclasses whose fields are the recipe's options."""

    @property
    def expectation(self) -> str:
        """One sentence, said before the work: what this stage will and will not bring."""

    def run(self, state: ModelState, context: StageContext) -> tuple[ModelState, dict[str, Any]]:
        """Return the next model and what to note in the lineage (JSON values)."""
