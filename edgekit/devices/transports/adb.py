"""A phone reached through the system's `adb`.

adb before Android 7 knows no exit codes and mixes stdout with stderr, so programs run under `shell.LIFELINE`, whose
last line tells how they ended. adb ends with code 1 for its own troubles too, told apart by that line.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.devices.transports import shell
from edgekit.devices.transports.address import Address
from edgekit.devices.transports.base import ANSWER_BYTES, Channel, Completed, Deadline, OnLine, Transport
from edgekit.devices.transports.below import not_a_file
from edgekit.devices.transports.process import ProcessChannel, run_process, run_tied, too_long
from edgekit.errors import ConnectionFailed, EdgekitError, InputError, TargetError
from edgekit.progress import Progress

HOME = "/data/local/tmp"
"""Where adb's user may write and run programs; it has no home folder."""
LIST_SECONDS = 30.0
_FILE = f'[ ! -L "$1" ] || exit {shell.LINK}; [ ! -d "$1" ] || exit {shell.LINK}; [ -f "$1" ] || exit 1'
_STATES = {
    "unauthorized": "unlock it and allow USB debugging for this computer",
    "offline": "plug it in again, or: adb reconnect",
    "no permissions": "add a udev rule (package android-sdk-platform-tools-common), then plug it in again",
    "recovery": "start it normally",
    "sideload": "start it normally",
}


def connect(address: Address, progress: Progress) -> Transport:
    """Reach a phone, by its serial number (see `registry.Connector`)."""
    return AdbTransport(address.serial)


