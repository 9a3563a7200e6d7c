"""A device reached through the system's `ssh`, with all that the user's own configuration says.

One master connection serves a session (ControlMaster); it is a child of ours and ends with us. Files go through `cat`,
which every board has and which takes any file name; sftp needs a server part that small boards lack, and older scp lets
the remote shell read file names.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from edgekit.devices.transports import shell
from edgekit.devices.transports.address import Address
from edgekit.devices.transports.base import ANSWER_BYTES, LOST, Channel, Completed, Deadline, OnLine, Transport
from edgekit.devices.transports.process import ProcessChannel, run_process
from edgekit.devices.transports.ssh_failures import Way, lost, refusal, silent, talkative
from edgekit.errors import ConnectionFailed, EdgekitError, InputError, TargetError
from edgekit.errors.printable import whole
from edgekit.files.opening import brief, is_file
from edgekit.files.temporary import Temporary
from edgekit.progress import Progress

CONNECT_SECONDS = 10
ALIVE = ("-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3")
CLOSE_SECONDS = 5.0
RECONNECT_SECONDS = 45
"""After a connection broke: until nothing is tried again."""
CONNECTED = "edgekit-connected"
MASTER = ("-o", "ControlMaster=yes", "-o", "LogLevel=VERBOSE")
"""It tells then when it has logged in."""


def known_name(host: str, port: int | None) -> str:
    """Return how ssh's file of known hosts names a host; the default port is left out there."""
    return host if port in (None, 22) else f"[{host}]:{port}"


def connect(address: Address, progress: Progress) -> Transport:
    """Reach a host (see `registry.Connector`)."""
    return SshTransport(address.host or "", address.port, address.identity, address.options, progress.warn)


