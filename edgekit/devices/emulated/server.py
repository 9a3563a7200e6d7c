"""The process that is the emulated board: it holds its namespaces, and hands every connection to the board's sshd.

    python -m edgekit.devices.emulated.server ROOT

The board has namespaces of its own: processes, mounts, and a network without any interface: it has no internet. Its
stdin is a listening socket: a connection becomes stdin and stdout of an `sshd -i` in there. All ends with this process.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from edgekit.devices.emulated.cpu import CPUINFO

SETUP = (
    'mount --make-rprivate / && mount -t proc proc "$1"/proc && mount -t tmpfs -o mode=755 tmpfs "$1"/dev && '
    'mkdir -m 1777 "$1"/dev/shm && mknod -m 666 "$1"/dev/null c 1 3 && mknod -m 666 "$1"/dev/zero c 1 5 && '
    'mknod -m 666 "$1"/dev/random c 1 8 && mknod -m 666 "$1"/dev/urandom c 1 9 && '
    'mount --bind "$1"/"$2" "$1"/proc/cpuinfo && mount -t tmpfs -o mode=755 tmpfs "$1"/run && mkdir "$1"/run/sshd && '
    "while :; do sleep 3600 & wait $!; done"
)
START_SECONDS = 10.0


def serve(root: Path, listener: socket.socket) -> None:
    """Hold the board until SIGTERM."""
    listener.settimeout(1.0)
    namespaces = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"]
    holder = subprocess.Popen(
        [*namespaces, "sh", "-c", SETUP, "board", str(root), str(CPUINFO)], stdin=subprocess.DEVNULL
    )
    signal.signal(signal.SIGTERM, _stop)
    try:
        first = _first_process(holder)
        inside = ["nsenter", "--target", str(first), "--mount", "--net", "--pid", "chroot", str(root)]
        children: list[subprocess.Popen[bytes]] = []
        while holder.poll() is None:
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            with connection:
                connection.setblocking(True)
                sshd = [*inside, "/usr/sbin/sshd", "-i", "-e", "-f", "/etc/ssh/sshd_config"]
                children.append(subprocess.Popen(sshd, stdin=connection.fileno(), stdout=connection.fileno()))
            children = [child for child in children if child.poll() is None]
    finally:
        holder.kill()  # its child is the first process of the namespace: all others end with it


def _stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def _first_process(holder: subprocess.Popen[bytes]) -> int:
    """Return the process that is number 1 on the board, as numbered here."""
    children = Path(f"/proc/{holder.pid}/task/{holder.pid}/children")
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and holder.poll() is None:
        found = children.read_text().split()
        if found:
            return int(found[0])
        time.sleep(0.02)
    raise SystemExit("the board's namespaces could not be made")


if __name__ == "__main__":
    serve(Path(sys.argv[1]), socket.socket(fileno=0))
