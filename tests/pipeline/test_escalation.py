"""`--max-drop` step by step: which files are made and judged, and where it stops. The files here are texts."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from edgekit.bundle.ledger import Entry
from edgekit.errors import ConversionError
from edgekit.export.mixed.quantized import Operator
from edgekit.export.mixed.regions import Region
from edgekit.export.refining.attempts import Attempt
from edgekit.pipeline.escalation.steps import Escalation, Steps
from edgekit.pipeline.escalation.trial import Judge
from edgekit.stats import Interval
from edgekit.tasks.drop import POINTS, Drop
from edgekit.tasks.metrics import Score
from tests.support.heard import Heard

COUNT = 40
"""Operators of a file."""


class Meter:
    """Answers with what a file lost, which stands in the file."""

    def __init__(self) -> None:
        self.run: list[str] = []

    def outputs(self, path: Path) -> str:
        self.run.append(path.read_text())
        return self.run[-1]

    def drop(self, outputs: str) -> Drop:
        lost = float(outputs.rsplit("=", 1)[1])
        return Drop(Interval(lost, lost, lost), POINTS, "output")

    def entry(self, stage: str, scheme: str, path: Path, seconds: float, baseline: Path | None, **given: Any) -> Entry:
        ratio = None if baseline is None else [1.0, 1.0, 1.0]
        drop = self.drop(path.read_text())
        score = Score.of_count(1, 2)
        return Entry(stage, scheme, "0" * 64, score, 1, 1, 1, 1, 0.0, {}, ratio, seconds, drop, given["reverted"])


class Fake:
    """Files that lose `plain`, with other ranges `ranges`, and less and less with the culprits in float."""

    suffix = ".txt"

    def __init__(
        self, plain: float, ranges: Sequence[float] = (), culprits: Sequence[int] = (), name: str = ""
    ) -> None:
        self._plain, self._ranges, self._culprits, self._name = plain, ranges, culprits, name

    def plain(self) -> bytes:
        return f"{self._name}plain={self._plain}".encode()

    def refined(self) -> Iterator[Attempt]:
        for lost in self._ranges:
            yield Attempt(f"way {lost}", f"ranges={lost}".encode(), 0.0)

    def quantized(self, int8: bytes) -> Any:
        return Pair(float(int8.decode().rsplit("=", 1)[1]), self._culprits, self._name)

    def order(self, quantized: Any) -> list[Region]:
        rest = [i for i in range(COUNT) if i not in self._culprits]
        return [Region(i, frozenset({i}), 0.1) for i in (*self._culprits, *rest)]

    def finished(self, int8: bytes) -> bytes:
        return int8


@dataclasses.dataclass
class Pair:
    lost: float
    culprits: Sequence[int]
    name: str

    @property
    def operators(self) -> list[Operator]:
        return [Operator(i, f"op{i}", "CONV_2D", (), (), 1) for i in range(COUNT)]

    def reverted(self, chosen: Collection[int], *, float_weights: bool) -> bytes:
        left = self.lost * (1 - len(set(self.culprits) & set(chosen)) / max(1, len(self.culprits)))
        left = left if float_weights or len(chosen) < COUNT else left + 1.0  # int8 weights cost something, too
        return f"{self.name}{sorted(chosen)} {float_weights}={left}".encode()


@pytest.fixture
def meter() -> Meter:
    return Meter()


def escalated(meter: Meter, folder: Path, ways: Any, retrain: Any = None, limit: float = 0.5) -> Escalation:
    return Steps(Judge(meter, limit, ".txt", folder), Heard()).escalate(ways, retrain)  # type: ignore[arg-type]


def steps_of(found: Escalation) -> list[str]:
    return [entry.stage for entry in found.entries]


def test_a_file_that_passes_is_taken_as_it_is(meter: Meter, tmp_path: Path) -> None:
    found = escalated(meter, tmp_path, Fake(0.5, [0.1], [3]))
    assert found.reached and found.best.how == ""
    assert steps_of(found) == ["int8"]
    assert meter.run == ["plain=0.5"]


def test_the_first_other_ranges_that_pass_are_taken(meter: Meter, tmp_path: Path) -> None:
    found = escalated(meter, tmp_path, Fake(2.0, [1.0, 0.4, 0.1], [3]))
    assert found.reached and found.best.how == "calibration by way 0.4"
    assert steps_of(found) == ["int8", "ranges"]
    assert meter.run == ["plain=2.0", "ranges=1.0", "ranges=0.4"]


def test_the_fewest_operators_in_float_on_top_of_the_best_ranges(meter: Meter, tmp_path: Path) -> None:
    found = escalated(meter, tmp_path, Fake(9.0, [4.0, 6.0], [7, 30, 2]))
    assert found.reached
    assert sorted(found.best.reverted) == ["op2", "op30", "op7"]
    assert found.best.how == "calibration by way 4.0, 3 of 40 operators in float"
    assert steps_of(found) == ["int8", "ranges", "mixed"]
    assert len(meter.run) <= 3 + 2 * 6


def test_int8_weights_are_kept_where_that_is_enough(meter: Meter, tmp_path: Path) -> None:
    found = escalated(meter, tmp_path, Fake(9.0, [], [7]))
    assert found.best.path.read_text() == "[7] False=0.0"


def test_training_comes_before_many_operators_in_float(meter: Meter, tmp_path: Path) -> None:
    found = escalated(meter, tmp_path, Fake(9.0, [], range(20)), lambda: Fake(0.3, name="trained "))
    assert found.reached and found.trained
    assert steps_of(found) == ["int8", "mixed", "qat"]
    assert all(run.count(",") < COUNT // 4 for run in meter.run)


def test_as_many_as_may_be_float_are_tried_before_training(meter: Meter, tmp_path: Path) -> None:
    found = escalated(meter, tmp_path, Fake(9.0, [], range(9)), lambda: Fake(0.3, name="trained "))
    assert found.reached and not found.trained  # 8 are not enough, 10 of 40 are the most
    assert 9 <= len(found.best.reverted) <= COUNT // 4
    assert steps_of(found) == ["int8", "mixed"]


def test_operators_are_reverted_with_the_first_ranges_too_before_training(meter: Meter, tmp_path: Path) -> None:
    class Blurred(Fake):
        """With other ranges every operator loses something, and with the first ones a few lose all."""

        def quantized(self, int8: bytes) -> Any:
            culprits = [7, 8] if int8.startswith(b"plain") else range(COUNT)
            return Pair(float(int8.decode().rsplit("=", 1)[1]), culprits, self._name)

    found = escalated(meter, tmp_path, Blurred(9.0, [4.0], [7, 8]), lambda: Fake(0.3, name="trained "))
    assert found.reached and not found.trained
    assert found.best.how == "2 of 40 operators in float"
    assert steps_of(found) == ["int8", "ranges", "mixed", "mixed"]


def test_many_operators_in_float_come_last(meter: Meter, tmp_path: Path) -> None:
    found = escalated(meter, tmp_path, Fake(9.0, [], range(20)), lambda: Fake(8.0, name="trained "))
    assert found.reached and not found.trained
    assert 19 <= len(found.best.reverted) <= COUNT
    assert steps_of(found) == ["int8", "mixed", "qat", "qat, mixed", "mixed"]


def test_after_training_operators_are_reverted_again(meter: Meter, tmp_path: Path) -> None:
    found = escalated(meter, tmp_path, Fake(9.0, [], range(20)), lambda: Fake(1.0, [], [5], "trained "))
    assert found.reached and found.trained
    assert found.best.reverted == ("op5",)
    assert steps_of(found)[-1] == "qat, mixed"


def test_without_training_all_may_be_float(meter: Meter, tmp_path: Path) -> None:
    found = escalated(meter, tmp_path, Fake(9.0, [], range(COUNT)))
    assert found.reached and len(found.best.reverted) == COUNT
    assert found.best.path.read_text().endswith("True=0.0")


def test_the_best_is_kept_where_nothing_passes(meter: Meter, tmp_path: Path) -> None:
    found = escalated(meter, tmp_path, Fake(9.0, [8.0], ()), lambda: Fake(8.5, name="trained "))
    assert not found.reached and not found.trained
    assert found.best.lost == 8.0


def test_a_training_that_fails_leaves_the_best_before_it(meter: Meter, tmp_path: Path) -> None:
    found = escalated(meter, tmp_path, Fake(9.0, [8.0]), lambda: None)
    assert not found.reached
    assert found.best.how == "calibration by way 8.0"


def test_files_that_cannot_be_matched_are_a_warning(meter: Meter, tmp_path: Path) -> None:
    class Unmatched(Fake):
        def quantized(self, int8: bytes) -> Any:
            raise ConversionError("no", code="file-damaged")

    heard = Heard()
    judge = Judge(meter, 0.5, ".txt", tmp_path)  # type: ignore[arg-type]
    found = Steps(judge, heard).escalate(Unmatched(9.0), None)  # type: ignore[arg-type]
    assert not found.reached
    assert heard.codes == ["mixed-precision-failed"]


def test_only_the_first_row_is_its_own_baseline(meter: Meter, tmp_path: Path) -> None:
    found = escalated(meter, tmp_path, Fake(9.0, [4.0], [7]))
    assert [entry.latency is None for entry in found.entries] == [True, False, False]
    assert [len(entry.reverted) for entry in found.entries] == [0, 0, 1]


def test_steps_that_gain_nothing_are_rows_too(meter: Meter, tmp_path: Path) -> None:
    found = escalated(meter, tmp_path, Fake(9.0, [9.5, 9.25], [7]))
    assert found.reached and found.best.how == "1 of 40 operators in float"
    assert [(entry.stage, entry.drop.interval.value) for entry in found.entries if entry.drop] == [
        ("int8", 9.0),
        ("ranges", 9.25),
        ("mixed", 0.0),
    ]


def test_a_step_takes_all_that_was_done_for_it_but_the_measuring_of_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0  # the conversion began 60 seconds before
    monkeypatch.setattr(time, "monotonic", lambda: now)

    def later(seconds: float) -> None:
        nonlocal now
        now += seconds

    class Slow(Fake):
        def refined(self) -> Iterator[Attempt]:
            later(8.0)
            yield from super().refined()

        def order(self, quantized: Any) -> list[Region]:
            later(3.0)
            return super().order(quantized)

    class SlowMeter(Meter):
        def outputs(self, path: Path) -> str:
            later(1.0)
            return super().outputs(path)

        def entry(self, *args: Any, **given: Any) -> Entry:
            later(500.0)
            return super().entry(*args, **given)

    def retrain() -> Fake:
        later(100.0)
        return Fake(0.3, name="trained ")

    steps = Steps(Judge(SlowMeter(), 0.5, ".txt", tmp_path), Heard(), now - 60.0)  # type: ignore[arg-type]
    found = steps.escalate(Slow(9.0, [8.0], range(20)), retrain)  # type: ignore[arg-type]
    seconds = {entry.stage: entry.seconds for entry in found.entries}
    assert list(seconds) == ["int8", "ranges", "mixed", "qat"]
    assert (seconds["int8"], seconds["ranges"], seconds["qat"]) == (61.0, 9.0, 101.0)
    assert seconds["mixed"] > 3.0
