"""What a trial of a model on labelled samples comes to."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgekit.data.lint.finding import Finding
from edgekit.schema.types import JsonObject
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.task import Task


@dataclass(frozen=True)
class Looked:
    """What came of it.

    Attributes:
        preprocessing: from stored samples to model inputs, from here on.
        task: with what the outputs are: probabilities or logits.
        notice: one line for the user.
        findings: what spoils every number, to be a warning now and at the end.
        record: for the lineage, JSON values; empty without labels.
        proven: fed so, the model is far better than a constant guess, and nothing that was tried is clearly better.
    """

    preprocessing: Preprocessing
    task: Task
    notice: str
    findings: tuple[Finding, ...] = ()
    record: JsonObject = field(default_factory=dict)
    proven: bool = False
