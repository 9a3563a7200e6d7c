"""A float file and the int8 file made of it, of either format: what can be asked of the pair."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from edgekit.export.calibration import Ends
from edgekit.tasks.samples import Array

Which = Literal["float", "int8"]
"""Of a pair of files."""


@dataclass(frozen=True)
class Operator:
    """An operator of the int8 file that could compute in float.

    Attributes:
        index: its place in the int8 file.
        name: of its first output, as the file calls it.
        kind: such as `CONV_2D` or `Conv`.
        inputs: numbers of the activations that it reads; weights and other constants are not among them. Of one that
            only gets another scale on its way, the number before that.
        outputs: numbers of the activations that it computes.
        weight_bytes: of its int8 weights.
    """

    index: int
    name: str
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    weight_bytes: int


class Quantized(Protocol):
    """A float file and the int8 file that was made of it.

    Activations have the numbers that they have in the int8 file. An operator that is reverted computes in float32;
    between two of them a tensor is neither rounded nor clipped.
    """

    @property
    def operators(self) -> tuple[Operator, ...]:
        """Those that can be reverted, in the order in which they run."""

    @property
    def float_file(self) -> bytes:
        """The float file."""

    @property
    def int8_file(self) -> bytes:
        """The int8 file; its inputs and outputs are int8, too."""

    def reverted(self, chosen: Collection[int], *, float_weights: bool) -> bytes:
        """Return the int8 file with some operators in float.

        Args:
            chosen: indices of `operators`.
            float_weights: whether their weights are those of the float file, at four times the bytes; else they stay
                int8 in the file, and only activations are float.

        Raises:
            ConversionError: the file cannot be expressed.
        """

    def traced(self, which: Which, samples: Sequence[Array]) -> Iterator[Mapping[int, Array]]:
        """Yield for one sample after the other every activation by its number, float32, in real units.

        Args:
            which: of the two files runs. An activation that the float file does not have is left out.
            samples: one array an input, (n, ...), in the order of the file, in real units.

        Raises:
            RuntimeError, ValueError: the runtime refuses the file or the samples.
        """

    def outputs(self, file: bytes, samples: Sequence[Array]) -> list[Array]:
        """Return the outputs of a file made of these, float64 (n, values) each, in real units; arguments as above."""

    def weights(self, operator: Operator) -> tuple[Array, Array] | None:
        """Return an operator's weights in the float and in the int8 file, the latter in real units.

        Both are (channels, values of a channel); None where it has none, or the float file's cannot be told.
        """

    def step(self, activation: int) -> tuple[float, int] | None:
        """Return scale and zero point of an activation in the int8 file; None where it is not quantized."""

    def told_apart(self, activation: int) -> Ends:
        """Return the ends of what the readers of an activation tell apart: outside of them saturation is no loss."""
