"""Attempts at an int8 file that computes nearly what its float file computes, cheapest first.

Ranges by every way, for the whole file; then means that are put right in the biases; then the ranges of single
tensors. No way to choose ranges is best for all models: what saturates may be noise, or what the model is about. So
every file is judged by what it computes, on samples that set no range.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from edgekit.errors.printable import visible
from edgekit.export.calibration import MINMAX, Ends, Ranging
from edgekit.export.refining.calibratable import Calibratable, Choice, Measured
from edgekit.export.tflite.nearness import nearness_db, parted, some
from edgekit.tasks.samples import Array

WAYS = (MINMAX, Ranging("percentile", 99.9), Ranging("percentile", 99.99), Ranging("mse"))
"""Tried for the whole file, in this order."""
FIRST = 400
"""Samples that ranges are measured on before all of them are."""
SPOILED = 0.5
"""Of its range, that an input's values use but for a few: then even inputs may saturate."""
TRIED = 12
"""Files that are made to choose the ranges of single tensors."""
LEAST_GAIN_DB = 0.1
"""For which a change is kept."""
_ALIKE = 0.02
"""Ranges that differ by less than this share are tried once."""
_NAMED = 4
"""Tensors that are named in a sentence."""


@dataclass(frozen=True)
class Attempt:
    """An int8 file.

    Attributes:
        name: what was done, such as `mse` or `minmax, biases corrected`.
        file: as the quantizer writes it; a `.tflite` file is still to be packed.
        sqnr_db: of its outputs against the float file's, the output that comes off worst, on samples held apart.
        seconds: that it took, measuring it included; the first took the run over the samples, too.
        detail: which tensors, and why; may be empty.
    """

    name: str
    file: bytes
    sqnr_db: float
    seconds: float = 0.0
    detail: str = ""


def attempts(
    source: Calibratable, samples: Sequence[Array], *, known: bytes | None = None, first: int = FIRST
) -> Iterator[Attempt]:
    """Yield int8 files of a float file, cheapest first; every next one is made when it is asked for.

    Whole files by one way each come whatever their SQNR; what builds on the best of them, only if it is nearer. With a
    known file all come only if they are nearer than that, and than those before: for who judges files by what is dear.

    Args:
        source: the float file, not trained with fake quantization: its ranges would be overruled.
        samples: all there are for calibration, one array an input, (n, ...), in the order of the file, in real units.
            Some are held apart to judge files by, where there are enough.
        known: an int8 file of the same float file that does not do.
        first: so many of the other samples are used at first.

    Raises:
        ConversionError: the file does not run, or cannot be expressed in int8.
    """
    tried = _Attempts(source, samples, first)
    started, making = time.perf_counter(), tried.all()
    nearest = None if known is None else tried.judged(known)
    for attempt in making:
        if nearest is not None:
            if not _nearer(attempt.sqnr_db, nearest):
                continue
            nearest = attempt.sqnr_db
        yield replace(attempt, seconds=time.perf_counter() - started)
        started = time.perf_counter()


def best(tried: Iterable[Attempt]) -> Attempt:
    """Return the nearest of some attempts, of several the first.

    Args:
        tried: at least one.
    """
    return max(tried, key=lambda attempt: attempt.sqnr_db)


@dataclass(frozen=True)
class _Base:
    """An attempt, and what it was made with.

    Attributes:
        plain: the file as the quantizer wrote it.
        measured: the ranges to choose from.
        choice: of them.
        samples: all that set ranges and means.
    """

    attempt: Attempt
    plain: bytes
    measured: Measured
    choice: Choice
    samples: Sequence[Array]

    @property
    def mended(self) -> bool:
        """Whether its biases are corrected."""
        return self.attempt.file != self.plain


