"""edgekit's folder on a device: files by content, runtimes, and what one session leaves.

    ~/.cache/edgekit/            mode 700
        .edgekit                 says that edgekit made the folder: without it, nothing in it is touched
        files/SHA256.tflite      models, samples, the runner: copied once
        files/SHA256/            a model with the files that it needs beside it
        runtimes/KEY/            unpacked wheels
        busy                     a link that tells who measures now; there is one session at a time
        run-PID/                 of a session: jobs and answers
        governors                what they were before the session changed them

A keeper (ondevice/keeper.sh) runs there as long as the session: a shell that waits for its stdin to end, whether we
finish, are killed or lose the connection, and then removes what the session left, frees the device and puts the
governors back. It also ends when it hears no beat for a minute: a network that is simply gone closes nothing.
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import re
import socket
import threading
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from edgekit.devices.transports import shell
from edgekit.devices.transports.base import ANSWER_BYTES, LOST, Channel, Deadline, Transport, retried
from edgekit.devices.transports.local import copy_within
from edgekit.errors import ConnectionFailed, TargetError
from edgekit.errors.printable import quoted, visible
from edgekit.files.temporary import Temporary
from edgekit.files.whole import sha256

TIMEOUT = 30.0
BEAT_SECONDS = 15.0
SLOWEST = 100_000
"""Bytes a second below which a copy is given up."""

FIND = 'case "$1" in /*) printf \'%s\\n\' "$1";; *) printf \'%s\\n\' "$HOME/$1";; esac'
KEEPER = "\n".join(
    line
    for line in files("edgekit.ondevice").joinpath("keeper.sh").read_text("utf-8").splitlines()
    if not line.lstrip().startswith("#")
)
LONGEST_FOLDER = 1024
FOLDER = "edgekit's folder"
_REFUSALS = {
    "foreign": "belongs to another user",
    "unmarked": "holds files that edgekit did not write, so nothing in it is changed",
    "link": "holds a link where edgekit expects a folder; remove it",
}
ALONE: Mapping[str, Path] = MappingProxyType({})
OUTPUTS_BYTES = 2 << 30
"""What a device may send as outputs of a model."""


class Work(Protocol):
    """Where the files of jobs are on a device.

    Attributes:
        sent_bytes: copied to the device so far.
    """

    sent_bytes: int

    @property
    def folder(self) -> str:
        """The session's folder on the device, where its programs may write; it goes with the session."""

    def renew(self) -> None:
        """Make sure that the session is open, before a job.

        Raises:
            TargetError: it cannot be opened again.
        """

    def push(self, local: Path, companions: Mapping[str, Path] = ALONE) -> str:
        """Make a file readable on the device, where it stays for the next time; return its path there.

        Args:
            local: the file.
            companions: files that it needs beside it: the path from its folder -> where it is here.

        Raises:
            TargetError: it cannot be written there.
        """

    def send(self, local: Path) -> str:
        """Make a file of this session readable on the device; return its path there."""

    def pull(self, remote: str, local: Path, limit: int = ANSWER_BYTES) -> None:
        """Copy a file of the device to this machine.

        Args:
            remote: there.
            local: here; what is there is replaced.
            limit: bytes.

        Raises:
            FileNotFoundError: there is no such file.
            TargetError: it is larger than the limit, or no file.
        """

    def scratch(self, name: str) -> str:
        """Return a path where a program of this session may write a file called `name`."""

    def clean(self) -> None:
        """When the session ends, remove what would serve again, too."""

    def close(self) -> None:
        """Remove what this session left."""


