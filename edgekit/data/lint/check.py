"""What a check of the lint is, and what it sees of an input."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from edgekit.data.lint.facts import InputFacts
from edgekit.data.lint.finding import Finding
from edgekit.data.lint.model_facts import ModelInput

Seen = TypeVar("Seen")


@dataclass(frozen=True)
class FedInput:
    """An input of a model and what it is fed.

    Attributes:
        data: the values.
        model: what the model does with them first; None if unknown.
        batch_norm: whether the model has a BatchNormalization layer anywhere.
        formula: the preprocessing, for sentences.
        int8: whether the input of a file will be int8.
    """

    data: InputFacts
    model: ModelInput | None
    batch_norm: bool
    formula: str
    int8: bool


@dataclass(frozen=True)
class Check(Generic[Seen]):
    """A check: one row of `edgekit.data.lint.checks`.

    Attributes:
        codes: of the findings it may yield; explained by `edgekit explain`.
        looks_at: what it compares, as half a sentence.
        findings: yields what is wrong.
        unless: codes of other checks; where one of them is sure, this one would repeat it and is left out.
    """

    codes: tuple[str, ...]
    looks_at: str
    findings: Callable[[Seen], Iterator[Finding]]
    unless: tuple[str, ...] = ()
