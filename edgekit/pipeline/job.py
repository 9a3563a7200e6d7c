"""What every step of a run knows: the request, and the model and data that were opened for it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from edgekit.bundle.recipe import Recipe
from edgekit.data.dataset import Dataset
from edgekit.data.split import Splits
from edgekit.pipeline.request import Request
from edgekit.pipeline.source import Source
from edgekit.progress import Progress
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.task import Task


@dataclass(frozen=True)
class Job:
    """A run.

    Attributes:
        request: what is asked for.
        source: the model, with sizes for every input.
        dataset: the data as the model takes them.
        splits: its training part, divided.
        task: what the outputs are for.
        preprocessing: from stored samples to model inputs.
        given: whether the user or the model's card gave the preprocessing; else it is the default for the data.
    """

    request: Request
    source: Source
    dataset: Dataset
    splits: Splits
    task: Task
    preprocessing: Preprocessing
    given: bool

    @property
    def recipe(self) -> Recipe:
        """What to do."""
        return self.request.recipe

    @property
    def progress(self) -> Progress:
        """Is notified of every step."""
        return self.request.progress

    @property
    def key(self) -> tuple[str, ...]:
        """What stages depend on besides the recipe."""
        return self.source.key, self.dataset.fingerprint, json.dumps(self.preprocessing.to_dict())
