"""Build, start and stop the emulated board."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import shutil
import signal
import socket
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from edgekit.devices.emulated.cpu import CPU, describe
from edgekit.devices.transports.local import LocalTransport
from edgekit.devices.transports.ssh import known_name
from edgekit.errors import TargetError
from edgekit.files.whole import atomic_folder, locked, work_base, write_json
from edgekit.processes.python import environment, isolated, module_argv
from edgekit.progress import SILENT, Progress
from edgekit.schema.gate import read, read_json
from edgekit.schema.rules import Natural, Range

SUITE = "bookworm"
"""64-bit Raspberry Pi OS 12 is made from this release of Debian; its Python is 3.11."""
PACKAGES = (
    "python3-minimal", "libpython3-stdlib", "openssh-server", "bash", "dash", "coreutils", "libc-bin", "sed", "grep",
    "tar", "gzip", "procps", "util-linux", "libstdc++6", "libatomic1",
)  # fmt: skip
USER, UID = "pi", 1000
TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "qemu-aarch64-static": "qemu-user-static",
    "ssh-keygen": "openssh-client",
    "ssh": "openssh-client",
    "unshare": "util-linux",
    "nsenter": "util-linux",
}
BINFMT = Path("/proc/sys/fs/binfmt_misc")
BINFMT_RULE = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")
MARKER = "edgekit-board.json"
STOP_SECONDS = 10.0
SSHD_CONFIG = f"""\
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile .ssh/authorized_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
MaxSessions 50
SetEnv QEMU_CPU={CPU}
"""


@dataclass(frozen=True)
class Running:
    """A board that is up.

    Attributes:
        pid: of the process that holds it.
        started: its start time in clock ticks since boot, so that a reused number is not taken for it.
        port: of 127.0.0.1.
    """

    pid: Natural
    started: Natural
    port: Annotated[int, Range(1, 65535)]

    @property
    def destination(self) -> str:
        """Where to ssh to."""
        return f"{USER}@127.0.0.1"

    @property
    def identity(self) -> Path:
        """The private key that the board lets in."""
        return folder() / "ssh" / "id_ed25519"

    @property
    def options(self) -> tuple[str, ...]:
        """Ssh options: the board's host key is known, in a file of its own."""
        return (f'UserKnownHostsFile="{folder() / "ssh" / "known_hosts"}"', "StrictHostKeyChecking=yes")


def folder() -> Path:
    """Return where the board lies."""
    return work_base() / "boards" / "rpi4-emulated"


def status() -> Running | None:
    """Return the running board, or None."""
    path = folder() / "running.json"
    if not path.exists():
        return None
    what = "state of an emulated board"
    found: Running = read(Running, read_json(path, what), str(path), what, "delete it")
    return found if _start_time(found.pid) == found.started else None


def up(progress: Progress = SILENT, port: int | None = None) -> Running:
    """Build the board if there is none, and start it if it is not up.

    Args:
        progress: notified of every step.
        port: of 127.0.0.1; None: a free one.

    Raises:
        TargetError: something is missing here, or not allowed; said with what to install.
    """
    _check_host()
    folder().mkdir(parents=True, exist_ok=True)
    with locked(folder() / "lock", "another edgekit is building or starting the emulated board"):
        running = status()
        if running is not None:
            if port not in (None, running.port):
                raise TargetError(
                    f"--port {port}: the emulated board is already running on port {running.port}",
                    "stop it first: edgekit targets emulate down",
                    code="port-taken",
                )
            return running
        listener = _listen(port)
        _register()
        root = folder() / "root"
        if not (root / MARKER).exists():
            progress.notify(f"building an ARM64 userland from Debian {SUITE} (10 to 60 s, 210 MB)")
            with atomic_folder(root, force=True, marker=MARKER) as temporary:
                _build(temporary)
        _compile(root)
        _keys(root)
        describe(root)
        running = _start(root, listener)
        write_json(folder() / "running.json", asdict(running))
    return running


