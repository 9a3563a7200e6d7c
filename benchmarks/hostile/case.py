"""What a case is, and the files outside its folder that nothing may touch."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

SECRET = b"canary 5f1d9c\n"
_LIBC = ctypes.CDLL(None, use_errno=True)
_EVENTS = {
    0x1: "read", 0x2: "written", 0x4: "changed", 0x20: "opened", 0x40: "moved", 0x80: "moved", 0x100: "written",
    0x200: "deleted", 0x400: "deleted", 0x800: "moved",
}  # fmt: skip
"""inotify(7): IN_ACCESS and its siblings."""
_DIRECTORY = 0x40000000
_HEAD = struct.Struct("iIII")


class Canary:
    """A folder outside the case's own, watched by the kernel.

    Args:
        folder: made anew.

    Attributes:
        secret: a file to be read; an image, so that whoever decodes it sees that it was.
        victim: a file to be overwritten or deleted.
        folder: with more than one file in it, to be deleted as a whole.
        marker: a path in it where no file is, to be created.
        command: a shell command that creates `marker`.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.secret, self.victim, self.marker = (folder / name for name in ("secret.txt", "victim.txt", "marker"))
        self.secret.write_bytes(SECRET)
        self.victim.write_bytes(SECRET)
        self.command = f"touch {self.marker}"
        self._watch = _LIBC.inotify_init1(os.O_NONBLOCK)
        if self._watch < 0 or _LIBC.inotify_add_watch(self._watch, os.fsencode(folder), sum(_EVENTS)) < 0:
            raise OSError(ctypes.get_errno(), "inotify does not work here")

    def touched(self) -> list[str]:
        """Return what happened since the last call, such as `secret.txt opened`, each once; listing does not count."""
        found: dict[str, None] = {}
        while True:
            try:
                buffer = os.read(self._watch, 1 << 16)
            except BlockingIOError:
                return list(found)
            place = 0
            while place < len(buffer):
                _, mask, _, length = _HEAD.unpack_from(buffer, place)
                name = buffer[place + _HEAD.size : place + _HEAD.size + length].rstrip(b"\0").decode("utf-8", "replace")
                place += _HEAD.size + length
                if mask & _DIRECTORY and not mask & 0xFC0:
                    continue
                found.update((f"{name or 'folder'} {what}", None) for bit, what in _EVENTS.items() if mask & bit)

    def close(self) -> None:
        """Stop watching."""
        os.close(self._watch)


@dataclass(frozen=True)
class Case:
    """One hostile input and the command that gets it.

    Attributes:
        kind: what is wrong, the row of the table that counts it.
        name: of the case, unique within its part.
        make: writes the files into the current folder, which is empty and the case's own, and returns edgekit's
            arguments. It runs in the forked process, and touches no canary: it only names them.
        timeout: seconds after which the command counts as hanging.
        may_work: False where exit code 0 is wrong, because what the file asks for must be refused.
        environment: variables to set.
    """

    kind: str
    name: str
    make: Callable[[Canary], Sequence[str]]
    timeout: float = 60
    may_work: bool = True
    environment: tuple[tuple[str, str], ...] = ()
