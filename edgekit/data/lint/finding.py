"""A lint finding, and how it names what it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.data.lint.facts import InputFacts


@dataclass(frozen=True)
class Finding:
    """One finding of the lint.

    Attributes:
        code: stays the same, such as `normalised-twice`.
        sentence: what is the case, with numbers.
        hint: what to do about it.
        sure: whether it is a warning by itself; otherwise only where its effect on the model is measured.
    """

    code: str
    sentence: str
    hint: str
    sure: bool = True

    @property
    def message(self) -> str:
        """The sentence and the hint, as a warning shows them."""
        return f"{self.sentence}; {self.hint}" if self.hint else self.sentence


def samples(data: InputFacts) -> str:
    """Return `samples`, with the name of the input where there are several."""
    return f"samples{of(data)}"


def of(data: InputFacts) -> str:
    """Return ` of NAME` for one of several inputs, else nothing."""
    return f" of {data.name}" if data.name else ""


def entries(data: InputFacts) -> str:
    """Return what the entries of the channel axis are called."""
    return "features" if len(data.shape) < 2 else "channels"


def listed(data: InputFacts, indices: Sequence[int] | Any) -> str:
    """Return the names of features, or the numbers of channels."""
    names = [data.feature_names[i] if data.feature_names else f"number {i}" for i in indices]
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
