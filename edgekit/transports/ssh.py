"""A device reached through the system's `ssh`, with all that the user's own configuration says.

One master connection serves a session (ControlMaster); it is a child of ours and ends with us. Files go through `cat`,
which every board has and which takes any file name; sftp needs a server part that small boards lack, and older scp lets
the remote shell read file names.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.errors import ConnectionFailed, InputError, TargetError
from edgekit.opening import brief, is_file
from edgekit.printable import whole
from edgekit.temporary import Temporary
from edgekit.transports import shell
from edgekit.transports.base import ANSWER_BYTES, LOST, Channel, Completed, Deadline, OnLine
from edgekit.transports.process import ProcessChannel, run_process

CONNECT_SECONDS = 10
ALIVE = ("-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3")
CLOSE_SECONDS = 5.0
CONNECTED = "edgekit-connected"


class SshTransport:
    """Runs programs over ssh.

    Args:
        destination: `user@address`, an address, or a host of the user's ssh configuration.
        port: None: as configured, else 22.
        identity: a private key file, in place of those configured.
        options: more `-o` options, as `Name=value`.
    """

    def __init__(
        self, destination: str, port: int | None = None, identity: Path | None = None, options: Sequence[str] = ()
    ) -> None:
        if shutil.which("ssh") is None:
            raise InputError("`ssh` is not installed here", "install it: apt install openssh-client")
        if destination.startswith("-") or not destination or any(c.isspace() for c in destination):
            raise InputError(f"`{destination}` is not a host", "e.g. pi@raspberrypi.local")
        if identity and not is_file(identity):
            raise InputError(f"--identity {brief(identity)}: no such file")
        if identity and re.search(r"[%$]", str(identity.absolute())):
            raise InputError(
                f"--identity {brief(identity)}: ssh takes `%` and `$` in it for something else", "give it another name"
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
        self._destination, self._port = destination, port
        self._by_hand = f"ssh {f'-p {port} ' if port else ''}{destination}"
        self._master: ProcessChannel | None = None
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
            raise self._lost(code, said)
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
            raise self._lost(code, err.decode("utf-8", "replace"))
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
                raise self._lost(code, said)
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
        (self._sockets.path / "m").unlink(missing_ok=True)  # of a master that was lost
        master = ProcessChannel(
            [*self._ssh, "-o", "ControlMaster=yes", "--", self._destination, f"echo {CONNECTED}; exec cat >/dev/null"],
            self._env,
        )
        try:
            line = master.read_line(CONNECT_SECONDS + 5)
        except TimeoutError as error:
            master.close(0)
            raise ConnectionFailed(
                f"{self.address}: no answer within {CONNECT_SECONDS} s", "check its power, its network and the address"
            ) from error
        if line is None:
            raise self._refusal(master.close(CLOSE_SECONDS), master.said())
        if line != CONNECTED:
            master.close(CLOSE_SECONDS)
            raise TargetError(
                f"{self.address}: its login script prints {line[:60]!r}, where only answers may come",
                "let .bashrc and the like print in interactive shells only",
            )
        if self._master is not None:
            self._master.close(0)
        self._master = master

    def _command(self, argv: Sequence[str]) -> list[str]:
        return [*self._ssh, "--", self._destination, shell.joined(argv)]

    def _lost(self, code: int, said: str) -> ConnectionFailed:
        """Return the error for a connection that stood, and broke."""
        text = " ".join(said.split())[-300:]
        return ConnectionFailed(
            f"{self.address}: the connection broke (ssh ended with {code}{': ' + text if text else ''})",
            "check power and network of the device, then run the command again",
        )

    def _refusal(self, code: int, said: str) -> TargetError:
        """Return what ssh said about a connection that was not made, with what to do."""
        host = self._destination.rpartition("@")[2]
        host = f"[{host}]:{self._port}" if self._port not in (None, 22) else host
        for pattern, kind, what, hint in _FAILURES if code == LOST else ():
            if re.search(pattern, said, re.IGNORECASE):
                return kind(f"{self.address}: {what}", hint.format(host=host, command=self._by_hand))
        if code != LOST:
            text = " ".join(said.split())[-300:] or f"exit code {code}"
            return TargetError(f"{self.address}: programs do not run there: {text}", f"look at: {self._by_hand}")
        return self._lost(code, said)


_FAILURES: tuple[tuple[str, type[TargetError], str, str], ...] = (
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED|Host key for .* has changed",
        TargetError,
        "its host key is not the one known here: another device has this address, or it was installed anew",
        'if that is expected: ssh-keygen -R "{host}", then connect once with ssh and compare the fingerprint',
    ),
    (
        "Host key verification failed|No .* host key is known",
        TargetError,
        "its host key is not known here",
        "connect once by hand and compare the fingerprint: {command}",
    ),
    (
        "Permission denied",
        TargetError,
        "it does not let this user in",
        "copy your key there with ssh-copy-id, or name another user with --host or key with --identity",
    ),
    (
        "Too many authentication failures",
        TargetError,
        "it was offered too many keys",
        "name the right one with --identity",
    ),
    ("Unable to negotiate", TargetError, "it speaks no ssh that this machine accepts", "see: {command} -v"),
    (
        "Could not resolve hostname",
        TargetError,
        "there is no host of this name",
        "check --host; the address can be read on the device with: hostname -I",
    ),
    ("Bad configuration option|Bad owner or permissions", TargetError, "ssh refuses its configuration", "see: ssh -v"),
    (
        "Connection refused",
        ConnectionFailed,
        "nothing listens there",
        "is ssh switched on? sudo raspi-config nonint do_ssh 0",
    ),
    (
        "timed out|No route to host|Network is unreachable",
        ConnectionFailed,
        "it cannot be reached",
        "check its power, its network and the address",
    ),
)
