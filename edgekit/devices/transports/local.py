"""Programs and files of the machine that edgekit runs on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.devices.transports.address import Address
from edgekit.devices.transports.base import ANSWER_BYTES, Channel, Completed, OnLine, Transport
from edgekit.devices.transports.below import local_path
from edgekit.devices.transports.process import ProcessChannel, run_tied, too_long
from edgekit.errors import TargetError
from edgekit.files.whole import atomic_file, explained_write_errors, sha256
from edgekit.progress import Progress
from edgekit.schema.document import open_regular


def connect(address: Address, progress: Progress) -> Transport:
    """Return the way to this machine; it has no address (see `registry.Connector`)."""
    return LocalTransport()


class LocalTransport:
    """Runs programs as child processes, which end with this one."""

    address = "this machine"

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        env: Mapping[str, str] | None = None,
        on_line: OnLine | None = None,
    ) -> Completed:
        """Run a child process (see `Transport.run`)."""
        code, out, err = run_tied(argv, timeout=timeout, env={**os.environ, **(env or {})}, on_line=on_line)
        return Completed(tuple(argv), code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))

    def start(self, argv: Sequence[str]) -> Channel:
        """Start a child process (see `Transport.start`)."""
        return ProcessChannel(argv)

    def put(self, local: Path, folder: str, name: str, digest: str, *, timeout: float) -> int:
        """Copy a file (see `Transport.put`)."""
        with explained_write_errors(Path(folder, name)):
            remote = local_path(Path(folder), name, self.address)
        with atomic_file(remote) as temporary:
            shutil.copyfile(local, temporary)
            if sha256(temporary) != digest:
                raise TargetError(f"{remote}: the copy differs from {local}", code="copy-damaged")
        return local.stat().st_size

    def get(self, remote: str, local: Path, *, timeout: float, limit: int = ANSWER_BYTES) -> None:
        """Copy a file (see `Transport.get`)."""
        copy_within(Path(remote), local, limit)

    def close(self) -> None:
        """Do nothing."""


def copy_within(source: Path, local: Path, limit: int) -> None:
    """Copy a file of this machine that a program wrote.

    Raises:
        FileNotFoundError: there is none.
        TargetError: it is larger than the limit, or no file.
    """
    try:
        handle = open_regular(source, follow=False)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise TargetError(f"{source}: cannot be read: {error.strerror}", code="file-unreadable") from error
    local.unlink(missing_ok=True)
    with os.fdopen(handle, "rb") as stream, local.open("xb") as into:
        while chunk := stream.read(1 << 20):
            into.write(chunk)
            if into.tell() > limit:
                raise too_long(str(source), limit)
