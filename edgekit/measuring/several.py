"""Several devices at once.

Boards and phones measure side by side, each in a thread that mostly waits; what runs on this machine comes after them,
one by one, so that nothing disturbs its latency.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Unpack

from edgekit.bundle.records import Record
from edgekit.devices.device import open_device
from edgekit.devices.target import Target
from edgekit.errors import EdgekitError
from edgekit.measuring.candidates import Candidate
from edgekit.measuring.plan import Plan
from edgekit.measuring.session import Options, bench
from edgekit.progress import SILENT, Progress, ProgressTask

FAREWELL_SECONDS = 15.0


@dataclass(frozen=True)
class Found:
    """What devices answered: records, in the order asked for, and the errors of the others, by the target's name."""

    records: list[Record]
    errors: dict[str, EdgekitError]


def measure(
    targets: Sequence[Target],
    candidates: Sequence[Candidate],
    plan: Plan,
    *,
    python: str | None = None,
    clean: bool = False,
    keep: Callable[[Record], None] = lambda record: None,
    progress: Progress = SILENT,
    **options: Unpack[Options],
) -> Found:
    """Measure files on one device, or on several.

    Args:
        targets: the devices.
        candidates: the files.
        plan: how much; without thread counts, each target's own.
        python: another interpreter on the devices.
        clean: remove edgekit's folder from each device afterwards, also after a failure.
        keep: called with every record as soon as it is there.
        progress: notified of every measurement.
        options: of `bench`.

    Raises:
        EdgekitError: of a single device, or of the first if none of several gave a record.
    """
    kept = threading.Lock()

    def session(target: Target, reports: Progress) -> Record:
        with open_device(target, python, reports) as device:
            if clean:
                device.work.clean()
            record = bench(candidates, plan, device, progress=reports, **options)
        with kept:
            keep(record)
        return record

    if len(targets) == 1:
        return Found([session(targets[0], progress)], {})
    answers: dict[str, Record | EdgekitError] = {}
    stop = threading.Event()

    def attempt(target: Target) -> None:
        try:
            answers[target.name] = session(target, Named(target.name, progress, stop))
        except EdgekitError as error:
            answers[target.name] = error

    _side_by_side([target for target in targets if not target.kind.shares_cpu], attempt, stop)
    for target in targets:
        if target.kind.shares_cpu:
            attempt(target)
    found = [(target.name, answers[target.name]) for target in targets]
    errors = {name: answer for name, answer in found if isinstance(answer, EdgekitError)}
    records = [answer for _, answer in found if isinstance(answer, Record)]
    if not records:
        raise next(iter(errors.values()))
    return Found(records, errors)


def _side_by_side(targets: Sequence[Target], attempt: Callable[[Target], None], stop: threading.Event) -> None:
    """Attempt all at once. When we are interrupted, each ends at its next step and lets go of its device."""
    crashed: list[Exception] = []

    def work(target: Target) -> None:
        try:
            attempt(target)
        except Stopped:
            pass
        except Exception as error:
            crashed.append(error)

    threads = [threading.Thread(target=work, args=(target,), daemon=True) for target in targets]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException:
        stop.set()
        for thread in threads:
            thread.join(FAREWELL_SECONDS / len(threads))
        raise
    if crashed:
        raise crashed[0]


class Stopped(BaseException):
    """The whole run was interrupted; unwinds a session in its thread."""


class Named:
    """A `Progress` that puts a device's name before every line; counted work becomes lines: there is one bar only.

    Args:
        name: of the device.
        progress: where the lines go.
        stop: when it is set, the next report raises `Stopped`.
    """

    def __init__(self, name: str, progress: Progress, stop: threading.Event) -> None:
        self._name, self._progress, self._stop = name, progress, stop

    def notify(self, message: str) -> None:
        """Report a step."""
        self.check()
        self._progress.notify(f"{self._name}: {message.removeprefix(self._name + ': ')}")

    def warn(self, message: str, code: str = "") -> None:
        """Report a warning."""
        self.check()
        self._progress.warn(f"{self._name}: {message.removeprefix(self._name + ': ')}", code)

    def task(self, label: str, total: int) -> _Counted:
        """Count work in lines."""
        return _Counted(label, total, self)

    def check(self) -> None:
        """Raise `Stopped` if the run was interrupted."""
        if self._stop.is_set():
            raise Stopped


class _Counted:
    """A line for every tenth of the work."""

    def __init__(self, label: str, total: int, progress: Named) -> None:
        self._label, self._total, self._progress = label, total, progress
        self._done = 0

    def __enter__(self) -> ProgressTask:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def advance(self, note: str = "", units: int = 1) -> None:
        self._progress.check()
        before, self._done = self._done, self._done + units
        if self._done * 10 // self._total > before * 10 // self._total:
            self._progress.notify(f"{self._label} {self._done}/{self._total}  {note}")
