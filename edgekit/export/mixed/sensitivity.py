"""The layer table of an int8 file: from one pass of both files over samples, and from files with a few layers in float.

The pass keeps running sums only: memory does not grow with the samples. The gains are measured on the files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.bundle.sensitivity import Layer
from edgekit.errors import ConversionError
from edgekit.export.mixed.flow import Flow
from edgekit.export.mixed.origin import Origin, Weights, origin
from edgekit.export.mixed.quantized import Operator, Quantized
from edgekit.export.mixed.regions import CLEAR_DB, Region, candidates, larger, ranked, reordered, smaller
from edgekit.export.mixed.tally import Tally
from edgekit.export.tflite.nearness import nearness_db
from edgekit.progress import SILENT, Progress
from edgekit.tasks.samples import Array

MEASURED = 12
"""Regions that are reverted on the file and run."""
GAIN_VALUES = 1 << 27
"""Activations of all samples that a region is reverted for, about: of a large net every second sample or fewer do."""
_CUT = 3
"""Regions that clearly gain, of which parts are tried as well."""
_LARGEST_DB = 200.0
Arrays = Sequence[Array]


@dataclass(frozen=True)
class Traced:
    """What one pass over samples shows of a pair of files.

    Attributes:
        flow: of the operators.
        tallies: by activation.
        weights: by the index of an operator, in float and as int8 holds them.
        origin: where the noise at the outputs comes from.
    """

    flow: Flow
    tallies: Mapping[int, Tally]
    weights: Weights
    origin: Origin

    @property
    def inputs_share(self) -> float:
        """Of the noise at the outputs, what rounding the inputs of the file makes."""
        made = self.origin.rounding.items()
        return min(1.0, sum(share for number, share in made if number not in self.flow.maker))

    @property
    def outputs_share(self) -> float:
        """Of the noise at the outputs, what rounding the outputs themselves makes."""
        return min(1.0, sum(self.origin.rounding.get(number, 0.0) for number in self.flow.ends()))


@dataclass(frozen=True)
class Gain:
    """What reverting a region does to the file.

    Attributes:
        region: the region.
        db: of output SQNR, of the output that comes off worst.
        more_bytes: that the file grows by, with float32 weights.
        outputs: of the file, in real units, float64 (n, values) each.
    """

    region: Region
    db: float
    more_bytes: int
    outputs: Arrays


@dataclass(frozen=True)
class Measured:
    """The layer table, with what it was made of.

    Attributes:
        layers: every operator that can be reverted, in the order in which they run.
        order: regions in the order in which they are best reverted.
        sqnr_db: of the outputs of the int8 file, the worst of several; at most 200.
        inputs_share, outputs_share: of the noise at the outputs, what rounding the inputs of the file makes, and what
            rounding its outputs.
        gains: of the regions that were measured, the largest first.
        true, found: outputs of the float and of the int8 file, float64 (n, values) each.
        step: they and the gains are of every so manieth sample.
    """

    layers: tuple[Layer, ...]
    order: tuple[Region, ...]
    sqnr_db: float
    inputs_share: float
    outputs_share: float
    gains: tuple[Gain, ...]
    true: Arrays
    found: Arrays
    step: int = 1


def measured(
    quantized: Quantized,
    samples: Arrays,
    axis: int = -1,
    most: int = MEASURED,
    progress: Progress = SILENT,
    shipped: int | None = None,
) -> Measured:
    """Return the layer table of an int8 file.

    Args:
        quantized: the pair of files.
        samples: one array an input, (n, ...), in the order of the file, in real units.
        axis: of the channels of an activation: the last one in `.tflite`, 1 in `.onnx`.
        most: regions whose gain is measured on the file.
        progress: notified of every region.
        shipped: bytes of the int8 file as it ships, which those with operators in float are compared with; by default
            as it is.

    Raises:
        RuntimeError, ValueError: a runtime refuses a file or the samples.
    """
    with progress.task("running both files", 1) as task:
        traced = trace(quantized, samples, axis)
        task.advance()
    step = max(1, -(-sum(tally.values for tally in traced.tallies.values()) // GAIN_VALUES))
    some = [column[::step] for column in samples]
    reverting = _Reverting(quantized, some, shipped or len(quantized.int8_file))
    order = ranked(traced.flow, traced.origin)
    chosen = candidates(traced.flow, traced.origin, order, most)
    gains: list[Gain] = []
    with progress.task("reverting layers", len(chosen)) as task:
        for region in chosen:
            gains += reverting.gain(region)
            task.advance()
    for region in _seeds(order, gains) if len(chosen) > 1 else ():
        for more in larger(traced.flow, traced.origin, region, [gain.region for gain in gains]):
            gains += reverting.gain(more)
    clear = [gain.region for gain in sorted(gains, key=lambda gain: -gain.db) if gain.db >= CLEAR_DB]
    for region in clear[:_CUT]:
        for less in smaller(traced.flow, traced.origin, region, [gain.region for gain in gains]):
            gains += reverting.gain(less)
    order = reordered(order, {gain.region: gain.db for gain in gains})
    gains.sort(key=lambda gain: -gain.db)
    return Measured(
        _layers(traced, order, gains), tuple(order), reverting.base_db, traced.inputs_share, traced.outputs_share,
        tuple(gains), reverting.true, reverting.found, step,
    )  # fmt: skip


def _seeds(order: Sequence[Region], gains: Sequence[Gain]) -> list[Region]:
    """Return the regions that are tried with more around them: the best one on the file, and what was expected best."""
    best = max(gains, key=lambda gain: gain.db / len(gain.region.operators), default=None)
    clear = [best.region] if best is not None and best.db >= CLEAR_DB else []
    return list(dict.fromkeys([*clear, *order[:1]]))


class _Reverting:
    """Reverts regions on the file, and compares.

    Attributes:
        true, found: outputs of the float and of the int8 file.
        base_db: SQNR of the latter.
    """

    def __init__(self, quantized: Quantized, samples: Arrays, shipped: int) -> None:
        self._quantized, self._samples, self._bytes = quantized, samples, shipped
        files = (quantized.float_file, quantized.int8_file)
        self.true, self.found = (quantized.outputs(file, samples) for file in files)
        self.base_db = outputs_db(self.true, self.found)

    def gain(self, region: Region) -> list[Gain]:
        """Return what reverting a region gains; nothing where the file cannot be expressed or run like that."""
        try:
            file = self._quantized.reverted(region.operators, float_weights=True)
            outputs = self._quantized.outputs(file, self._samples)
        except (ConversionError, RuntimeError, ValueError):
            return []
        return [Gain(region, outputs_db(self.true, outputs) - self.base_db, len(file) - self._bytes, outputs)]


def trace(quantized: Quantized, samples: Arrays, axis: int = -1) -> Traced:
    """Run both files over samples, one after the other; arguments as of `measured`."""
    flow = Flow(quantized)
    tallies: dict[int, Tally] = {}
    both = zip(quantized.traced("float", samples), quantized.traced("int8", samples), strict=True)
    for true, found in both:
        for number in flow.activations:
            if number in true and number in found:
                if number not in tallies:
                    tallies[number] = Tally(flow.step(number), axis, quantized.told_apart(number))
                tallies[number].update(true[number], found[number].reshape(true[number].shape))
    held = ((operator.index, quantized.weights(operator)) for operator in flow.operators)
    weights = {index: pair for index, pair in held if pair is not None}
    return Traced(flow, tallies, weights, origin(flow, tallies, weights))


def outputs_db(true: Arrays, found: Arrays) -> float:
    """Return the SQNR of the output that comes off worst, in dB, from -200 to 200.

    Args:
        true: outputs of the float file, float64 (n, values) each.
        found: of the other.
    """
    return min(max(nearness_db(list(true), list(found)), -_LARGEST_DB), _LARGEST_DB)


def _layers(traced: Traced, order: Sequence[Region], gains: Sequence[Gain]) -> tuple[Layer, ...]:
    ranks: dict[int, int] = {}
    for region in order:
        ranks.setdefault(region.lead, len(ranks) + 1)
    places = {region: place for place, region in enumerate(order)}
    best: dict[int, Gain] = {}
    for gain in sorted(gains, key=lambda gain: places[gain.region]):
        best.setdefault(gain.region.lead, gain)
    return tuple(_layer(o, traced, ranks.get(o.index), best.get(o.index)) for o in traced.flow.operators)


def _layer(operator: Operator, traced: Traced, rank: int | None, gain: Gain | None) -> Layer:
    outputs = [traced.tallies[number] for number in operator.outputs if number in traced.tallies]
    exact = operator.index in traced.flow.exact
    signal = sum(tally.signal for tally in outputs)
    rounding = 0.0 if exact else sum(tally.rounding for tally in outputs)
    whole, worst = _weights_db(*traced.weights[operator.index]) if operator.index in traced.weights else (None, None)
    used, far, narrow = (
        [value for tally in outputs if (value := getattr(tally, name)) is not None]
        for name in ("range_used", "outliers", "narrow_channels")
    )
    others = () if gain is None else gain.region.operators - {operator.index} - traced.flow.exact
    return Layer(
        name=operator.name,
        kind=operator.kind,
        rank=rank,
        exact=exact,
        noise_share=min(1.0, traced.origin.of(operator)),
        output_sqnr_db=_db(signal, rounding),
        weights_sqnr_db=whole,
        worst_channel_sqnr_db=worst,
        acting_weights_sqnr_db=_db(signal, traced.origin.acting.get(operator.index, 0.0)),
        accumulated_sqnr_db=_db(signal, sum(tally.noise for tally in outputs)),
        range_used=min(used, default=None),
        outliers=max(far, default=None),
        narrow_channels=max(narrow, default=None),
        gain_db=None if gain is None else gain.db,
        with_it=tuple(o.name for o in traced.flow.operators if o.index in others),
        reverting_bytes=3 * operator.weight_bytes if gain is None else gain.more_bytes,
    )


def _weights_db(true: Array, stored: Array) -> tuple[float | None, float | None]:
    """Return the SQNR of weights in int8: of all, and of the worst channel."""
    errors = (stored - true).astype(np.float64)
    signals, noises = (true.astype(np.float64) ** 2).sum(axis=1), (errors**2).sum(axis=1)
    each = [db for s, n in zip(signals, noises, strict=True) if s and (db := _db(float(s), float(n))) is not None]
    return _db(float(signals.sum()), float(noises.sum())), min(each, default=None)


def _db(signal: float, noise: float) -> float | None:
    """Return a ratio in dB, from -200 to 200; None where there is no noise."""
    if not noise:
        return None
    return max(-_LARGEST_DB, min(_LARGEST_DB, 10 * math.log10(signal / noise))) if signal else -_LARGEST_DB
