"""The child's side: it runs what it is asked for until its stdin ends."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import resource
import signal
import sys
import traceback

from edgekit.errors import EdgekitError
from edgekit.processes.carried import packed
from edgekit.processes.watchdog import PATIENCE
from edgekit.processes.wire import Array, Message, receive, send

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Answer requests from stdin on what was stdout; what native code prints goes to stderr."""
    _end_with_parent()
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    for number in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    while True:
        try:
            request, arrays = receive(requests)
        except EOFError:
            return
        reply, returned = _reply(request, arrays)
        del arrays
        send(replies, reply, returned)


def _end_with_parent() -> None:
    """Let Linux end this process with the one that started it, also in the midst of native code."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def alarm(seconds: float) -> None:
    """Let the kernel end this process after so many seconds of the processor, also in the midst of native code.

    Waiting ends after `PATIENCE` times as many by the clock. 0: no more.
    """
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE * seconds)


def _reply(request: Message, arrays: list[Array]) -> tuple[Message, list[Array]]:
    for limit in (resource.RLIMIT_DATA, resource.RLIMIT_FSIZE):
        hard = resource.getrlimit(limit)[1]
        wanted = int(request["memory"])
        resource.setrlimit(limit, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    os.chdir(request["folder"])
    module, _, name = str(request["function"]).partition(":")
    try:
        value, returned = getattr(importlib.import_module(module), name)(*arrays, **request["arguments"])
    except EdgekitError as error:
        return {"error": "EdgekitError", "carried": packed(error)}, []
    except OSError as error:
        parts = [error.errno, error.strerror, None if error.filename is None else str(error.filename)]
        return {"error": "OSError", "os_error": parts, "kind": type(error).__name__, "message": str(error)}, []
    except MemoryError:
        return {"error": "MemoryError"}, []
    except Exception as error:
        traceback.print_exc()
        sys.stderr.flush()
        return {"error": "Exception", "kind": type(error).__name__, "message": str(error)}, []
    finally:
        alarm(0)
    return {"value": value}, list(returned)
