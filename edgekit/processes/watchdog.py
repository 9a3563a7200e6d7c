"""How long a process may work: time of the processor, since a busy machine makes any work long."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 10
"""Times its limit, by the clock, is the longest that a process may take which works little: it waits, or others do."""
_EVERY = 0.5
"""Seconds between two looks at a process that is over its limit by the clock."""


@contextmanager
def watched(pid: int, seconds: float, stop: Callable[[], object]) -> Iterator[threading.Event]:
    """Stop what works for longer than it may, while the block runs.

    It may work for `seconds` by the clock; after them it is stopped as soon as its process had as many seconds of the
    processor, all threads added up, and after `PATIENCE` times `seconds` at the latest.

    Args:
        pid: of the process that does the work.
        seconds: that it may work.
        stop: is called once, in another thread.

    Yields:
        What is set before `stop` is called.
    """
    late, done = threading.Event(), threading.Event()
    started, before = time.monotonic(), processor_seconds(pid)

    def watch() -> None:
        wait = seconds
        while not done.wait(wait):
            used = processor_seconds(pid)
            worked = before is None or used is None or used - before >= seconds
            if worked or time.monotonic() - started >= PATIENCE * seconds:
                late.set()
                stop()
                return
            wait = min(_EVERY, seconds)

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield late
    finally:
        done.set()


def processor_seconds(pid: int) -> float | None:
    """Return the time that a process, all its threads, had a processor; None where the system does not tell."""
    try:
        # The name, in brackets, may hold anything; proc(5): utime and stime are fields 14 and 15.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
