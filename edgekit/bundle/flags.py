"""Which samples a file gets right, as a record keeps it: a bit a sample, in base64.

Two records of the same samples can be paired by it, long after they were measured: of 10,000 samples it is 1.7 kB.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from edgekit.schema.rules import Matching, Wrong

MOST = 10_000_000
"""Samples; of more, nothing is kept."""
Packed = Annotated[str, Matching(lambda text: len(text) <= 4 * (MOST // 24 + 1), f"base64 of at most {MOST:,} bits")]
PATH = ("right",)


@dataclass(frozen=True)
class Flags:
    """A bit a sample.

    Attributes:
        packed: as `numpy.packbits` orders them, the first sample's the highest; the bits after the last one are 0.
        count: samples.
    """

    packed: bytes
    count: int

    @classmethod
    def of(cls, flags: npt.NDArray[np.bool_]) -> Flags | None:
        """Return flags, bool (samples,); None of more than `MOST`."""
        return cls(np.packbits(flags).tobytes(), len(flags)) if len(flags) <= MOST else None

    @classmethod
    def read(cls, text: str, count: int, correct: int | None) -> Flags:
        """Read the JSON form.

        Args:
            text: base64.
            count: samples that it is of.
            correct: how many of them are right; None: the score beside it is no share of samples.

        Raises:
            Wrong: it is no base64, not of so many samples, or other samples are right than the score counts.
        """
        try:
            packed = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise Wrong("is no base64", path=PATH) from None
        if len(packed) != (count + 7) // 8 or np.unpackbits(np.frombuffer(packed, np.uint8))[count:].any():
            raise Wrong(f"is not of {count:,} samples", path=PATH)
        flags = cls(packed, count)
        if correct is None or (found := int(flags.array().sum())) != correct:
            found_text = (
                "has no count beside it" if correct is None else f"has {found:,} right samples, not {correct:,}"
            )
            raise Wrong(found_text, path=PATH)
        return flags

    def array(self) -> npt.NDArray[np.bool_]:
        """Return them as bool (samples,)."""
        return np.unpackbits(np.frombuffer(self.packed, np.uint8), count=self.count).astype(np.bool_)

    def to_dict(self) -> str:
        """Return the JSON form."""
        return base64.b64encode(self.packed).decode("ascii")
