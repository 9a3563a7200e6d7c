"""A long piece of work in a process of its own: typed events come back while it runs, then its result or its error.

The parent's side. The child (`edgekit.processes.work_child`) is a fresh Python with nothing of the current folder on
its path. It ends when we end, however that comes about, and unwinds first: temporary folders and half-written outputs
go.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import IO

from edgekit.errors import RunnerCrashed
from edgekit.processes.carried import EVENTS, unpacked
from edgekit.processes.child import tail
from edgekit.processes.python import environment
from edgekit.progress import Event

# -P: the current folder may be a stranger's, and hold a json.py.
_START = "from edgekit.processes.work_child import main; main()"
LINE_BYTES = 1 << 24
"""Of an event or a result; a longer one is a fault."""
UNWIND_SECONDS = 30.0
"""What the child may take to tidy up after an interruption, until it is killed."""


def run(function: str, arguments: object, receive: Callable[[Event], object], what: str) -> object:
    """Run a function of edgekit in a process of its own, to its end.

    Args:
        function: `package.module:name`, of edgekit: it takes `arguments` and a `Progress`, and returns what JSON takes.
        arguments: what JSON takes.
        receive: takes every event, in order, in this thread.
        what: names the work in messages.

    Returns:
        What the function returned.

    Raises:
        EdgekitError: what the function raised, of the same class, with the same message, hint and code.
        RunnerCrashed: the child died, or raised something that edgekit does not explain.
        KeyboardInterrupt: as it came here; the child has unwound.
    """
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(
            [sys.executable, "-P", "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment(),
            process_group=0,  # Ctrl-C at a terminal comes to us, and we hand it on, once
        )
        assert child.stdin is not None and child.stdout is not None
        try:
            child.stdin.write(json.dumps({"function": function, "arguments": arguments}).encode() + b"\n")
            child.stdin.flush()
            reply = _follow(child.stdout, receive)
        except (BrokenPipeError, ValueError, KeyError, TypeError) as error:
            _end(child, interrupt=True)
            raise _death(child.returncode, what, tail(log)) from error
        except BaseException:
            _end(child, interrupt=True)
            raise
        _end(child)
        if reply is None:
            raise _death(child.returncode, what, tail(log))
    if "error" in reply:
        raise unpacked(reply["error"])
    return reply["result"]


def _follow(stream: IO[bytes], receive: Callable[[Event], object]) -> dict[str, dict[str, object]] | None:
    """Hand on events until the reply comes; None if the child ends without one."""
    while line := stream.readline(LINE_BYTES):
        message = json.loads(line)
        if "event" not in message:
            return {key: message[key] for key in ("result", "error") if key in message}
        receive(EVENTS[message["event"]](**message["values"]))
    return None


def _end(child: subprocess.Popen[bytes], *, interrupt: bool = False) -> None:
    """Wait for the child's end, which is near, or let it unwind first."""
    assert child.stdin is not None and child.stdout is not None
    try:
        if interrupt and child.poll() is None:
            child.send_signal(signal.SIGINT)
        child.wait(UNWIND_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        child.kill()
        child.wait()
    finally:
        for stream in (child.stdin, child.stdout):
            with contextlib.suppress(OSError):  # what was not written has nobody to read it
                stream.close()


def _death(code: int, what: str, words: str) -> RunnerCrashed:
    end = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    last = words.strip().rpartition("\n")[2].strip()
    hint = "the machine may be short of memory" if code == -signal.SIGKILL else ""
    return RunnerCrashed(f"{what}: the worker process {end}" + (f": {last}" if last else ""), hint, code="worker-died")
