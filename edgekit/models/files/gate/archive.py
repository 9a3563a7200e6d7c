"""`.keras` archives, read member by member: none larger than it says, all of them in proportion to the file."""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path

MAX_MEMBERS = 10_000
MAX_EXPANSION = 200
"""An archive that grows by more than this, to more than `EXPANSION_FLOOR` bytes, is refused as a bomb."""
EXPANSION_FLOOR = 256 << 20
PIECE = 1 << 20


class Bomb(Exception):
    """The archive would grow out of proportion, or says different things in two places; the text says how."""


def check_archive(archive: zipfile.ZipFile, size: int) -> None:
    """Look at an archive's list of members.

    Args:
        archive: open.
        size: of the file, in bytes.

    Raises:
        Bomb: it would grow out of proportion, or a name is in it twice.
    """
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise Bomb(f"holds {len(members):,} files, so it is not opened")
    twice = [name for name, count in Counter(member.filename for member in members).items() if count > 1]
    if twice:
        raise Bomb(f"holds `{twice[0]}` twice, so it is not opened")
    expanded = sum(member.file_size for member in members)
    if expanded > max(EXPANSION_FLOOR, MAX_EXPANSION * size):
        raise Bomb(f"would grow to {expanded >> 20} MiB when unpacked, so it is not opened")


def extract(archive: zipfile.ZipFile, name: str, to: Path) -> None:
    """Write one member to a file whose name the archive has no say in.

    Raises:
        zipfile.BadZipFile, zlib.error, OSError: as for reading archives.
    """
    with archive.open(name) as source, to.open("xb") as copy:
        while piece := source.read(PIECE):
            copy.write(piece)
