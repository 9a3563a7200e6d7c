"""The ways in which models usually were fed, for the samples at hand: what a trial compares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edgekit.data.lint.model_facts import ModelInput
from edgekit.tasks.preprocessing import LARGEST, SMALLEST, Preprocessing
from edgekit.tasks.samples import Array, Dtype, NamedArrays, Stored, arrays_of, evenly

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CAFFE_MEAN = (123.68, 116.779, 103.939)
"""Of ImageNet's bytes, red first (Simonyan and Zisserman 2014); such models take blue first."""
LOOKED_AT = 1000
MOST_VALUES = 4 << 20
"""Training samples of images and signals that mean and standard deviation come from; of tables ten times as many."""
DIGITS = 4
"""Significant ones of a mean or standard deviation that is measured: what a person would type."""
SAME = 1e-3
"""Of the range of values fed: two candidates that differ by less are one."""
MOST = 36
"""Combinations that are tried for a model with several inputs."""
_ALIKE = 1.5
"""Factor within which moments of values fed are those that a layer was fitted to."""


@dataclass(frozen=True)
class Moments:
    """One input's stored samples, from the training part.

    Attributes:
        shape: of a sample.
        dtype: as stored.
        low, high: smallest and largest value.
        whole: whether all values are whole numbers.
        mean, std, lows, highs: per entry of the last axis.
        spread: one standard deviation over all values.
    """

    shape: tuple[int, ...]
    dtype: Dtype
    low: float
    high: float
    whole: bool
    mean: Array
    std: Array
    lows: Array
    highs: Array
    spread: float

    @property
    def image(self) -> bool:
        """Whether samples look like images: two axes and perhaps channels, or bytes in a row."""
        return len(self.shape) in (2, 3) or (self.dtype == np.uint8 and len(self.shape) == 1)

    @property
    def colour(self) -> bool:
        """Whether the last axis is red, green and blue."""
        return len(self.shape) == 3 and self.shape[-1] == 3


