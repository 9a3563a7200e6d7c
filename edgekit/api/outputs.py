"""Files that functions write beside what they return."""

from __future__ import annotations

import os
from pathlib import Path

from edgekit.errors import InputError, OutputError
from edgekit.files.whole import atomic_file
from edgekit.schema.document import read_text


def write_own(path: Path, text: str, head: str) -> None:
    """Write a report; what is there is replaced only if it is an earlier one.

    Args:
        path: of the file.
        text: to write.
        head: how every report of this kind begins.

    Raises:
        OutputError: something else is there, or it cannot be written.
    """
    if os.path.lexists(path) and not _begins(path, head):
        raise OutputError(
            f"{path}: is there and was not written by edgekit, so it is not replaced",
            "choose another name, or move it away",
            code="output-not-ours",
        )
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _begins(path: Path, head: str) -> bool:
    try:
        return not path.is_symlink() and read_text(path, "report").startswith(head)
    except InputError:
        return False


def append_text(path: Path, text: str) -> None:
    """Write a text behind what is in a file.

    Raises:
        InputError: what is there is no text.
        OutputError: it cannot be written.
    """
    before = read_text(path, "Markdown file") if os.path.lexists(path) else ""
    gap = "" if not before or before.endswith("\n\n") else "\n" if before.endswith("\n") else "\n\n"
    with atomic_file(path) as temporary:
        temporary.write_text(before + gap + text, encoding="utf-8")
