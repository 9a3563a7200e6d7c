"""The int8 files that can be made of one model, for `--max-drop` to choose among, whatever the source's format."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from edgekit.errors import ConversionError
from edgekit.export.mixed.quantized import Quantized
from edgekit.export.mixed.regions import Region
from edgekit.export.mixed.sensitivity import Measured
from edgekit.export.refining.attempts import Attempt, attempts
from edgekit.export.refining.calibratable import Calibratable
from edgekit.progress import Progress
from edgekit.tasks.samples import Array

Arrays = Sequence[Array]
RANKED_ON = 32
"""Calibration samples on which operators are ranked."""


class Ways(Protocol):
    """The int8 files that can be made of one model."""

    @property
    def suffix(self) -> str:
        """Of the files, such as `.tflite`."""

    def plain(self) -> bytes:
        """Return the file as it is made by default.

        Raises:
            ConversionError: there is none.
        """

    def refined(self) -> Iterator[Attempt]:
        """Yield files of better calibration, the cheapest first; nothing where ranges were trained."""

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

    def measured(self, quantized: Quantized, samples: Arrays, progress: Progress) -> Measured:
        """Return the layer table of a pair of files.

        Args:
            quantized: the pair.
            samples: one array of preprocessed samples an input, in the order of the model.
            progress: notified of every layer that is reverted.

        Raises:
            ConversionError: it cannot be measured.
        """

    def finished(self, int8: bytes) -> bytes:
        """Return a file as it ships."""


def refined(source: Calibratable, samples: Arrays) -> Iterator[Attempt]:
    """Yield files of better calibration, each nearer to the float file than those before, on samples held apart."""
    nearest = -math.inf
    for attempt in attempts(source, samples):
        if attempt.sqnr_db > nearest:
            nearest = attempt.sqnr_db
            yield attempt


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
