"""The int8 files that can be made of one model, for `--max-drop` to choose among, whatever the source's format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgekit.errors import ConversionError
from edgekit.export.calibration import Ranging
from edgekit.export.mixed.quantized import Quantized
from edgekit.export.mixed.regions import Region
from edgekit.tasks.samples import Array

Arrays = Sequence[Array]
OTHER_RANGES = (Ranging("mse"), Ranging("percentile", 99.99), Ranging("percentile", 99.9))
"""In place of the default, in the order in which they are tried."""
RANKED_ON = 32
"""Calibration samples on which operators are ranked."""


@dataclass(frozen=True)
class Attempt:
    """A file with other ranges.

    Attributes:
        how: they were chosen, half a sentence.
        file: as `Ways` make it.
    """

    how: str
    file: bytes


class Ways(Protocol):
    """The int8 files that can be made of one model. Files are not packed, so that operators keep their names."""

    @property
    def suffix(self) -> str:
        """Of the files, such as `.tflite`."""

    def plain(self) -> bytes:
        """Return the file as it is made by default.

        Raises:
            ConversionError: there is none.
        """

    def refined(self) -> Iterator[Attempt]:
        """Yield files with other ranges of activations; nothing where ranges were trained."""

    def quantized(self, int8: bytes) -> Quantized:
        """Return the float file that one of these files was made of, and that file.

        Raises:
            ConversionError: they cannot be matched.
        """

    def order(self, quantized: Quantized) -> Sequence[Region]:
        """Return in which order operators are best reverted, measured on calibration samples.

        Raises:
            ConversionError: that cannot be measured.
        """

    def finished(self, int8: bytes) -> bytes:
        """Return a file as it ships."""


def others(first: Ranging) -> list[Ranging]:
    """Return the ways to choose ranges besides the one that was tried first."""
    return [ranging for ranging in OTHER_RANGES if ranging != first]


def described(ranging: Ranging) -> str:
    """Return how ranges were chosen, half a sentence."""
    share = f" ({ranging.percentile:g} %)" if ranging.method == "percentile" else ""
    return f"ranges by {ranging.method}{share}"


def refused(error: Exception) -> ConversionError:
    """Return what a runtime's refusal of a file or of samples is to a user."""
    return ConversionError(str(error).strip()[:300], code="file-not-runnable")


def few(samples: Arrays) -> list[Array]:
    """Return samples to rank operators on, evenly spaced."""
    step = max(1, len(samples[0]) // RANKED_ON)
    return [column[::step][:RANKED_ON] for column in samples]


def written(folder: Path, name: str, data: bytes) -> Path:
    """Write a file into a folder, and return its path."""
    path = folder / name
    path.write_bytes(data)
    return path
