"""`edgekit` and `python -m edgekit`: what must hold before anything is imported.

Until the command line takes over (`edgekit.cli.entry`), and after it is done, a signal ends the process at once and
without a traceback: nothing is under way then.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

INTERRUPTED = 128


def start() -> None:
    """Run the command line."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN or number == signal.SIGINT:
            signal.signal(number, _end)
    open_streams()
    from edgekit.cli import main

    try:
        main()
    except SystemExit as stop:
        if isinstance(stop.code, int) and stop.code > INTERRUPTED:
            os._exit(stop.code)  # what libraries do at the end, threads of theirs included, is not waited for
        raise


def open_streams() -> None:
    """Put the null device in place of standard streams that are closed, as after `>&-`.

    The next file that is opened would get the number of such a stream, and what libraries print would go there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
            os.set_inheritable(number, True)
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w", closefd=False))


def _end(number: int, frame: FrameType | None) -> None:
    try:
        os.write(2, f"edgekit: interrupted by {signal.Signals(number).name}\n".encode())
    finally:
        os._exit(INTERRUPTED + number)


if __name__ == "__main__":
    start()
