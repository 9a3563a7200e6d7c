"""Child processes of this machine: a limit in time, both outputs read, lines of stderr as they come."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import IO

from edgekit.devices.transports import shell
from edgekit.devices.transports.base import ANSWER_BYTES, OnLine
from edgekit.errors import ConnectionFailed, EdgekitError, TargetError, TargetTimeout

SLOW = "is the device very busy, or the network slow? run the command again"
LINE_BYTES = 1 << 16
"""A longer line is taken for several."""
WAITING_LINES, SAID_BYTES = 1000, 1 << 20
"""What a program that lasts may print before anybody reads it; to stderr at all."""
GRACE = 5.0
"""Seconds for the outputs of a process that has ended to be read to their end."""


def run_process(
    argv: Sequence[str],
    *,
    timeout: float,
    what: str = "",
    env: Mapping[str, str] | None = None,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    on_line: OnLine | None = None,
    into: IO[bytes] | None = None,
    limit: int = ANSWER_BYTES,
) -> tuple[int, bytes, bytes]:
    """Run a child process to its end.

    Args:
        argv: the program and its arguments.
        timeout: seconds after which it is killed.
        what: names it in messages; by default the program.
        env: its whole environment; None: ours.
        stdin: `subprocess.PIPE`: held open and empty until the process has ended; or a file, whose rest comes through
            a pipe of ours: the process sees its end when we are gone.
        on_line: called with every line of stderr.
        into: a file for stdout, in place of memory.
        limit: bytes of stdout, and of stderr `ANSWER_BYTES`: a device may send without end.

    Returns:
        The exit code (minus the signal's number if one killed it), stdout and stderr.

    Raises:
        TargetTimeout: it did not end in time; it has been killed.
        TargetError: it printed more than the limit; it has been killed.
        EdgekitError: it could not be started.
    """
    child = _start(argv, env, stdin if isinstance(stdin, int) else subprocess.PIPE)
    out: list[bytes] = []
    err: list[bytes] = []
    over: list[int] = []

    def stop(most: int) -> None:
        over.append(most)
        child.kill()

    readers = [
        threading.Thread(target=_collect, args=(child.stdout, into.write if into else out.append, limit, stop)),
        threading.Thread(target=_collect, args=(child.stderr, err.append, ANSWER_BYTES, stop, on_line)),
    ]
    for reader in readers:
        reader.daemon = True
    feeder = threading.Thread(target=_feed, args=(child.stdin, stdin), daemon=True)
    for thread in (*readers, feeder):
        thread.start()
    try:
        child.wait(timeout)
    except subprocess.TimeoutExpired as error:
        raise TargetTimeout(
            f"{what or argv[0]} did not end within {timeout:.3g} s", SLOW, code="device-timeout"
        ) from error
    finally:
        _end(child, tied=stdin == subprocess.PIPE)
        feeder.join(GRACE)
        if child.stdin is not None:
            with contextlib.suppress(OSError):  # it did not read all
                child.stdin.close()
        _finish(child, readers)
    if over:
        raise too_long(what or argv[0], over[0])
    return child.returncode, b"".join(out), b"".join(err)


def too_long(what: str, limit: int) -> TargetError:
    """Return the error for a device or program that sends more than it should."""
    return TargetError(
        f"{what}: sends more than {limit >> 20:,} MiB; nothing of it was kept",
        "is this the device you mean?",
        code="device-answer-invalid",
    )


def run_tied(
    argv: Sequence[str],
    *,
    timeout: float,
    what: str = "",
    env: Mapping[str, str] | None = None,
    on_line: OnLine | None = None,
) -> tuple[int, bytes, bytes]:
    """Run a child process to its end, or to ours: it ends with this process, also when that is killed.

    A shell between the two waits for the end of its stdin, which the kernel brings about however we end.

    Args:
        argv: the program and its arguments; its stdin is empty.
        timeout: as for `run_process`, as are the others and what is returned and raised.
        what: names it in messages.
        env: its whole environment.
        on_line: called with every line of stderr.
    """
    if shutil.which(argv[0], path=(os.environ if env is None else env).get("PATH")) is None:
        raise EdgekitError(f"`{argv[0]}` cannot be started: no such program", code="program-missing")
    code, out, err = run_process(
        shell.script(shell.LIFELINE, *argv),
        timeout=timeout,
        what=what or argv[0],
        env=env,
        stdin=subprocess.PIPE,
        on_line=on_line and partial(_relay, on_line),
    )
    status, said = shell.exit_code(err.decode("utf-8", "surrogateescape"))
    return code if status is None else status, out, said.encode("utf-8", "surrogateescape")


def _relay(on_line: OnLine, line: str) -> None:
    if not shell.is_exit(line):
        on_line(line)


class ProcessChannel:
    """A child process whose stdin stays open (see `Channel`)."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self._child = _start(argv, env, subprocess.PIPE)
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._errors: list[bytes] = []
        self._most = SAID_BYTES, lambda most: self._child.kill()
        self._readers = [
            threading.Thread(target=self._read, daemon=True),
            threading.Thread(target=_collect, args=(self._child.stderr, self._errors.append, *self._most), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._child.poll() is None

    def read_line(self, timeout: float) -> str | None:
        """Return the next line of stdout (see `Channel.read_line`)."""
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            raise TargetTimeout(f"no answer within {timeout:.3g} s", SLOW, code="device-timeout") from None
        if line is None:
            self._lines.put(None)
        return line

    def write_line(self, line: str) -> None:
        """Send a line (see `Channel.write_line`)."""
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(line.encode() + b"\n")
            self._child.stdin.flush()
        except (OSError, ValueError) as error:  # broken, or closed by us
            raise ConnectionFailed("the connection to the device broke", code="connection-lost") from error

    def close(self, timeout: float) -> int:
        """End it (see `Channel.close`)."""
        assert self._child.stdin is not None
        with contextlib.suppress(OSError):  # it is gone already
            self._child.stdin.close()
        try:
            self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        _finish(self._child, self._readers)
        return self._child.returncode

    def stderr_text(self) -> str:
        """Return what it printed to stderr so far."""
        return b"".join(self._errors).decode("utf-8", "replace")

    def _read(self) -> None:
        assert self._child.stdout is not None
        while line := self._child.stdout.readline(LINE_BYTES):
            if self._lines.qsize() >= WAITING_LINES:  # it talks, and nobody asked
                self._child.kill()
                break
            self._lines.put(line.decode("utf-8", "replace").rstrip("\r\n"))
        self._lines.put(None)


def _start(argv: Sequence[str], env: Mapping[str, str] | None, stdin: int | IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(list(argv), stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
    except OSError as error:
        raise EdgekitError(f"`{argv[0]}` cannot be started: {error.strerror}", code="program-not-started") from error


def _end(child: subprocess.Popen[bytes], *, tied: bool) -> None:
    """End a process that is still running.

    A shell between us and a program (`shell.LIFELINE`) ends that when its stdin ends. Killed outright, in the moment
    before it watches its stdin, it would leave the program running.
    """
    if tied and child.poll() is None and child.stdin is not None:
        child.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(GRACE)
    if child.poll() is None:
        child.kill()
        child.wait()


def _finish(child: subprocess.Popen[bytes], readers: Sequence[threading.Thread]) -> None:
    """Read the outputs to their end; a grandchild may hold one open, and what it would say is not waited for."""
    both = list(zip(readers, (child.stdout, child.stderr), strict=True))
    # First the one that is not read any longer: who is stuck writing to it ends, and lets go of the other.
    for reader, stream in sorted(both, key=lambda one: one[0].is_alive()):
        reader.join(GRACE)
        if stream is not None and not reader.is_alive():
            stream.close()


def _feed(into: IO[bytes] | None, source: int | IO[bytes]) -> None:
    if into is not None and not isinstance(source, int):
        with contextlib.suppress(OSError, ValueError):  # it has ended
            shutil.copyfileobj(source, into, 1 << 18)
            into.close()


def _collect(
    stream: IO[bytes] | None,
    keep: Callable[[bytes], object],
    limit: int,
    stop: Callable[[int], None],
    on_line: OnLine | None = None,
) -> None:
    assert stream is not None
    left = limit
    while line := stream.readline(LINE_BYTES):
        left -= len(line)
        if left < 0:
            stop(limit)
            return
        keep(line)
        if on_line is not None:
            on_line(line.decode("utf-8", "replace").rstrip("\n"))
