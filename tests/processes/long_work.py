"""Work for `tests/processes/test_work.py`, done in a worker process."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from edgekit import errors
from edgekit.files.temporary import temporary_folder
from edgekit.progress import Progress


def count(arguments: dict[str, Any], progress: Progress) -> dict[str, int]:
    progress.notify("begins")
    with progress.task("counting", arguments["to"]) as task:
        for number in range(arguments["to"]):
            task.advance(f"at {number}")
    progress.warn("was slow", "too-slow")
    print("native code prints what it likes")
    return {"counted": arguments["to"], "process": os.getpid()}


def fail(arguments: dict[str, Any], progress: Progress) -> None:
    raise getattr(errors, arguments["kind"])(*arguments["words"], **arguments["more"])


def unexplained(arguments: None, progress: Progress) -> None:
    raise ZeroDivisionError("of a library")


def system(arguments: str, progress: Progress) -> None:
    Path(arguments).read_bytes()


def killed(arguments: None, progress: Progress) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def unwinds(arguments: str, progress: Progress) -> None:
    with temporary_folder("unwinds") as folder:
        (folder / "half").write_text("written")
        try:
            progress.notify(f"{os.getpid()} {folder}")
            time.sleep(60)
        finally:
            Path(arguments).write_text("unwound")
