"""Programs and files of the machine that edgekit runs on."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.errors import EdgekitError
from edgekit.transports.base import Completed


class LocalTransport:
    """Runs programs as child processes; files are used where they are."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="edgekit-"))

    def run(self, argv: Sequence[str], *, timeout: float, env: Mapping[str, str] | None = None) -> Completed:
        """Run a child process (see `Transport.run`)."""
        try:
            done = subprocess.run(
                list(argv),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout,
                env={**os.environ, **(env or {})},
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"{argv[0]} did not end within {timeout:g} s") from error
        except OSError as error:
            raise EdgekitError(f"cannot start {argv[0]}: {error.strerror}") from error
        return Completed(
            tuple(argv), done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        )

    def push(self, local: Path) -> str:
        """Return the absolute path; nothing is copied."""
        return str(local.resolve())

    def pull(self, remote: str, local: Path) -> None:
        """Copy a file."""
        shutil.copyfile(remote, local)

    def scratch(self, name: str) -> str:
        """Return a path in a temporary folder of this process."""
        return str(self._folder / name)

    def close(self) -> None:
        """Remove the temporary folder."""
        shutil.rmtree(self._folder, ignore_errors=True)
