"""A device that is a script in memory, for tests: yours too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from edgekit.devices.transports.base import ANSWER_BYTES, Channel, Completed, OnLine
from edgekit.devices.transports.below import parts_below
from edgekit.devices.transports.process import too_long
from edgekit.errors import TargetError
from edgekit.files.whole import sha256

Answer = Completed | Exception | str
"""What a program does: end like this, raise, or print this text and end well."""


class FakeTransport:
    """Answers programs from a table, and keeps files in memory.

    Args:
        answers: by the program's whole command line, words joined by single spaces; a function is called with argv.
            A program that is not in the table is "not found", exit code 127.
        files: what is on the device, by path.

    Attributes:
        ran: every argv that was run.
        files: what is on the device now.
        faults: exceptions that the next calls raise, in order; None lets a call through.
        closed: whether `close` was called.
    """

    address = "fake"

    def __init__(
        self,
        answers: Mapping[str, Answer | Callable[[Sequence[str]], Answer]] | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> None:
        self.answers = dict(answers or {})
        self.files = dict(files or {})
        self.ran: list[tuple[str, ...]] = []
        self.faults: list[Exception | None] = []
        self.closed = False

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        env: Mapping[str, str] | None = None,
        on_line: OnLine | None = None,
    ) -> Completed:
        """Answer from the table (see `Transport.run`)."""
        self._fault()
        self.ran.append(tuple(argv))
        found = self.answers.get(" ".join(argv), Completed(tuple(argv), 127, "", f"{argv[0]}: not found"))
        answer = found(argv) if callable(found) else found
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, str):
            answer = Completed(tuple(argv), 0, answer, "")
        for line in answer.stderr.splitlines() if on_line else ():
            assert on_line is not None
            on_line(line)
        return answer

    def start(self, argv: Sequence[str]) -> Channel:
        """Refuse: a fake device has no lasting programs."""
        raise TargetError(f"{self.address}: cannot start {argv[0]}", code="program-not-started")

    def put(self, local: Path, folder: str, name: str, digest: str, *, timeout: float) -> int:
        """Keep a file (see `Transport.put`)."""
        self._fault()
        assert sha256(local) == digest
        remote = "/".join((folder, *parts_below(name)))
        self.files[remote] = local.read_bytes()
        return len(self.files[remote])

    def get(self, remote: str, local: Path, *, timeout: float, limit: int = ANSWER_BYTES) -> None:
        """Give a file back (see `Transport.get`)."""
        self._fault()
        if remote not in self.files:
            raise FileNotFoundError(remote)
        if len(self.files[remote]) > limit:
            raise too_long(f"{self.address}: {remote}", limit)
        local.write_bytes(self.files[remote])

    def close(self) -> None:
        """Note it."""
        self.closed = True

    def _fault(self) -> None:
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
