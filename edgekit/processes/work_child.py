"""The child's side of `edgekit.processes.work`: one piece of work, its events, and its result or error."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import signal
import sys
import threading
from typing import IO

from edgekit.files.explained import explained
from edgekit.files.temporary import own_process
from edgekit.processes.carried import EVENTS, packed
from edgekit.processes.interruptions import Interruptions
from edgekit.progress import Event, Reporter

_NAMES = {kind: name for name, kind in EVENTS.items()}


def main() -> None:
    """Do what the line on stdin asks for; what native code prints goes to stderr."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    with Interruptions() as interruptions:
        request = json.loads(requests.readline())
        threading.Thread(target=_end_with_parent, args=(requests,), daemon=True).start()
        _send(replies, _done(request["function"], request["arguments"], replies))
    replies.close()
    os._exit(128 + interruptions.first if interruptions.first else 0)  # no library's threads are waited for


def _done(function: str, arguments: object, replies: IO[str]) -> dict[str, object]:
    module, _, name = function.partition(":")
    try:
        with own_process():
            work = getattr(importlib.import_module(module), name)
            return {"result": work(arguments, Reporter(lambda event: _send(replies, _event(event))))}
    except Exception as error:
        known = explained(error)
        if known is None:
            raise
        return {"error": packed(known)}


def _event(event: Event) -> dict[str, object]:
    return {"event": _NAMES[type(event)], "values": dataclasses.asdict(event)}


def _send(replies: IO[str], message: dict[str, object]) -> None:
    replies.write(json.dumps(message) + "\n")
    replies.flush()


def _end_with_parent(requests: IO[bytes]) -> None:
    """Wait for the end of stdin, which the kernel brings about however the parent ends, and unwind."""
    requests.read()
    if sys.is_finalizing():
        return
    os.kill(os.getpid(), signal.SIGTERM)
