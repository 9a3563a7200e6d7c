"""Programs and files of the machine that edgekit runs on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.errors import TargetError
from edgekit.files import atomic_file, sha256
from edgekit.transports.base import Channel, Completed, OnLine
from edgekit.transports.process import ProcessChannel, run_tied


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

    def put(self, local: Path, remote: str, digest: str, *, timeout: float) -> int:
        """Copy a file (see `Transport.put`)."""
        with atomic_file(Path(remote)) as temporary:
            shutil.copyfile(local, temporary)
            if sha256(temporary) != digest:
                raise TargetError(f"{remote}: the copy differs from {local}")
        return local.stat().st_size

    def get(self, remote: str, local: Path, *, timeout: float) -> None:
        """Copy a file (see `Transport.get`)."""
        shutil.copyfile(remote, local)

    def close(self) -> None:
        """Do nothing."""
