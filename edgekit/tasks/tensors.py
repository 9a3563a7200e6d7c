"""An input or output of a file: name, shape, dtype, and what its integers stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypedDict

from edgekit.schema.rules import Range, Sized, Wrong


class Quantization(TypedDict):
    """What the integers of a tensor stand for: real = (stored - zero_point) * scale."""

    scale: float
    zero_point: int


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of an artifact.

    Attributes:
        name: as the runtime knows it.
        shape: with the batch axis; -1 where it may vary.
        dtype: NumPy's name.
        scale, zero_point: real = (stored - zero_point) * scale; None for floating point, and for integers that are
            numbers as they are, such as tokens and classes.
        unscaled: its integers stand for real values by a scale that the file does not state.
    """

    name: str
    shape: Annotated[tuple[Annotated[int, Range(-1, 2**31 - 1)], ...], Sized(0, 64)]
    dtype: str
    scale: float | None = None
    zero_point: int | None = None
    unscaled: bool = False

    def check_consistent(self) -> None:
        """Raise `Wrong` for half a quantization."""
        if (self.scale is None) is not (self.zero_point is None):
            raise Wrong("has only one of `scale` and `zero_point`, expected both or none")

    def quantization(self) -> Quantization | None:
        """Return `scale` and `zero_point` as a runner job holds them, or None."""
        if self.scale is None or self.zero_point is None:
            return None
        return {"scale": self.scale, "zero_point": self.zero_point}
