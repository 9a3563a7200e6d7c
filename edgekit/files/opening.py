"""Files that a user names or a folder holds: opened only if they are files, and only where they may be."""

from __future__ import annotations

import errno
import os
import stat
import unicodedata
from pathlib import Path
from typing import BinaryIO

from edgekit.errors import InputError

_KINDS = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_REASONS = {
    errno.ELOOP: ("path-invalid", "a symbolic link that leads back to itself"),
    errno.ENAMETOOLONG: ("path-invalid", "the name is too long for a file"),
    errno.EACCES: ("file-unreadable", "cannot be read: permission denied"),
    errno.EPERM: ("file-unreadable", "cannot be read: permission denied"),
}
"""Errors of the operating system -> the code and the message."""
_BRIEF = 300
_ABSENT = (errno.ENOENT, errno.ENOTDIR)
_KEPT = ("Zs",)
_JOINERS = "\u200c\u200d"
"""Invisible, and a part of words in Persian and Hindi, and of emoji."""


def kind(path: Path) -> str:
    """Return what is at a path, links followed: `a file`, `a folder`, `a named pipe`, ...; empty if there is nothing.

    Raises:
        InputError: no file can have that name, or it may not be looked at.
    """
    try:
        return _KINDS.get(stat.S_IFMT(path.stat().st_mode), "not a regular file")
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in _ABSENT:
            return ""
        raise _refused(path, error) from error


def exists(path: Path) -> bool:
    """Return whether anything is at a path; not where no file can have that name."""
    try:
        return bool(kind(path))
    except InputError:
        return False


def is_file(path: Path) -> bool:
    """Return whether a file is there; as `kind`."""
    return kind(path) == "a file"


def is_folder(path: Path) -> bool:
    """Return whether a folder is there; as `kind`."""
    return kind(path) == "a folder"


def check_readable(path: Path) -> None:
    """Raise `InputError` if there is something at a path that is neither a file nor a folder, such as a pipe."""
    actual = kind(path)
    if actual not in ("", "a file", "a folder"):
        raise _not_a_file(path, actual)


def expanded(path: str) -> Path:
    """Return a path as typed, with `~` and `~user` in full.

    Raises:
        InputError: there is no such user, or no file can have that name.
    """
    if "\0" in path:
        raise InputError(f"{brief(path)}: the name contains a NUL byte", "check the path", code="path-invalid")
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"{brief(path)}: no such home folder", "give the path in full", code="path-invalid") from error


def inside(path: Path, root: Path) -> Path:
    """Return where a path inside a folder leads, links followed.

    Raises:
        InputError: it leads out of the folder.
    """
    top, real = os.path.realpath(root), os.path.realpath(path)
    if real != top and not real.startswith(os.path.join(top, "")):  # noqa: PTH118 - a prefix ends in a slash
        raise InputError(
            f"{brief(path)}: is a link that leaves `{brief(root)}`, to `{brief(real)}`",
            "replace the link with the file it leads to: edgekit reads nothing outside the folder it is given",
            code="link-leaves-folder",
        )
    return Path(real)


def open_file(path: Path, root: Path | None = None, *, follow: bool = True, hint: str = "") -> BinaryIO:
    """Open a file for reading, without waiting for anybody.

    Args:
        path: the file.
        root: a folder that it may not lead out of.
        follow: whether the file may be a link.
        hint: what to do if there is no such file.

    Raises:
        InputError: it is missing, may not be read, is no file but a folder, a pipe or a device, or leads out of `root`.
    """
    real = path if root is None else inside(path, root)
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    flags |= 0 if follow and root is None else os.O_NOFOLLOW
    if (actual := kind(real)) != "a file":  # a device may do something when it is opened
        raise _not_a_file(path, actual, hint)
    try:
        stream = os.fdopen(os.open(real, flags), "rb")
    except OSError as error:
        raise _refused(path, error) from error
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise _not_a_file(path, "not a regular file")
    return stream


def plain(text: object) -> str:
    """Return a text or path that can be printed and stored, whatever it holds.

    Control characters, those that change the direction of writing, and bytes that are no text become what Python would
    escape them to.
    """
    return "".join(c if c.isprintable() or _harmless(c) else _escaped(c) for c in str(text))


def brief(path: object) -> str:
    """Return `plain` of a path, without the middle of a very long one."""
    text = plain(path)
    return text if len(text) <= _BRIEF else f"{text[: _BRIEF // 2]}...{text[-_BRIEF // 2 :]}"


def _harmless(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character) in _KEPT


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def _not_a_file(path: Path, actual: str, hint: str = "") -> InputError:
    if not actual:
        return InputError(f"{brief(path)}: no such file", hint, code="file-missing")
    if actual != "a folder":
        hint = "write its content into a file and give that"
    return InputError(f"{brief(path)}: is {actual}, expected a file", hint, code="not-a-file")


def _refused(path: Path, error: Exception) -> InputError:
    if isinstance(error, OSError):
        code, why = _REASONS.get(error.errno or 0, ("file-unreadable", f"cannot be read: {error.strerror}"))
    else:
        code, why = "path-invalid", "not a possible file name"
    return InputError(f"{brief(path)}: {why}", "check the path", code=code)
