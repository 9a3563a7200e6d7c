"""What is copied to a device lands below the folder it was meant for: the name is plain, and no link leads elsewhere.

The folder is the user's word, and may be a link. What lies below it may be anybody's: a link there is refused. Names
come from manifests, ONNX files and devices; whoever reads them checks them, and here they are checked again.
"""

from __future__ import annotations

import stat
from pathlib import Path

from edgekit.errors import InputError, TargetError
from edgekit.errors.printable import name_fault, quoted

DEEPEST = 16
"""Folders inside each other that a file may lie in."""
LONGEST = 1024
"""Bytes of a path below a folder."""


def parts_below(name: str) -> tuple[str, ...]:
    """Return the folders and the file's name of a plain relative path.

    Every part is a plain name of a file (see `edgekit.errors.printable.name_fault`): none is `..`, hidden or empty.

    Raises:
        InputError: it is none.
    """
    parts = tuple(name.split("/"))
    fault = next(filter(None, map(name_fault, parts)), None)
    if fault is None and (len(parts) > DEEPEST + 1 or len(name.encode()) > LONGEST):
        fault = f"it is longer than {LONGEST} bytes, or in more than {DEEPEST} folders"
    if fault is not None:
        raise InputError(
            f"{quoted(name)}: not the name of a file to copy: {fault}",
            "rename the file: expected printable characters, and no way out of its folder",
            code="path-invalid",
        )
    return parts


def a_link(address: str, place: str) -> TargetError:
    """Return the error for a link in the way."""
    return TargetError(
        f"{address}: {place} is a link; nothing was written through it",
        "remove it, or choose another folder",
        code="device-path-refused",
    )


def not_a_file(address: str, place: str) -> TargetError:
    """Return the error for a folder, a pipe or a device where a file should be."""
    return TargetError(
        f"{address}: {place} exists and is not a file",
        "remove it, or choose another --dest",
        code="device-path-refused",
    )


def local_path(folder: Path, name: str, address: str) -> Path:
    """Return where a file lies below a folder of this machine; the folders between are made.

    Raises:
        InputError: the name is not plain.
        TargetError: one of them is a link, or something else is in the way.
        OSError: a folder cannot be made.
    """
    *between, last = parts_below(name)
    place = folder
    for part in between:
        place = place / part
        if place.is_symlink():
            raise a_link(address, str(place))
        place.mkdir(exist_ok=True)
    place = place / last
    if place.is_symlink():
        raise a_link(address, str(place))
    try:
        regular = stat.S_ISREG(place.lstat().st_mode)
    except FileNotFoundError:
        return place
    if not regular:
        raise not_a_file(address, str(place))
    return place