class SshTransport:
    """Runs programs over ssh.

    Args:
        destination: `user@address`, an address, or a host of the user's ssh configuration.
        port: None: as configured, else 22.
        identity: a private key file, in place of those configured.
        options: more `-o` options, as `Name=value`.
        notice: called with a message and its code when the connection breaks and is made again, which may take a
            while.
    """

    def __init__(
        self,
        destination: str,
        port: int | None = None,
        identity: Path | None = None,
        options: Sequence[str] = (),
        notice: Callable[[str, str], None] = lambda message, code: None,
    ) -> None:
        if shutil.which("ssh") is None:
            raise InputError(
                "`ssh` is not installed on this machine",
                "install it: apt install openssh-client",
                code="program-missing",
            )
        if destination.startswith("-") or not destination or any(c.isspace() for c in destination):
            raise InputError(
                f"`{destination}` is not a host",
                "expected an address such as pi@raspberrypi.local",
                code="address-invalid",
            )
        if identity and not is_file(identity):
            raise InputError(f"--identity {brief(identity)}: no such file", code="file-missing")
        if identity and re.search(r"[%$]", str(identity.absolute())):
            raise InputError(
                f"--identity {brief(identity)}: ssh reads `%` and `$` in the name as placeholders",
                "rename the file",
                code="path-invalid",
            )
        self.address = destination + (f":{port}" if port else "")
        # A control socket's path must be short, and nobody else's business.
        self._sockets = Temporary("ssh")
        self._ssh = ["ssh", "-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_SECONDS}", *ALIVE]
        self._ssh += ["-o", "ControlPersist=no", "-o", f"ControlPath={self._sockets.path}/m"]
        for option in options:
            self._ssh += ["-o", option]
        if port:
            self._ssh += ["-p", str(port)]
        if identity:
            self._ssh += ["-i", str(identity.absolute()), "-o", "IdentitiesOnly=yes"]
        self._destination = destination
        user, _, host = destination.rpartition("@")
        key = f"-i {shlex.quote(str(identity))} " if identity else ""
        by_hand = f"ssh {key}{f'-p {port} ' if port else ''}{destination}"
        self._way = Way(self.address, known_name(host, port), by_hand, user)
        self._master: ProcessChannel | None = None
        self._notice, self._lost_since, self._given_up = notice, 0.0, False
        self._env = {**os.environ, "LC_ALL": "C"}  # so that ssh's own messages can be read

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        env: Mapping[str, str] | None = None,
        on_line: OnLine | None = None,
    ) -> Completed:
        """Run a program there (see `Transport.run`)."""
        self._connect()
        code, out, err = run_process(
            self._command([*shell.script(shell.LIFELINE), *shell.with_env(argv, env)]),
            timeout=timeout,
            what=f"{self.address}: {argv[0]}",
            env=self._env,
            stdin=subprocess.PIPE,
            on_line=on_line,
        )
        status, said = shell.exit_code(err.decode("utf-8", "replace"))
        if status is None:
            raise lost(self._way, code, said)
        return Completed(tuple(argv), status, out.decode("utf-8", "replace"), said)

    def start(self, argv: Sequence[str]) -> Channel:
        """Start a program there (see `Transport.start`)."""
        self._connect()
        return ProcessChannel(self._command(argv), self._env)

    def put(self, local: Path, folder: str, name: str, digest: str, *, timeout: float) -> int:
        """Copy a file there (see `Transport.put`)."""
        deadline = Deadline(timeout, f"copying {local.name} to {self.address}")
        remote, size = f"{folder}/{name}", local.stat().st_size
        found = self.run(shell.below(shell.SIZE, folder, name, digest), timeout=deadline.left())
        if found.returncode != 0:
            raise shell.refused(self.address, remote, found.stderr)
        try:
            there = whole(found.stdout.strip())
            done = there if there <= size else 0
        except ValueError:
            done = 0
        with local.open("rb") as stream:
            stream.seek(done)
            code, _, err = run_process(
                self._command(shell.below(shell.APPEND, folder, name, digest, str(done))),
                timeout=deadline.left(),
                what=f"copying {local.name} to {self.address}",
                env=self._env,
                stdin=stream,
            )
        if code == LOST:
            raise lost(self._way, code, err.decode("utf-8", "replace"))
        if code != 0:
            self.run(shell.below(shell.REMOVE, folder, name, digest), timeout=deadline.left())
            raise shell.refused(self.address, remote, err.decode("utf-8", "replace"))
        settled = self.run(shell.below(shell.SETTLE, folder, name, digest, digest), timeout=deadline.left())
        if settled.returncode != 0:
            raise shell.unsettled(self.address, remote, settled.returncode, settled.stderr)
        return size - done

    def get(self, remote: str, local: Path, *, timeout: float, limit: int = ANSWER_BYTES) -> None:
        """Copy a file from there (see `Transport.get`)."""
        self._connect()
        argv = self._command(["cat", remote])
        what = f"{self.address}: {remote}"
        local.unlink(missing_ok=True)
        try:
            with local.open("xb") as into:
                code, _, err = run_process(
                    argv, timeout=timeout, what=what, env=self._env, stdin=subprocess.PIPE, into=into, limit=limit
                )
            said = err.decode("utf-8", "replace")
            if code == LOST:
                raise lost(self._way, code, said)
            if code != 0:
                raise FileNotFoundError(f"{self.address}: {' '.join(said.split())}")
        except BaseException:
            local.unlink(missing_ok=True)
            raise

    def close(self) -> None:
        """End the master connection."""
        if self._master is not None:
            self._master.close(CLOSE_SECONDS)
        self._sockets.close()

    def _connect(self) -> None:
        """Make the master connection, unless it stands."""
        if self._master is not None and self._master.alive:
            return
        if self._master is not None:
            self._reconnect()
        else:
            self._make()

    def _reconnect(self) -> None:
        """Make a connection again that broke; tell so at once, and give up after a while for good.

        Several layers try again what may be done twice: without a common end their patience would multiply.
        """
        if not self._lost_since:
            self._lost_since = time.monotonic()
            self._notice(
                f"{self.address}: the connection broke; trying for {RECONNECT_SECONDS} s to connect again",
                "connection-lost",
            )
        if self._given_up:
            raise self._gone()
        try:
            self._make()
        except ConnectionFailed as error:
            if time.monotonic() - self._lost_since < RECONNECT_SECONDS:
                raise
            self._given_up = True
            raise self._gone() from error
        self._notice(
            f"{self.address}: connected again after {time.monotonic() - self._lost_since:.0f} s", "connection-lost"
        )
        self._lost_since = 0.0

    def _gone(self) -> TargetError:
        return TargetError(
            f"{self.address}: the connection broke and could not be made again within {RECONNECT_SECONDS} s",
            "check power and network of the device, then run the command again",
            code="connection-lost",
        )

    def _make(self) -> None:
        (self._sockets.path / "m").unlink(missing_ok=True)  # of a master that was lost
        master = ProcessChannel(
            [*self._ssh, *MASTER, "--", self._destination, f"echo {CONNECTED}; exec cat >/dev/null"],
            self._env,
        )
        try:
            line = master.read_line(wait := CONNECT_SECONDS + 5)
        except TimeoutError as error:
            master.close(0)
            raise silent(self._way, master.stderr_text(), wait) from error
        if line is None:
            raise refusal(self._way, master.close(CLOSE_SECONDS), master.stderr_text(), self._asked)
        if line != CONNECTED:
            master.close(CLOSE_SECONDS)
            raise talkative(self._way, line)
        if self._master is not None:
            self._master.close(0)
        self._master = master

    def _command(self, argv: Sequence[str]) -> list[str]:
        return [*self._ssh, "--", self._destination, shell.for_any_shell(argv)]

    def _asked(self) -> str:
        """Return what ssh says with `-v` about a connection that it does not make."""
        argv = [*self._ssh, "-v", "-o", "ControlMaster=no", "-o", "ControlPath=none", "--", self._destination, "true"]
        try:
            _, _, err = run_process(argv, timeout=CONNECT_SECONDS + 5, env=self._env)
        except EdgekitError:
            return ""
        return err.decode("utf-8", "replace")
