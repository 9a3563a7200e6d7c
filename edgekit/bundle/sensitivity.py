"""The layer table of an int8 file: what quantization does in every operator, and which one to revert first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from edgekit.schema.gate import read
from edgekit.schema.rules import Count, Natural, Range
from edgekit.schema.tables import fields_written
from edgekit.schema.types import JsonMapping, JsonObject
from edgekit.tasks.metrics import Score, ScoreForm

Share = Annotated[float, Range(0, 1)]

STANDS_OUT_DB = 3.0
"""Of output SQNR: who gains it by reverting one layer gets rid of half of the noise."""

FINE_DB = 30.0
"""An int8 file whose outputs are this near to the float file's is broken by nothing."""


@dataclass(frozen=True)
class Layer:
    """An operator of the int8 file that could compute in float.

    A ratio of signal to noise is None where there is no noise.

    Attributes:
        name: of its first output, as the file calls it.
        kind: such as `CONV_2D`.
        rank: its place in the order in which layers are best reverted, from 1; None: nothing to gain.
        exact: whether it rounds nothing: it moves values, on one scale.
        noise_share: of the noise at the outputs, what rounding its weights and its outputs makes, about.
        output_sqnr_db: of its outputs, rounded and clipped to int8 alone.
        weights_sqnr_db: of its weights, in int8; None without weights.
        worst_channel_sqnr_db: the same of the channel that comes off worst.
        acting_weights_sqnr_db: of its outputs against the noise that rounding its weights makes there, about: weights
            that are small where its inputs are large count as they act.
        accumulated_sqnr_db: of its outputs in the int8 file against the float file's.
        range_used: share of the 256 steps that the middle 99.8 % of the values span.
        outliers: largest magnitude over the 99.9th percentile of magnitudes.
        narrow_channels: share of the channels that vary, but by less than 2 steps.
        gain_db: of output SQNR, measured on the file with it and `with_it` in float; None where that was not measured.
        with_it: names of the operators that were reverted with it, which read its output; empty: alone. What only moves
            values is not named.
        reverting_bytes: that the file grows by, with float32 weights.
    """

    name: str
    kind: str
    rank: Natural | None
    exact: bool
    noise_share: Share
    output_sqnr_db: float | None
    weights_sqnr_db: float | None
    worst_channel_sqnr_db: float | None
    acting_weights_sqnr_db: float | None
    accumulated_sqnr_db: float | None
    range_used: Share | None
    outliers: float | None
    narrow_channels: Share | None
    gain_db: float | None
    with_it: tuple[str, ...]
    reverting_bytes: int

    def to_dict(self) -> JsonObject:
        """Return the JSON form."""
        return fields_written(self)

    @classmethod
    def from_dict(cls, value: JsonMapping, source: str = "layer") -> Layer:
        """Read the JSON form; `source` names it in messages.

        Raises:
            InputError: it is of another form.
        """
        return read(cls, value, source, "layer")


@dataclass(frozen=True)
class Sensitivity:
    """The layers of an int8 file, and how far the file is off.

    Attributes:
        model: name of the source.
        format: of the files, `tflite` or `onnx`.
        samples: validation samples that were run.
        sqnr_db: of the outputs of the int8 file against the float file's, the worst of several outputs; None where
            they are equal.
        inputs_share: of the noise at the outputs, what rounding the inputs makes, about.
        outputs_share: the same of rounding the outputs; no layer in float is rid of either.
        scores: of the main output, by file: `float`, `int8`, and `reverted`, the first layer in float; empty without
            labels.
        layers: every operator that could be reverted, in the order in which they run.
    """

    model: str
    format: str
    samples: Count
    sqnr_db: float | None
    inputs_share: Share
    outputs_share: Share
    scores: dict[str, ScoreForm]
    layers: tuple[Layer, ...]

    @property
    def ranked(self) -> tuple[Layer, ...]:
        """The layers, the one that is best reverted first; those with nothing to gain come last, as they run."""
        return tuple(sorted(self.layers, key=lambda layer: (layer.rank is None, layer.rank or 0)))

    @property
    def culprit(self) -> Layer | None:
        """The layer that breaks the file: reverting it removes half of the noise or more; None: none does."""
        first = next(iter(self.ranked), None)
        if first is None or self.sqnr_db is None or self.sqnr_db >= FINE_DB:
            return None
        return first if (first.gain_db or 0.0) >= STANDS_OUT_DB else None

    def score(self, file: str) -> Score | None:
        """Return the score of `float`, `int8` or `reverted`; None without labels."""
        return Score.from_dict(self.scores[file]) if file in self.scores else None

    def to_dict(self) -> JsonObject:
        """Return the JSON form."""
        return fields_written(self)

    @classmethod
    def from_dict(cls, value: JsonMapping, source: str = "sensitivity") -> Sensitivity:
        """Read the JSON form; `source` names it in messages.

        Raises:
            InputError: it is of another form.
        """
        return read(cls, value, source, "layer table")
