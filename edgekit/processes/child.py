"""The parent's side: a child process, what it is asked, and what its end means."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from edgekit.errors import EdgekitError, InputError, RunnerCrashed, RunnerError, RunnerTimeout
from edgekit.processes.carried import unpacked
from edgekit.processes.python import environment
from edgekit.processes.watchdog import watched
from edgekit.processes.wire import Array, Message, Value, receive, send

MEMORY_VARIABLE = "EDGEKIT_MEMORY_GIB"
"""The environment variable that sets how much memory a child may take."""
MEMORY = 4 << 30
"""Bytes that a child may take, besides `PER_BYTE` for every byte of its files."""
PER_BYTE = 4
# -P: the current folder may be a stranger's, and hold a json.py.
_START = "from edgekit.processes.serve import main; main()"
_MEMORY_WORDS = (
    "bad_alloc",
    "bad allocation",
    "out of memory",
    "memoryerror",
    "cannot allocate memory",
    "failed to allocate memory",
)
_TAIL = 4000


def memory_for(*paths: Path) -> int:
    """Return the bytes of memory that work on these files may take: `MEMORY` and some, or what the user allows.

    Raises:
        InputError: `EDGEKIT_MEMORY_GIB` is not a number.
    """
    given = os.environ.get(MEMORY_VARIABLE)
    if given:
        try:
            gibibytes = float(given)
        except ValueError:
            gibibytes = 0.0
        if not 0.1 <= gibibytes <= 1 << 20:
            raise InputError(
                f"`{MEMORY_VARIABLE}={given}`: expected a number of GiB, at least 0.1",
                f"set it to a number, such as {MEMORY_VARIABLE}=16",
                code="variable-invalid",
            )
        return int(gibibytes * (1 << 30))
    return MEMORY + PER_BYTE * sum(path.stat().st_size for path in paths)


def too_much(what: str, memory: int) -> RunnerError:
    """Return the error for work that takes more memory than it may."""
    return RunnerError(
        f"{what} needs more than the {memory / (1 << 30):.1f} GiB of memory that edgekit allows for this file",
        f"if you trust the file, allow more: {MEMORY_VARIABLE}=16",
        code="memory-limit",
    )


def wants_memory(text: str) -> bool:
    """Return whether the last lines of a process's stderr, or an exception, are about a lack of memory."""
    return any(word in text.lower() for word in _MEMORY_WORDS)


@dataclass
class _Process:
    popen: subprocess.Popen[bytes]
    log: IO[bytes]
    owner: int

    def end(self) -> None:
        if os.getpid() != self.owner:  # a fork of the process that started it
            return
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        for stream in (self.popen.stdin, self.popen.stdout, self.log):
            try:
                if stream is not None:
                    stream.close()
            except OSError:  # what was not written yet has nobody to read it
                pass


class _Killed(RunnerCrashed):
    """Something killed the child."""