class AdbTransport:
    """Runs programs over adb.

    Args:
        serial: which device; None: the only one there is.

    Raises:
        InputError: there is no adb, no such device, or several and none was named.
        TargetError: the device is there and not usable.
    """

    def __init__(self, serial: str | None = None) -> None:
        if shutil.which("adb") is None:
            raise InputError(
                "`adb` is not installed on this machine", "install it: apt install adb", code="program-missing"
            )
        self.address = _choose(_devices(), serial)
        self._adb = ["adb", "-s", self.address]

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        env: Mapping[str, str] | None = None,
        on_line: OnLine | None = None,
    ) -> Completed:
        """Run a program there (see `Transport.run`)."""
        command = shell.joined(shell.script(shell.LIFELINE, *shell.with_env(argv, {"HOME": HOME, **(env or {})})))
        code, out, err = run_process(
            [*self._adb, "shell", command],
            timeout=timeout,
            what=f"{self.address}: {argv[0]}",
            stdin=subprocess.PIPE,
            on_line=on_line,
        )
        printed, said = out.decode("utf-8", "replace"), err.decode("utf-8", "replace")
        status, said = shell.exit_code(said)
        if status is None:  # adb of old: all in one stream
            status, printed = shell.exit_code(printed)
        if status is None:
            raise self._failure(f"{said} {printed}", code)
        return Completed(tuple(argv), status, printed, said)

    def start(self, argv: Sequence[str]) -> Channel:
        """Start a program there (see `Transport.start`)."""
        return ProcessChannel([*self._adb, "shell", shell.joined(shell.with_env(argv, {"HOME": HOME}))])

    def put(self, local: Path, folder: str, name: str, digest: str, *, timeout: float) -> int:
        """Copy a file there (see `Transport.put`); adb always starts from the beginning."""
        deadline = Deadline(timeout, f"copying {local.name} to {self.address}")
        remote = f"{folder}/{name}"
        ready = self.run(shell.below(shell.REMOVE, folder, name, digest), timeout=deadline.left())
        if ready.returncode != 0:
            raise shell.refused(self.address, remote, ready.stderr or ready.stdout)
        part = f"{remote.rpartition('/')[0]}/{shell.part_name(remote.rpartition('/')[2], digest)}"
        code, out, err = run_tied([*self._adb, "push", str(local.absolute()), part], timeout=deadline.left())
        said = (out + err).decode("utf-8", "replace")
        if code != 0:
            if re.search("failed to copy|remote ", said):
                self.run(shell.below(shell.REMOVE, folder, name, digest), timeout=deadline.left())
                raise shell.refused(self.address, remote, said)
            raise self._failure(said, code)
        settled = self.run(shell.below(shell.SETTLE, folder, name, digest, digest), timeout=deadline.left())
        if settled.returncode != 0:
            raise shell.unsettled(self.address, remote, settled.returncode, settled.stderr or settled.stdout)
        return local.stat().st_size

    def get(self, remote: str, local: Path, *, timeout: float, limit: int = ANSWER_BYTES) -> None:
        """Copy a file from there (see `Transport.get`).

        What is a folder or a link on the device would become files here by names of its choice, and adb knows no
        limit: the shell that starts it sets one (POSIX: `ulimit -f`, in blocks of 512 bytes).
        """
        kind = self.run(shell.script(_FILE, remote), timeout=timeout)
        if kind.returncode == shell.LINK:
            raise not_a_file(self.address, remote)
        if kind.returncode != 0:
            raise FileNotFoundError(f"{self.address}: {remote}")
        local.unlink(missing_ok=True)
        limited = shell.script('ulimit -f "$1"; shift; exec "$@"', str(limit // 512 + 1), *self._adb)
        code, out, err = run_tied([*limited, "pull", remote, str(local.absolute())], timeout=timeout)
        said = (out + err).decode("utf-8", "replace")
        if local.is_symlink() or (local.exists() and not local.is_file()):
            raise not_a_file(self.address, remote)
        if code == -signal.SIGXFSZ or "File too large" in said or (local.is_file() and local.stat().st_size > limit):
            local.unlink(missing_ok=True)
            raise too_long(f"{self.address}: {remote}", limit)
        if code != 0:
            local.unlink(missing_ok=True)
            if "does not exist" in said or "No such file" in said:
                raise FileNotFoundError(f"{self.address}: {remote}")
            raise self._failure(said, code)

    def close(self) -> None:
        """Do nothing: adb's server stays, as it was."""

    def _failure(self, said: str, code: int) -> TargetError:
        text = " ".join(said.split())[-300:]
        if "unauthorized" in text:
            return TargetError(f"{self.address}: is `unauthorized`", _STATES["unauthorized"], code="phone-not-ready")
        return ConnectionFailed(
            f"{self.address}: the connection broke (adb ended with {code}: {text or 'no output'})",
            "check the cable, then run the command again",
            code="connection-lost",
        )


def _devices() -> dict[str, str]:
    """Return the state of every device by serial number."""
    try:
        code, out, err = run_process(["adb", "devices", "-l"], timeout=LIST_SECONDS)
    except TimeoutError as error:
        raise TargetError(
            f"`adb` gave no answer within {LIST_SECONDS:g} s",
            "restart it: adb kill-server; then run the command again",
            code="adb-failed",
        ) from error
    if code != 0:
        raise EdgekitError(
            f"`adb devices` failed: {err.decode('utf-8', 'replace').strip()[-300:]}",
            "restart it: adb kill-server",
            code="adb-failed",
        )
    return parse_devices(out.decode("utf-8", "replace"))


def parse_devices(text: str) -> dict[str, str]:
    """Read what `adb devices -l` prints: the state of every device by serial number."""
    found = {}
    for line in text.partition("List of devices attached")[2].splitlines():
        match = re.match(r"(\S+)\s+(no permissions|\S+)", line)
        if match:
            found[match[1]] = match[2]
    return found


def _choose(devices: Mapping[str, str], serial: str | None) -> str:
    there = ", ".join(f"{name} ({state})" for name, state in devices.items()) or "none"
    if not devices:
        raise TargetError(
            "adb lists no device", "plug it in, enable USB debugging, and look at: adb devices", code="phone-not-found"
        )
    if serial is None:
        ready = [name for name, state in devices.items() if state == "device"]
        if len(ready) > 1:
            raise InputError(
                f"adb lists several devices: {there}", "name one with --host SERIAL", code="phone-not-found"
            )
        serial = ready[0] if ready else next(iter(devices))
    if serial not in devices:
        raise InputError(
            f"adb lists no device `{serial}`; listed: {there}", "look at: adb devices", code="phone-not-found"
        )
    state = devices[serial]
    if state != "device":
        raise TargetError(f"{serial}: is `{state}`", _STATES.get(state, "look at: adb devices"), code="phone-not-ready")
    return serial
