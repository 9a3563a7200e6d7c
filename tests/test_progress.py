"""Progress as typed events, and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from edgekit.progress import Counted, Event, Notice, ProgressTask, Replay, Reporter, Silent, Warned


class Kept(Silent):
    """A `Progress` that keeps every call."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def notify(self, message: str) -> None:
        self.calls.append(("notify", message))

    def warn(self, message: str, code: str = "") -> None:
        self.calls.append(("warn", message, code))

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[ProgressTask]:
        self.calls.append(("begin", label, total))
        yield self
        self.calls.append(("end", label))

    def advance(self, note: str = "", units: int = 1) -> None:
        self.calls.append(("advance", note, units))


def test_calls_become_events_and_events_the_same_calls() -> None:
    kept, events = Kept(), list[Event]()

    def work(progress: Reporter | Kept) -> None:
        progress.notify("begins")
        with progress.task("training", 3) as task:
            task.advance("loss 1")
            task.advance("loss 2", 2)
            progress.warn("slow", "too-slow")
        with progress.task("nothing", 0):
            pass

    work(Reporter(events.append))
    assert events[:2] == [Notice("begins"), Counted("training", 0, 3)]
    assert Warned("slow", "too-slow") in events
    assert Counted("training", 3, 3, "loss 2", ended=True) in events
    with Replay(kept) as replay:
        for event in events:
            replay(event)
    again = Kept()
    work(again)
    assert kept.calls == again.calls


def test_work_that_fails_ends() -> None:
    events: list[Event] = []
    with pytest.raises(ValueError, match="of the work"), Reporter(events.append).task("training", 2):
        raise ValueError("of the work")
    assert events[-1] == Counted("training", 0, 2, ended=True)


def test_what_is_still_open_ends_with_the_replay() -> None:
    kept = Kept()
    with Replay(kept) as replay:
        replay(Counted("training", 0, 2))
        replay(Counted("training", 1, 2, "half"))
    assert kept.calls == [("begin", "training", 2), ("advance", "half", 1), ("end", "training")]