def down(*, remove: bool = False) -> bool:
    """Stop the board; return whether it was up.

    Args:
        remove: delete its files, too.
    """
    running = status()
    if running is not None:
        os.kill(running.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while _start_time(running.pid) == running.started and time.monotonic() < deadline:
            time.sleep(0.05)
    (folder() / "running.json").unlink(missing_ok=True)
    if remove:
        shutil.rmtree(folder(), ignore_errors=True)
    return running is not None


def _check_host() -> None:
    missing = sorted({package for tool, package in TOOLS.items() if shutil.which(tool) is None})
    if missing:
        raise TargetError(
            f"an emulated board needs Debian packages that are not installed: {', '.join(missing)}",
            f"sudo apt install {' '.join(missing)}",
            code="program-missing",
        )
    if os.geteuid() != 0:
        raise TargetError(
            "an emulated board needs root, to register QEMU for ARM programs and to make namespaces",
            "run as root in a container or virtual machine of your CI",
            code="board-failed",
        )


def _register() -> None:
    """Let the kernel run ARM64 programs through QEMU, also inside the board's root."""
    if not (BINFMT / "register").exists():
        _tool(["mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT)], "this kernel cannot run foreign programs")
    if (BINFMT / "qemu-aarch64").exists():
        return
    if not BINFMT_RULE.exists():
        raise TargetError(
            f"{BINFMT_RULE} is missing", "sudo apt install --reinstall qemu-user-static", code="program-missing"
        )
    try:
        (BINFMT / "register").write_text(BINFMT_RULE.read_text().strip())
    except OSError as error:
        raise TargetError(
            f"QEMU cannot be registered for ARM64 programs: {error.strerror}",
            "this kernel may not allow binfmt_misc; see: dmesg",
            code="board-failed",
        ) from error


def _build(root: Path) -> None:
    packages = ",".join(PACKAGES)
    _tool(
        ["mmdebstrap", "--quiet", "--variant=extract", "--arch=arm64", f"--include={packages}", SUITE, str(root)],
        "the ARM64 userland could not be made",
    )
    etc = root / "etc"
    (etc / "passwd").write_text(
        "root:*:0:0:root:/root:/bin/bash\n"
        f"{USER}:*:{UID}:{UID}:{USER}:/home/{USER}:/bin/bash\n"
        "sshd:*:100:65534::/run/sshd:/usr/sbin/nologin\nnobody:*:65534:65534::/nonexistent:/usr/sbin/nologin\n"
    )
    (etc / "group").write_text(f"root:x:0:\n{USER}:x:{UID}:\nnogroup:x:65534:\n")
    (etc / "hostname").write_text("rpi4-emulated\n")
    (etc / "ssh" / "sshd_config").write_text(SSHD_CONFIG)
    (root / "home" / USER).mkdir(mode=0o700)
    os.chown(root / "home" / USER, UID, UID)
    write_json(root / MARKER, {"suite": SUITE, "cpu": CPU})


def _compile(root: Path) -> None:
    """Compile the board's standard library, as apt does on a board, if this Python is of the same version."""
    library = root / "usr" / "lib" / "python{}.{}".format(*sys.version_info)
    if library.is_dir() and not (library / "__pycache__").exists():
        # What does not compile (templates) is left as it is.
        LocalTransport().run(
            isolated(sys.executable, "-m", "compileall", "-q", "-s", str(root), str(library)), timeout=math.inf
        )


def _keys(root: Path) -> None:
    """Make the board's host key and the key it lets in; tell ssh of the former."""
    ssh = folder() / "ssh"
    ssh.mkdir(mode=0o700, exist_ok=True)
    host_key, client_key = root / "etc" / "ssh" / "ssh_host_ed25519_key", ssh / "id_ed25519"
    for key in (host_key, client_key):
        if not key.exists():
            _tool(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "edgekit", "-f", str(key)], "no key was made")
    _let_in(root, client_key.with_suffix(".pub").read_text())


def _let_in(root: Path, public_key: str) -> None:
    folder_ = root / "home" / USER / ".ssh"
    folder_.mkdir(mode=0o700, exist_ok=True)
    (folder_ / "authorized_keys").write_text(public_key)
    for path in (folder_, folder_ / "authorized_keys"):
        os.chown(path, UID, UID)


def _start(root: Path, listener: socket.socket) -> Running:
    log, port = folder() / "board.log", int(listener.getsockname()[1])
    with listener:
        pid = _spawn(module_argv("edgekit.devices.emulated.server", str(root)), log, listener)
    key = (root / "etc" / "ssh" / "ssh_host_ed25519_key.pub").read_text().split()
    (folder() / "ssh" / "known_hosts").write_text(f"{known_name('127.0.0.1', port)} {key[0]} {key[1]}\n")
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline and (started := _start_time(pid)) is not None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=STOP_SECONDS) as probe:
                if probe.recv(4) == b"SSH-":
                    return Running(pid, started, port)
        except OSError:
            time.sleep(0.1)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    said = " ".join(log.read_text(errors="replace").split())[-300:]
    raise TargetError(
        f"the emulated board did not start: {said or 'no reason was given'}", f"see {log}", code="board-failed"
    )


def _spawn(argv: list[str], log: Path, stdin: socket.socket) -> int:
    """Start a process that outlives us, and return its number."""
    writing = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    return os.posix_spawn(
        argv[0],
        argv,
        environment(),
        file_actions=[
            (os.POSIX_SPAWN_DUP2, stdin.fileno(), 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), writing, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def _listen(port: int | None) -> socket.socket:
    """Take a port of 127.0.0.1, by default a free one.

    Raises:
        TargetError: it is taken.
    """
    try:
        return socket.create_server(("127.0.0.1", port or 0))
    except OSError as error:
        why = "is used by another program" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}"
        raise TargetError(
            f"--port {port}: {why}", "leave --port out for a free one, or name another", code="port-taken"
        ) from error


def _start_time(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None if there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


def _tool(argv: list[str], what: str) -> None:
    done = LocalTransport().run(argv, timeout=math.inf)
    if done.returncode != 0:
        raise TargetError(f"{what}: {argv[0]}: {' '.join(done.stderr.split())[-300:]}", "", code="board-failed")