def moments(array: Stored) -> Moments:
    """Look at evenly spaced samples."""
    count = LOOKED_AT * (10 if array.ndim == 2 else 1)
    rows = evenly(len(array), count)
    rows = rows[:: max(1, int(np.prod(array.shape[1:])) * len(rows) // MOST_VALUES)]
    chosen = np.asarray(array[rows])
    columns = chosen.reshape(-1, chosen.shape[-1] if chosen.ndim > 1 else 1)
    mean = columns.mean(axis=0, dtype=np.float64)
    centred = columns - mean.astype(np.float32)
    std = np.sqrt(np.mean(centred**2, axis=0, dtype=np.float64))
    std[std <= 1e-7 * np.abs(mean)] = 0
    spread = float(np.sqrt(np.mean(std**2 + (mean - mean.mean()) ** 2)))
    whole = chosen.dtype.kind in "iub" or bool((chosen == np.round(chosen)).all())
    lows, highs = columns.min(axis=0).astype(np.float64), columns.max(axis=0).astype(np.float64)
    shape = tuple(chosen.shape[1:])
    return Moments(shape, chosen.dtype, float(lows.min()), float(highs.max()), whole, mean, std, lows, highs, spread)


def candidates(default: Preprocessing, samples: Stored, facts: Sequence[ModelInput | None]) -> list[Preprocessing]:
    """Return how the samples may be fed, the default first, then the likelier ones first.

    Args:
        default: its layout and order of channels are kept by all.
        samples: training samples as stored, one array or `NamedArrays`.
        facts: what is known of each input of the model.
    """
    arrays = arrays_of(samples)
    if not isinstance(samples, NamedArrays):
        return _distinct([default, *_scalings(default, moments(arrays[0]), facts[0])], arrays[0])
    each = []
    for name, array, known in zip(samples.names, arrays, facts, strict=True):
        own = default.of(name)
        each.append(_distinct([own, *_scalings(own, moments(array), known)], array))
    return [_of_inputs(default, samples.names, ways) for ways in _combined(each)]


def flipped(how: Preprocessing, samples: Stored) -> Preprocessing | None:
    """Return the same with the channels of every colour image in the other order; None where there are no such."""
    coloured = [array.ndim == 4 and array.shape[-1] == 3 for array in arrays_of(samples)]
    if not any(coloured):
        return None
    if not isinstance(samples, NamedArrays):
        return _turned(how)
    ways = [_turned(own) if colour else own for (_, own), colour in zip(how.inputs, coloured, strict=True)]
    return _of_inputs(how, samples.names, ways)


def _turned(how: Preprocessing) -> Preprocessing:
    return replace(how, channels="RGB" if how.channels == "BGR" else "BGR")


def _of_inputs(default: Preprocessing, names: Sequence[str], ways: Sequence[Preprocessing]) -> Preprocessing:
    return replace(default, inputs=tuple(zip(names, ways, strict=True)))


def _combined(each: Sequence[Sequence[Preprocessing]]) -> Iterator[list[Preprocessing]]:
    """Yield combinations, those of likelier members first, `MOST` at most, each input's own candidates among them."""
    sums = sorted(np.ndindex(*(len(ways) for ways in each)), key=lambda places: (sum(places), max(places)))
    alone = [
        tuple(i if j == k else 0 for j in range(len(each))) for k, ways in enumerate(each) for i in range(len(ways))
    ]
    for places in list(dict.fromkeys([sums[0], *alone, *sums]))[: max(MOST, len(alone))]:
        yield [ways[i] for ways, i in zip(each, places, strict=True)]


def _scalings(default: Preprocessing, data: Moments, facts: ModelInput | None) -> Iterator[Preprocessing]:
    if facts is not None and facts.takes_integers:
        yield replace(default, scale=1.0, mean=(0.0,), std=(1.0,))
        return

    def way(scale: float, mean: npt.ArrayLike = 0.0, std: npt.ArrayLike = 1.0) -> Iterator[Preprocessing]:
        means, stds = (tuple(np.atleast_1d(np.asarray(v, np.float64)).tolist()) for v in (mean, std))
        numbers = [abs(v) for v in (scale, *stds)]
        if min(numbers) >= SMALLEST and max(numbers) <= LARGEST and all(abs(v) <= LARGEST for v in means):
            yield replace(default, scale=scale, mean=means, std=stds)

    yield from way(1.0)
    units = _units(data)
    for unit in units:
        yield from way(unit)
        yield from way(2 * unit, 1.0)
    if data.low >= -1.0001 and data.high <= 1.0001 and not data.whole:  # brought to about one when they were stored
        yield from way(255.0) if data.low >= 0 else way(1.0, -1.0, 2.0)
        yield from way(2.0, 1.0) if data.low >= 0 else way(127.5, -127.5)
    unit = units[0] if units else 1.0
    own_mean, own_std = _rounded(data.mean * unit), _rounded(data.std * unit, one=True)
    yield from way(unit, own_mean, own_std)
    if len(data.mean) > 1 and data.spread > 0:
        centre = _rounded(np.average(data.mean) * unit)
        yield from way(unit, centre, _rounded(np.asarray(data.spread) * unit, one=True))
    if not data.image:
        span = _rounded(data.highs - data.lows, one=True)
        yield from way(1.0, _rounded(data.lows), span)
        yield from way(1.0, _rounded(data.lows + span / 2), _rounded(span / 2, one=True))
    else:
        yield from way(unit, own_mean)
        yield from way(unit, 0.5)
        yield from way(1.0, _rounded(data.mean))
        if data.high > 2 and data.low >= 0:
            yield from way(1.0, 128.0)
    if data.colour and (units or data.low >= 0):
        yield from way(unit, IMAGENET_MEAN, IMAGENET_STD)
        bytes_ = replace(default, scale=unit * 255, mean=CAFFE_MEAN, std=(1.0,))
        yield replace(bytes_, channels="BGR")
        yield bytes_
    yield from _fitting(default, data, facts, unit)


def _units(data: Moments) -> list[float]:
    """Return factors that bring values to at most one; none where they are there already, or where no end is known."""
    if data.high <= 1.0001 or data.high > 1e6:
        return []
    known = {"uint8": 255.0, "int16": 32768.0, "uint16": 65535.0}.get(str(data.dtype))
    ends = [known] if known else [255.0] if data.low >= 0 and 64 < data.high <= 255 else []
    if data.whole and data.image and data.high < 0.75 * (ends[0] if ends else np.inf):
        ends.append(data.high)
    return [1 / end for end in ends]


def _fitting(default: Preprocessing, data: Moments, facts: ModelInput | None, unit: float) -> Iterator[Preprocessing]:
    """Yield what gives the moments that the model's first normalising layer has, if it has some."""
    if facts is None or len(facts.mean) != len(data.mean):
        return
    mean, std = np.asarray(facts.mean), np.asarray(facts.std)
    varied = (std > 0) & (data.std > 0)
    if not varied.any():
        return
    scale = float(np.median(std[varied] / data.std[varied]))
    offset = float(np.median(mean[varied] - scale * data.mean[varied]))
    for known in (1.0, unit, 2 * unit):
        if 1 / _ALIKE < scale / known < _ALIKE:
            scale = known
    scale = float(_rounded(np.asarray(scale)))
    if SMALLEST <= abs(scale) <= LARGEST and abs(offset) <= LARGEST:
        close = abs(offset) < 0.25 * float(np.median(std[varied]))
        yield replace(default, scale=scale, mean=(0.0 if close else float(_rounded(np.asarray(-offset))),), std=(1.0,))


def _rounded(values: npt.ArrayLike, *, one: bool = False) -> Array:
    """Return values with few digits; with `one`, zeros become one, so that they can be divided by."""
    array = np.asarray(values, np.float64)
    if one:
        array = np.where(array > 0, array, 1.0)
    return np.asarray([float(f"{value:.{DIGITS}g}") for value in np.ravel(array)]).reshape(array.shape)


def _distinct(ways: Sequence[Preprocessing], array: Stored) -> list[Preprocessing]:
    """Leave out what feeds the same as an earlier one."""
    few = np.asarray(array[: min(8, len(array))])
    kept: list[tuple[Preprocessing, Array]] = []
    for way in ways:
        fed = way.apply(few)
        span = float(fed.max() - fed.min()) or 1.0
        if not any(other.shape == fed.shape and np.abs(other - fed).max() < SAME * span for _, other in kept):
            kept.append((way, fed))
    return [way for way, _ in kept]