class LocalWork:
    """Files are used where they are; what is written goes to a temporary folder."""

    def __init__(self) -> None:
        self.sent_bytes = 0
        self._folder = Temporary("work")

    @property
    def folder(self) -> str:
        """The temporary folder (see `Work.folder`)."""
        return str(self._folder.path)

    def renew(self) -> None:
        """Do nothing."""

    def push(self, local: Path, companions: Mapping[str, Path] = ALONE) -> str:
        """Return the absolute path; nothing is copied."""
        return str(local.resolve())

    def send(self, local: Path) -> str:
        """Return the absolute path; nothing is copied."""
        return str(local.resolve())

    def pull(self, remote: str, local: Path, limit: int = ANSWER_BYTES) -> None:
        """Copy a file."""
        copy_within(Path(remote), local, limit)

    def scratch(self, name: str) -> str:
        """Return a path in the temporary folder."""
        return str(self._folder.path / name)

    def clean(self) -> None:
        """Do nothing: there is nothing else."""

    def close(self) -> None:
        """Remove the temporary folder."""
        self._folder.close()


class RemoteWork:
    """The folder on a device, ours for the time of a session.

    Args:
        transport: to the device.
        base: the folder, from the user's home folder there.

    Attributes:
        base: its path there.
        sent_bytes: copied to the device so far.

    Raises:
        TargetError: the folder is somebody else's or cannot be written, or another edgekit is measuring there.
    """

    def __init__(self, transport: Transport, base: str) -> None:
        self._transport = transport
        self.sent_bytes = 0
        self._there: dict[str, str] = {}
        found = retried(lambda: transport.run(shell.script(FIND, base), timeout=TIMEOUT)).stdout.strip()
        self.base = device_path(found, transport.address, FOLDER)
        self._token = uuid.uuid4().hex
        self._governor: tuple[str, str] | None = None
        self._keeper, self._session = self._open()
        self._done = threading.Event()
        threading.Thread(target=self._beat, daemon=True).start()

    @property
    def folder(self) -> str:
        """The session's folder (see `Work.folder`)."""
        return self._session

    def renew(self) -> None:
        """Open the session again if the connection broke meanwhile (see `Work.renew`)."""
        if not self._keeper.alive:
            self._keeper.close(0)
            self._keeper, self._session = self._open()
            if self._governor is not None:
                self.set_governor(*self._governor)

    def push(self, local: Path, companions: Mapping[str, Path] = ALONE) -> str:
        """Copy a file there unless its content is there already (see `Work.push`)."""
        digest = sha256(local)
        if companions:
            return self._push_group({local.name: local, **companions}, local.name)
        if digest not in self._there:
            self._there[digest] = self._put_once(local, f"files/{digest}{_ending(local)}", digest)
        return self._there[digest]

    def _push_group(self, group: Mapping[str, Path], main: str) -> str:
        """Copy files into a folder of their own, named after the content of all; return the path of the main one."""
        digests = {name: sha256(path) for name, path in group.items()}
        key = hashlib.sha256(repr(sorted(digests.items())).encode()).hexdigest()
        if key not in self._there:
            for name, path in group.items():
                self._put_once(path, f"files/{key}/{name}", digests[name])
            self._there[key] = f"{self.base}/files/{key}/{main}"
        return self._there[key]

    def _put_once(self, local: Path, name: str, digest: str) -> str:
        look = shell.below(shell.DIGEST, self.base, name, digest)
        found = retried(lambda: self._transport.run(look, timeout=_allowed(local)))
        if found.returncode != 0:
            raise shell.refused(self._transport.address, f"{self.base}/{name}", found.stderr)
        if found.stdout.strip() != digest:
            self._put(local, self.base, name, digest)
        return f"{self.base}/{name}"

    def forget(self, local: Path) -> None:
        """Note that a program there removed a file that was pushed."""
        self._there.pop(sha256(local), None)

    def send(self, local: Path) -> str:
        """Copy a file to the session's folder (see `Work.send`)."""
        digest = sha256(local)
        name = f"{digest[:16]}{_ending(local)}"
        self._put(local, self._session, name, digest)
        return self.scratch(name)

    def pull(self, remote: str, local: Path, limit: int = ANSWER_BYTES) -> None:
        """Copy a file from there (see `Work.pull`)."""
        retried(lambda: self._transport.get(remote, local, timeout=TIMEOUT * 10, limit=limit))

    def scratch(self, name: str) -> str:
        """Return a path in the session's folder."""
        return f"{self._session}/{name}"

    def set_governor(self, value: str, paths: str) -> str:
        """Set the governor of every CPU until the session ends, also after it was renewed.

        Args:
            value: such as `performance`.
            paths: the files to write to; may hold `*`.

        Returns:
            `ok`, `refused` or `none` (there is no such file); after the latter two nothing is changed.
        """
        self._keeper.write_line(f"governor {value} {paths}")
        answer = self._keeper.read_line(TIMEOUT) or "refused"
        self._governor = (value, paths) if answer == "ok" else None
        return answer

    def clean(self) -> None:
        """Let the keeper remove all that is edgekit's when the session ends."""
        with contextlib.suppress(ConnectionFailed):
            self._keeper.write_line("clean")

    def close(self) -> None:
        """End the session; the keeper tidies up there."""
        self._done.set()
        with contextlib.suppress(ConnectionFailed):
            self._keeper.write_line("bye")  # adb before Android 7 does not pass on the end of stdin
        self._keeper.close(TIMEOUT)

    def _beat(self) -> None:
        while not self._done.wait(BEAT_SECONDS):
            with contextlib.suppress(ConnectionFailed):  # renewed with the next job
                self._keeper.write_line("beat")

    def _own(self, session: str) -> str:
        """Return the session's folder, which lies in ours."""
        if not re.fullmatch(re.escape(self.base.rstrip("/")) + r"/run-[0-9]{1,10}", session):
            raise TargetError(
                f"{self._transport.address}: reports {quoted(session)} as its folder in {self.base}",
                "is this the device you mean?",
                code="device-answer-invalid",
            )
        return session

    def _put(self, local: Path, folder: str, name: str, digest: str) -> None:
        put = partial(self._transport.put, local, folder, name, digest, timeout=_allowed(local))
        self.sent_bytes += retried(put)

    def _open(self) -> tuple[Channel, str]:
        who = f"{getpass.getuser()}@{socket.gethostname()} since {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        keeper = retried(lambda: self._transport.start(shell.script(KEEPER, self.base, who, self._token)))
        try:
            return keeper, self._greeting(keeper)
        except BaseException:
            keeper.close(TIMEOUT)
            raise

    def _greeting(self, keeper: Channel) -> str:
        """Return the session's folder there, as the keeper tells it."""
        deadline = Deadline(TIMEOUT, f"{self._transport.address}: opening {self.base}")
        while (line := keeper.read_line(deadline.left())) is not None:
            kind, _, rest = line.partition(" ")
            if kind == "session":
                return self._own(device_path(rest, self._transport.address, FOLDER))
            if kind == "busy":
                raise TargetError(
                    f"{self._transport.address}: another edgekit process measures on this device: {rest}",
                    "wait until it has finished",
                    code="device-busy",
                )
            if kind in _REFUSALS:
                raise TargetError(
                    f"{self._transport.address}: {self.base} {_REFUSALS[kind]}",
                    "choose another folder with `work` in the target's file",
                    code="device-path-refused",
                )
        if keeper.close(TIMEOUT) == LOST:
            raise ConnectionFailed(
                f"{self._transport.address}: the connection broke", "run the command again", code="connection-lost"
            )
        raise shell.refused(self._transport.address, self.base, keeper.stderr_text())


def device_path(text: str, address: str, what: str) -> str:
    """Return a path that a device names; it becomes part of commands there.

    Raises:
        TargetError: it is no path from /.
    """
    if not text.startswith("/") or visible(text) != text or len(text) > LONGEST_FOLDER or ".." in text.split("/"):
        raise TargetError(
            f"{address}: reports {quoted(text)} as {what}, expected a path from /", code="device-answer-invalid"
        )
    return text


def _ending(local: Path) -> str:
    """Return the suffix of a file, where it is one that a runtime may look at."""
    return local.suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,16}", local.suffix) else ""


def _allowed(local: Path) -> float:
    return TIMEOUT + local.stat().st_size / SLOWEST
