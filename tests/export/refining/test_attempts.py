"""Which attempts are made, in which order, and which of them are kept; on a file that is a few numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from edgekit.export.calibration import Ranging
from edgekit.export.refining.attempts import TRIED, WAYS, Attempt, attempts, best
from edgekit.export.refining.calibratable import Choice, Measured
from edgekit.tasks.samples import Array

SAMPLES = [np.linspace(1, 2, 500).reshape(-1, 1)]
MINMAX, INNER, NEARLY, MSE = range(4)


class Told:
    """A file whose noise is told: that of every way for every tensor, and what the mean of it adds.

    Args:
        noise: (ways, tensors); the first tensor is the input.
        shift: the same, which correction takes away.
        spans: of the ranges, (ways, tensors).
        spread: noise that is less by this factor when ranges are of all samples.
    """

    def __init__(self, noise: Any, shift: Any = 0.0, spans: Any = None, spread: float = 1.0) -> None:
        self._noise = np.array(noise, float)
        self._shift = np.broadcast_to(np.array(shift, float), self._noise.shape)
        self._spans = np.arange(4.0, 0, -1)[:, None] + 0 * self._noise if spans is None else np.array(spans, float)
        self._spread, self._factor = spread, 1.0
        self.log: list[str] = []

    def measured(self, samples: Sequence[Array], rangings: Sequence[Ranging]) -> Measured:
        self.log.append(f"measured {len(samples[0])}")
        self._factor = 1 / self._spread if len(samples[0]) > 400 else 1.0
        ends = np.stack([0 * self._spans, self._spans], axis=-1)
        names = tuple(f"t{n}" for n in range(self._noise.shape[1]))
        return Measured(tuple(rangings), names, ends, self._noise, (0,))

    def quantized(self, measured: Measured, choice: Choice) -> bytes:
        self.log.append("quantized")
        return bytes(choice.tolist()) + b"%d" % (1000 * self._factor)

    def corrected(self, file: bytes, samples: Sequence[Array]) -> bytes:
        self.log.append("corrected")
        return file if not self._shift.any() else b"c" + file

    def outputs(self, file: bytes | None, samples: Sequence[Array]) -> list[Array]:
        self.log.append("run" if file else "run float")
        if file is None:
            return [np.ones((len(samples[0]), 1))]
        mended, file = file[:1] == b"c", file.removeprefix(b"c")
        ways, place = np.frombuffer(file[: self._noise.shape[1]], np.uint8), np.arange(self._noise.shape[1])
        noise = self._noise[ways, place].sum() * int(file[self._noise.shape[1] :]) / 1000
        noise += 0 if mended else self._shift[ways, place].sum()
        return [np.full((len(samples[0]), 1), 1 + math.sqrt(noise))]


def names(source: Told, samples: Any = SAMPLES) -> list[str]:
    return [attempt.name for attempt in attempts(source, samples)]


def test_whole_files_come_first_and_the_best_is_the_nearest() -> None:
    source = Told([[0, 1e-2], [0, 1e-3], [0, 1e-4], [0, 1e-3]])
    made = list(attempts(source, SAMPLES))
    assert [attempt.name for attempt in made] == ["minmax", "percentile 99.9", "percentile 99.99", "mse"]
    assert [round(attempt.sqnr_db) for attempt in made] == [20, 30, 40, 30]
    assert best(made) is made[2]
    assert all(attempt.seconds >= 0 for attempt in made)
    twins = [Attempt("a", b"", 5.0), Attempt("b", b"", 5.0)]
    assert best(twins) is twins[0]


def test_the_next_is_made_when_it_is_asked_for() -> None:
    source = Told([[0, 1e-2], [0, 1e-3], [0, 1e-4], [0, 1e-3]])
    asked = attempts(source, SAMPLES)
    assert source.log == []
    next(asked)
    assert source.log == ["measured 400", "quantized", "run float", "run"]
    next(asked)
    assert source.log[4:] == ["quantized", "run"]


def test_what_is_no_nearer_than_a_known_file_is_passed_over() -> None:
    noise, shift = [[0, 2e-3], [0, 1e-2], [0, 1e-3], [0, 1e-2]], [[0, 0], [0, 0], [0, 1e-4], [0, 0]]
    source = Told(noise, shift)
    known = source.quantized(source.measured(SAMPLES, WAYS), np.zeros(2, np.intp))  # minmax
    found = [attempt.name for attempt in attempts(source, SAMPLES, known=known)]
    assert found == ["percentile 99.99", "percentile 99.99, biases corrected"]


def test_inputs_keep_their_exact_range_unless_few_values_fill_it() -> None:
    choices: list[list[int]] = []

    class Noted(Told):
        def quantized(self, measured: Measured, choice: Choice) -> bytes:
            choices.append(choice.tolist())
            return super().quantized(measured, choice)

    noise = [[1e-3, 1e-2], [1e-6, 1e-3], [1e-6, 1e-4], [1e-6, 1e-3]]
    names(Noted(noise))
    assert {choice[0] for choice in choices} == {MINMAX}


def test_inputs_with_few_outliers_saturate_and_all_that_is_measured_behind_them_is_measured_again() -> None:
    peaks: list[float] = []

    class Noted(Told):
        def measured(self, samples: Sequence[Array], rangings: Sequence[Ranging]) -> Measured:
            peaks.append(samples[0].max())
            return super().measured(samples, rangings)

        def quantized(self, measured: Measured, choice: Choice) -> bytes:
            return super().quantized(measured, choice) + b"0" * (len(peaks) - 1)

    noise = [[0, 1e-2], [0, 1e-3], [0, 1e-4], [0, 1e-3]]
    made = list(attempts(Noted(noise, spans=[[100, 4], [1.5, 3], [60, 2], [100, 1]]), SAMPLES))
    assert [attempt.name for attempt in made[4:8]] == [f"{way}, inputs saturated" for way in WAYS]
    assert {attempt.detail for attempt in made[4:8]} == {"`t0` saturates outside of [0, 1.5]"}
    assert peaks == [2, 1.5]


def test_files_that_are_the_same_come_once() -> None:
    class Same(Told):
        def quantized(self, measured: Measured, choice: Choice) -> bytes:
            return super().quantized(measured, choice * 0)

    assert names(Same([[0, 1e-2], [0, 1e-3], [0, 1e-4], [0, 1e-3]])) == ["minmax"]


def test_corrected_biases_may_turn_the_order_round() -> None:
    source = Told([[0, 1e-3], [0, 1e-2], [0, 1e-2], [0, 1e-4]], [[0, 1e-3], [0, 0], [0, 0], [0, 1e-1]])
    made = list(attempts(source, SAMPLES))
    assert [attempt.name for attempt in made[4:]] == ["minmax, biases corrected", "mse, biases corrected"]
    assert best(made).sqnr_db == pytest.approx(40)
    assert "corrected" not in " ".join(names(Told([[0, 1e-3], [0, 1e-2], [0, 1e-2], [0, 1e-2]])))


def test_all_samples_are_used_where_there_are_more() -> None:
    source = Told([[0, 1e-2], [0, 1e-3], [0, 1e-4], [0, 1e-3]], spread=10)
    many = [np.linspace(1, 2, 1000).reshape(-1, 1)]
    made = list(attempts(source, many))
    assert source.log[0] == "measured 300" and "measured 900" in source.log  # 100 are held apart
    assert [attempt.name for attempt in made[4:]] == ["percentile 99.99, all samples"]
    assert made[-1].detail == "ranges of 900 samples"


def test_single_tensors_get_the_way_that_suits_them() -> None:
    noise = [[0, 1e-2, 1e-5], [0, 1e-5, 1e-1], [0, 1e-2, 1e-1], [0, 1e-2, 1e-1]]
    source = Told(noise)
    made = list(attempts(source, SAMPLES))
    assert made[-1].name == "minmax, per tensor" and made[-1].detail == "`t1` percentile 99.9"
    assert made[-1].sqnr_db == pytest.approx(10 * math.log10(1 / 2e-5))


def test_where_no_way_has_less_noise_the_whole_range_is_tried() -> None:
    """What saturates may be all that counts: its energy does not tell."""

    class Carried(Told):
        def outputs(self, file: bytes | None, samples: Sequence[Array]) -> list[Array]:
            if file is None:
                return super().outputs(file, samples)
            lost = 1e-2 if file[1] != MINMAX else 0.0
            return [array + math.sqrt(lost) for array in super().outputs(file, samples)]

    source = Carried([[0, 2e-5, 1e-1], [0, 1e-4, 1e-1], [0, 1e-4, 1e-1], [0, 1e-5, 1e-5]])
    made = list(attempts(source, SAMPLES))
    assert best(made[:4]).name == "mse"
    assert made[-1].detail == "`t1` minmax"
    assert made[-1].sqnr_db == pytest.approx(10 * math.log10(1 / 3e-5))


def test_few_files_are_made_for_single_tensors() -> None:
    many = np.full((4, 60), 1e-3)
    many[:, 0] = 0
    many[MSE] = 0.9e-3
    source = Told(many)
    names(source)
    assert source.log.count("quantized") == len(WAYS) + TRIED


@pytest.mark.parametrize("found", [np.inf, -np.inf])
def test_files_that_are_exact_or_not_finite_end_the_search(found: float) -> None:
    class Extreme(Told):
        def outputs(self, file: bytes | None, samples: Sequence[Array]) -> list[Array]:
            return [np.ones((len(samples[0]), 1)) if found > 0 else np.full((len(samples[0]), 1), np.nan)]

    source = Extreme([[0, 1e-2], [0, 1e-3], [0, 1e-4], [0, 1e-3]], 1e-3)
    made = list(attempts(source, SAMPLES))
    assert [attempt.sqnr_db for attempt in made] == [found] * 4


def test_few_samples_are_used_twice() -> None:
    source = Told([[0, 1e-2], [0, 1e-3], [0, 1e-4], [0, 1e-3]])
    names(source, [SAMPLES[0][:20]])
    assert source.log[0] == "measured 20"