class Child:
    """A Python process that runs functions of edgekit; it starts with the first call, and again after it died."""

    def __init__(self) -> None:
        self._process: _Process | None = None
        self._turn = threading.Lock()

    def call(
        self, function: str, *arrays: Array, what: str, seconds: float, memory: int, limit: str = "", **arguments: Value
    ) -> tuple[Value, list[Array]]:
        """Run a function there.

        Args:
            function: `package.module:name`, of edgekit. It takes the arrays, then the arguments by name, and returns
                what JSON takes and a list of arrays.
            arrays: its positional arguments.
            what: begins the message about an unexpected end: `v.onnx: making int8`.
            seconds: of the processor that it may take; by the clock, more on a busy machine (`watchdog.watched`).
            memory: bytes that it may take.
            limit: the time limit in words, where the function sets one of its own; by default `seconds`.
            arguments: what JSON takes.

        Returns:
            What the function returned.

        Raises:
            EdgekitError, OSError: what the function raised.
            RunnerTimeout: it took too long.
            RunnerCrashed: the child died.
            RunnerError: it took too much memory, or raised something else.
        """
        request = {"function": function, "arguments": arguments, "memory": memory, "folder": str(Path.cwd())}
        limit = limit or f"{seconds:g} s"
        with self._turn:
            reused = self._process is not None
            try:
                return self._exchange(request, arrays, what, seconds, limit)
            except _Killed:
                # Its end is tied to the thread that started it, which may have ended while it had nothing to do.
                if not reused:
                    raise
                return self._exchange(request, arrays, what, seconds, limit)

    def _exchange(
        self, request: Message, arrays: Sequence[Array], what: str, seconds: float, limit: str
    ) -> tuple[Value, list[Array]]:
        process, memory = self._running(), request["memory"]
        late = threading.Event()
        try:
            assert process.popen.stdin is not None and process.popen.stdout is not None
            with watched(process.popen.pid, seconds, process.popen.kill) as late:
                send(process.popen.stdin, request, arrays)
                reply, returned = receive(process.popen.stdout)
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            stderr = tail(process.log)
            self.close()
            raise _death(process.popen.returncode, late.is_set(), what, limit, memory, stderr) from error
        except MemoryError as error:
            self.close()
            raise too_much(f"{what}: the result", memory) from error
        except BaseException:
            self.close()
            raise
        if "error" in reply:
            raise _error(reply, what, memory)
        return reply["value"], returned

    def close(self) -> None:
        """End the child."""
        process, self._process = self._process, None
        if process is not None:
            process.end()

    def __enter__(self) -> Child:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the child."""
        self.close()

    def _running(self) -> _Process:
        if self._process is not None and self._process.owner == os.getpid() and self._process.popen.poll() is None:
            return self._process
        self.close()
        log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        popen = subprocess.Popen(
            [sys.executable, "-P", "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**environment(), "ORT_LOAD_CONFIG_FROM_MODEL": "0"},
        )
        self._process = _Process(popen, log, os.getpid())
        weakref.finalize(self, self._process.end)
        return self._process


_workers: dict[tuple[int, str], Child] = {}


def worker(of: str = "small work") -> Child:
    """Return this process's own child for a kind of work, which stays for the next.

    Args:
        of: the kind. What imports much has a kind of its own, so that small work stays in a small process.
    """
    key = os.getpid(), of
    if key not in _workers:
        for other in [other for other in _workers if other[0] != key[0]]:  # of the process that forked this one
            del _workers[other]
        _workers[key] = Child()
        atexit.register(_workers[key].close)
    return _workers[key]


def _error(reply: Message, what: str, memory: int) -> EdgekitError | OSError:
    if reply["error"] == "OSError" and reply["os_error"][0] is not None:
        return OSError(*reply["os_error"])
    if reply["error"] == "MemoryError":
        return too_much(what, memory)
    if reply["error"] in ("Exception", "OSError"):
        if wants_memory(f"{reply['kind']} {reply['message']}"):
            return too_much(what, memory)
        lines = [line.strip() for line in reply["message"].splitlines() if line.strip()]
        return RunnerError(f"{what} failed: {(lines[0] if lines else reply['kind'])[:300]}", code="child-failed")
    return unpacked(reply["carried"])


def _death(exit_code: int, late: bool, what: str, limit: str, memory: int, stderr: str) -> RunnerError:
    if late or exit_code in (-signal.SIGPROF, -signal.SIGALRM):
        return RunnerTimeout(f"{what} took longer than {limit} and was stopped", code="child-timeout")
    if wants_memory(stderr):
        return too_much(what, memory)
    if exit_code == -signal.SIGKILL:
        hint = "the machine may be out of memory: `dmesg` names the process then"
        return _Killed(f"{what} was killed by SIGKILL", hint, code="child-crashed")
    end = f"was killed by {signal.Signals(-exit_code).name}" if exit_code < 0 else f"exited with code {exit_code}"
    return RunnerCrashed(f"{what} {end}: the file is damaged, or a library has a bug", code="child-crashed")


def tail(log: IO[bytes]) -> str:
    """Return the end of what a child wrote to stderr."""
    end = os.fstat(log.fileno()).st_size
    return os.pread(log.fileno(), _TAIL, max(0, end - _TAIL)).decode("utf-8", "replace")
