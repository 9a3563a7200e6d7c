"""What proposes the parameters of a trial in place of a sampler: a choice that is known, or a trial that is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgekit.errors import InputError
from edgekit.errors.printable import quoted
from edgekit.pipeline.searching.choice import Choice
from edgekit.schema.types import JsonValue

ALMOST = 1e-9
"""By which multiples of a step may be off."""
FLAGS = {"pruned": "amount", "sparse": "zeros", "clustered": "clusters"}
"""Parameters that say whether there is something, and the attribute of a choice that is it."""


@dataclass
class Fixed:
    """Proposes what a choice says, and remembers under which parameters.

    Attributes:
        choice: a point of a space.
        params: what was proposed.
    """

    choice: Choice
    params: dict[str, JsonValue] = field(default_factory=dict)

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Return the number nearest to the choice's."""
        value = min(max(getattr(self.choice, name), low), high)
        if step is not None:
            value = low + step * round((value - low) / step)
        value = float(f"{value:.6g}")
        self.params[name] = value
        return value

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """Return the integer nearest to the choice's."""
        value: int = min(max(getattr(self.choice, name), low), high)
        self.params[name] = value
        return value

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return the choice's, or the first where it cannot be had."""
        value = bool(getattr(self.choice, FLAGS[name])) if name in FLAGS else getattr(self.choice, name)
        self.params[name] = value if value in choices else choices[0]
        return self.params[name]


class Replayed:
    """Proposes the parameters of a trial that is done.

    Args:
        params: of it, as a storage holds them.
        source: names it in messages.
    """

    def __init__(self, params: Mapping[str, JsonValue], source: str) -> None:
        self._params, self._source = params, source

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Return the number that the trial has."""
        value = self._value(name)
        if type(value) not in (int, float) or not low - ALMOST <= value <= high + ALMOST:
            raise self._foreign(name, value)
        return float(value)

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """Return the integer that the trial has."""
        value = self._value(name)
        if type(value) is not int or not low <= value <= high:
            raise self._foreign(name, value)
        return value

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return the choice that the trial has."""
        value = self._value(name)
        if value not in choices:
            raise self._foreign(name, value)
        return value

    def _value(self, name: str) -> JsonValue:
        if name not in self._params:
            raise self._foreign(name, None)
        return self._params[name]

    def _foreign(self, name: str, value: JsonValue) -> InputError:
        return InputError(
            f"{self._source}: parameter `{name}` is {quoted(value)}, which this search does not hold",
            "the storage was written by something else: name another with `--storage`",
            code="storage-foreign",
        )