class _Attempts:
    """What the attempts know of each other."""

    def __init__(self, source: Calibratable, samples: Sequence[Array], first: int) -> None:
        self._source, self._first = source, first
        self._samples, self._held = parted(samples)
        self._seen: set[bytes] = set()

    def all(self) -> Iterator[Attempt]:
        """Yield them, cheapest first."""
        bases = []
        for base in self._whole_files():
            bases.append(base)
            yield base.attempt
        # What saturates moves means, which can be put right: the best way before need not be the best way then.
        bases.sort(key=lambda base: -base.attempt.sqnr_db)
        nearest = bases[0]
        for base in bases:
            mended = self._mended(base)
            if _nearer(mended.attempt.sqnr_db, nearest.attempt.sqnr_db):
                nearest = mended
                yield mended.attempt
        more = self._with_all_samples(nearest)
        if more is not None:
            yield more.attempt
            nearest = more if _nearer(more.attempt.sqnr_db, nearest.attempt.sqnr_db) else nearest
        mixed = self._mixed(nearest)
        if _nearer(mixed.sqnr_db, nearest.attempt.sqnr_db):
            yield mixed

    def _whole_files(self) -> Iterator[_Base]:
        """Yield a file for every way, those that are the same once; and again, where inputs have few outliers."""
        measured = self._source.measured(some(self._samples, self._first), WAYS)
        yield from self._by_every_way(measured, self._samples)
        outliers = _outliers(measured)
        if outliers:
            # What the layers behind get is what the int8 inputs leave of the values.
            clipped = [np.clip(column, *outliers.get(i, (None, None))) for i, column in enumerate(self._samples)]
            measured = self._source.measured(some(clipped, self._first), WAYS)
            detail = ", ".join(
                f"`{visible(measured.names[measured.inputs[i]])}` saturates outside of [{low:.4g}, {high:.4g}]"
                for i, (low, high) in outliers.items()
            )
            yield from self._by_every_way(measured, clipped, ", inputs saturated", detail)

    def _by_every_way(
        self, measured: Measured, samples: Sequence[Array], name: str = "", detail: str = ""
    ) -> Iterator[_Base]:
        for way, ranging in enumerate(measured.rangings):
            # A byte image has a scale of exactly 1/255, which no percentile of its values may change.
            choice = np.where(measured.fed, 0, way)
            made = self._made(f"{ranging}{name}", measured, choice, samples, detail)
            if made is not None:
                yield made

    def _with_all_samples(self, base: _Base) -> _Base | None:
        """Return it anew, its ranges measured on all samples; None where they were, or where nothing changes."""
        count = len(base.samples[0])
        if count <= self._first:
            return None
        measured, detail = self._source.measured(base.samples, WAYS), f"ranges of {count} samples"
        name = f"{base.attempt.name}, all samples"
        made = self._made(
            name, measured, base.choice, base.samples, ", ".join(filter(None, [base.attempt.detail, detail]))
        )
        return self._mended(made, name) if made is not None and base.mended else made

    def _mended(self, base: _Base, name: str = "") -> _Base:
        """Return it with its biases corrected, under another name."""
        attempt = base.attempt
        file = self._source.corrected(base.plain, base.samples)
        sqnr_db = attempt.sqnr_db if file == base.plain else self.judged(file)
        name = name or f"{attempt.name}, biases corrected"
        return replace(base, attempt=replace(attempt, name=name, file=file, sqnr_db=sqnr_db))

    def _mixed(self, base: _Base) -> Attempt:
        """Return it with other ways for single tensors, where that brings it nearer."""
        now, names, changed = base, base.measured.names, list[str]()
        for activation, way in self._candidates(base.measured, base.choice):
            choice = now.choice.copy()
            choice[activation] = way
            plain = self._source.quantized(base.measured, choice)
            if plain == now.plain:
                continue
            file = self._source.corrected(plain, base.samples) if base.mended else plain
            made = replace(now.attempt, file=file, sqnr_db=self.judged(file))
            if _nearer(made.sqnr_db, now.attempt.sqnr_db):
                now = replace(now, attempt=made, plain=plain, choice=choice)
                changed.append(f"`{visible(names[activation])}` {base.measured.rangings[way]}")
        others = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
        detail = ", ".join(filter(None, [base.attempt.detail, f"{', '.join(changed[:_NAMED])}{others}"]))
        return replace(now.attempt, name=f"{base.attempt.name}, per tensor", detail=detail)

    def _candidates(self, measured: Measured, choice: Choice) -> Iterator[tuple[int, int]]:
        """Yield activations whose range could be another, the noisiest first, and the way to try."""
        spans, place = measured.spans, np.arange(len(measured.names))
        now, noise = spans[choice, place], measured.noise[choice, place]
        other = (np.abs(spans - now) > _ALIKE * now) & ~measured.fed
        ways = np.where(other, measured.noise, np.inf).argmin(axis=0)
        # Where no way has less noise of its own, what saturates may matter more than its energy says.
        whole = (measured.noise[ways, place] >= noise) & other[0]
        ways = np.where(whole, 0, ways)
        ranked = sorted(np.flatnonzero(other.any(axis=0)), key=lambda index: -noise[index])
        yield from ((int(index), int(ways[index])) for index in ranked[:TRIED])

    def _made(
        self, name: str, measured: Measured, choice: Choice, samples: Sequence[Array], detail: str
    ) -> _Base | None:
        """Return the file of a choice; None for one that was made before."""
        file = self._source.quantized(measured, choice)
        if file in self._seen:
            return None
        self._seen.add(file)
        return _Base(Attempt(name, file, self.judged(file), detail=detail), file, measured, choice, samples)

    def judged(self, file: bytes) -> float:
        """Return the SQNR of a file on the samples that are held apart, in dB."""
        return nearness_db(self._true, self._source.outputs(file, self._held))

    @cached_property
    def _true(self) -> list[Array]:
        return self._source.outputs(None, self._held)


def _outliers(measured: Measured) -> dict[int, Ends]:
    """Return for inputs of which few values fill most of the range where the others end, by the input's place."""
    spans, found = measured.spans, dict[int, Ends]()
    for place, activation in enumerate(measured.inputs):
        for way, ranging in enumerate(measured.rangings):
            if (
                activation >= 0
                and ranging.method == "percentile"
                and spans[way, activation] < SPOILED * spans[0, activation]
            ):
                low, high = measured.ends[way, activation]
                found[place] = float(low), float(high)
                break
    return found


def _nearer(one: float, other: float) -> bool:
    """Return whether one SQNR is clearly higher; two that are exact, or not finite, are the same."""
    return one > other and one >= other + LEAST_GAIN_DB
