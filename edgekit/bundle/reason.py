"""A sentence with its stable code: reasons of verdicts, and notes about a measurement."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """Why a measurement is not to be taken as it is.

    Attributes:
        code: a slug of `edgekit.errors.codes`.
        sentence: of this case, with its numbers.
    """

    code: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.sentence} [{self.code}]" if self.code else self.sentence
