"""What a stage is: it takes a Keras model and returns the next one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from edgekit.data.split import Splits
from edgekit.preprocessing import Preprocessing
from edgekit.progress import Progress


@dataclass(frozen=True)
class StageContext:
    """What every stage may use. Choices look at validation samples; test samples are not here."""

    splits: Splits
    preprocessing: Preprocessing
    seed: int
    progress: Progress


class Stage(Protocol):
    """A configured technique. Implementations are frozen dataclasses whose fields are the recipe's options."""

    @property
    def expectation(self) -> str:
        """One sentence, said before the work: what this stage will and will not bring."""

    def run(self, model: Any, context: StageContext) -> tuple[Any, dict[str, Any]]:
        """Return the next tf_keras model and what to note in the lineage (JSON values)."""
