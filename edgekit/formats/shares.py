"""How much of a file's weights is stored in few bits: whether a file that is called int8 is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from edgekit.errors.printable import visible
from edgekit.formats.info import FileInfo, WeightInfo
from edgekit.formats.values import BITS

_NAMED = 3
"""So many weights are named where a sentence lists them."""


@dataclass(frozen=True)
class Share:
    """How many bytes of weights are stored in so many bits or fewer.

    Attributes:
        bits: a value.
        narrow: bytes of the weights with values of that many bits or fewer.
        total: bytes of all weights.
        wide: the weights with wider values, the largest first.
    """

    bits: int
    narrow: int
    total: int
    wide: tuple[WeightInfo, ...]

    @property
    def value(self) -> float | None:
        """The share, 0 to 1; None for a file without weights."""
        return self.narrow / self.total if self.total else None

    def wide_names(self) -> str:
        """Return the names and types of the largest wide weights, in a phrase."""
        named = ", ".join(f"`{visible(w.name[:100])}` ({w.dtype}, {w.bytes:,} bytes)" for w in self.wide[:_NAMED])
        return named + f" and {len(self.wide) - _NAMED} more" * (len(self.wide) > _NAMED)


def weight_share(info: FileInfo, bits: int = 8, also: Collection[str] = ()) -> Share:
    """Return how much of a file's weights is stored in `bits` or fewer, or in one of the types in `also`.

    Weights are the constants that a file's description lists, without biases (which are int32 or int64 in quantized
    files) and without single values (an epsilon, a limit). Bytes are counted, since they are what a file is made small
    for.
    """
    weights = [w for w in info.weights if not w.bias and w.elements > 1]
    wide = [w for w in weights if BITS.get(w.dtype, 1 << 10) > bits and w.dtype not in also]
    total = sum(w.bytes for w in weights)
    return Share(bits, total - sum(w.bytes for w in wide), total, tuple(sorted(wide, key=lambda w: -w.bytes)))
