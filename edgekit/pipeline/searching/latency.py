"""Latency of trials on the target: measured in turns with one reference file, so that drift of the device cancels."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgekit.bundle.records import Record
from edgekit.devices.device import Device, open_device
from edgekit.devices.target import Target
from edgekit.errors import InputError, RunnerError, TargetError
from edgekit.files.turns import turn
from edgekit.files.whole import work_base
from edgekit.measuring.candidates import candidates
from edgekit.measuring.plan import Plan
from edgekit.measuring.session import bench
from edgekit.progress import SILENT, Progress
from edgekit.reporting.rows import Row, rows_of
from edgekit.stats import Interval

ROUNDS, REFERENCE_ROUNDS = 3, 5
"""Fresh processes a file: beside the reference, and of the reference alone."""
BUSY_SECONDS, BUSY_MOST_SECONDS = 5.0, 3600.0
"""Between tries where another session measures on a device, and how long that is tried."""


@dataclass(frozen=True)
class Timing:
    """Latency of a file: its ratio to the reference's, and the same as a time in ms."""

    ratio: Interval
    ms: float


class Emulated(InputError):
    """The CPU of a target is emulated, so that its latency means nothing."""


class Stopwatch:
    """Times files on a target.

    Args:
        target: where.
        reference: the file that others are compared with.
        reference_ms: its latency, where it was measured before; None: it is measured now.
        progress: notified where a device is waited for.

    Attributes:
        reference_ms: of the reference file.

    Raises:
        Emulated: the CPU of the target is emulated.
        TargetError: the target cannot be reached.
    """

    def __init__(self, target: Target, reference: Path, reference_ms: float | None, progress: Progress) -> None:
        self._target, self._reference, self._progress = target, reference, progress
        self.reference_ms = reference_ms if reference_ms is not None else self._measured_reference()

    def time(self, path: Path) -> Timing:
        """Time a file and the reference in turns.

        Raises:
            RunnerError: the runtime cannot run the file.
            TargetError: the target cannot be reached, or cannot run files.
        """
        record = self._record([self._reference, path], ROUNDS)
        own = rows_of(record)[-1]
        _check(own)
        if own.vs_baseline is None:
            raise RunnerError(f"{path.name}: its latency on {self._target.name} is not known", code="no-latency")
        return Timing(own.vs_baseline, own.vs_baseline.value * self.reference_ms)

    def _measured_reference(self) -> float:
        record = self._record([self._reference], REFERENCE_ROUNDS)
        [row] = rows_of(record)
        _check(row)
        if row.emulated or row.median_ms is None:
            raise Emulated(
                f"`{self._target.name}`: its CPU is emulated ({record.emulated_by}): its latency means nothing",
                "leave `--max-latency` out, and give `--max-macs`: MACs stand in for latency",
                code="latency-not-measurable",
            )
        return row.median_ms

    def _record(self, paths: list[Path], rounds: int) -> Record:
        plan = Plan(
            threads=(self._target.threads or (1,))[:1], processes=rounds, min_samples=50, min_seconds=0.1,
            warmup_seconds=0.1, memory=False, accuracy=False,
        )  # fmt: skip
        with alone(self._target, self._progress) as device:
            return bench(candidates(paths), plan, device, progress=SILENT)


@contextmanager
def alone(target: Target, progress: Progress) -> Iterator[Device]:
    """Open a target that no other search measures on meanwhile.

    Workers on this machine take turns; another machine's session on a board is waited for.

    Args:
        target: which.
        progress: notified of what is waited for.

    Raises:
        TargetError: it cannot be reached, or is busy for an hour.
    """
    where = hashlib.sha256(f"{target.name} {target.address}".encode()).hexdigest()[:16]
    lock = work_base() / "measuring" / f"{where}.lock"

    def waiting() -> None:
        progress.notify(f"waiting for {target.name}: another worker measures there")

    with turn(lock, waiting), _opened(target, progress) as device:
        yield device


@contextmanager
def _opened(target: Target, progress: Progress) -> Iterator[Device]:
    since = time.monotonic()
    while True:
        opening = open_device(target, progress=progress)
        try:
            device = opening.__enter__()
            break
        except TargetError as error:
            if error.code != "device-busy" or time.monotonic() - since > BUSY_MOST_SECONDS:
                raise
            if time.monotonic() - since < BUSY_SECONDS:
                progress.notify(f"waiting: {error.message}")
            time.sleep(BUSY_SECONDS)
    try:
        yield device
    finally:
        opening.__exit__(None, None, None)


def _check(row: Row) -> None:
    for failure in row.measurement.failures:
        raise RunnerError(f"{row.file}: {failure}", code=failure.code or "pass-failed")
