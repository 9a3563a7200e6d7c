"""A float file, of either format, and what is asked of it by those who choose the ranges of its activations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edgekit.export.calibration import Histogram, Ranging
from edgekit.tasks.samples import Array

Choice = npt.NDArray[np.intp]
"""Which of the rangings each activation gets, (activations,)."""


@dataclass(frozen=True)
class Measured:
    """What samples showed of a float file's activations: the range that each of several rangings gives them.

    Attributes:
        rangings: the ways.
        names: of the activations, as the file calls them.
        ends: of the ranges, float64 (rangings, activations, 2), in real units.
        noise: of rounding and saturation in them, against the mean square of the values, (rangings, activations).
        inputs: of every input of the file, in its order, the activation; -1 for one of integers, which has no range.
    """

    rangings: tuple[Ranging, ...]
    names: tuple[str, ...]
    ends: npt.NDArray[np.float64]
    noise: npt.NDArray[np.float64]
    inputs: tuple[int, ...]

    @property
    def fed(self) -> npt.NDArray[np.bool_]:
        """Whether an activation is an input of the file, (activations,)."""
        return np.isin(np.arange(len(self.names)), self.inputs)

    @property
    def spans(self) -> npt.NDArray[np.float64]:
        """From one end of a range to the other, (rangings, activations); all hold zero, as int8 does."""
        wide: npt.NDArray[np.float64] = np.maximum(self.ends[..., 1], 0) - np.minimum(self.ends[..., 0], 0)
        return wide

    def chosen(self, choice: Choice) -> npt.NDArray[np.float64]:
        """Return the ends of the ranges of a choice, (activations, 2)."""
        ends: npt.NDArray[np.float64] = self.ends[choice, np.arange(len(self.names))]
        return ends


HISTOGRAMS = Ranging("mse")
"""Given to `observer_for` besides, it lets every range's noise be told."""


def ranged(
    seen: Sequence[Histogram], rangings: Sequence[Ranging], levels: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return `ends` and `noise` of a `Measured`.

    Args:
        seen: of every activation; each has seen a value.
        rangings: the ways.
        levels: that ranges are divided into.
    """
    found = [[ranging.ends(observer, levels) or (0.0, 0.0) for observer in seen] for ranging in rangings]
    noise = [[o.noise(ends, levels) for o, ends in zip(seen, row, strict=True)] for row in found]
    shape = (len(rangings), len(seen))
    return np.array(found, np.float64).reshape(*shape, 2), np.array(noise, np.float64).reshape(shape)


class Calibratable(Protocol):
    """A float file that int8 files are made of."""

    def measured(self, samples: Sequence[Array], rangings: Sequence[Ranging]) -> Measured:
        """Run the float file over samples, once, and return what was seen.

        Args:
            samples: one array an input, (n, ...), in the order of the file, in real units.
            rangings: at least one.

        Raises:
            ConversionError: the file does not run, or a value is not finite.
        """

    def quantized(self, measured: Measured, choice: Choice) -> bytes:
        """Return the int8 file with the ranges of a choice, inputs and outputs int8, too.

        Args:
            measured: what `measured` returned of this file.
            choice: from its rangings.

        Raises:
            ConversionError: the file cannot be expressed.
        """

    def corrected(self, file: bytes, samples: Sequence[Array]) -> bytes:
        """Return an int8 file made of this one with the means of its layers' channels brought to the float file's.

        Args:
            file: as `quantized` returned it.
            samples: as above.

        Returns:
            The file; its bytes as they are where there is nothing to correct.

        Raises:
            ConversionError: a file does not run.
        """

    def outputs(self, file: bytes | None, samples: Sequence[Array]) -> list[Array]:
        """Return the outputs of a file, float64 (n, values) each, in real units.

        Args:
            file: as `quantized` or `corrected` returned it; None for the float file.
            samples: as above.

        Raises:
            ConversionError: the file does not run.
        """
