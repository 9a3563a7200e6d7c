"""Files that were attached behind a .tflite file: labels and vocabularies, as a zip archive at its end."""

from __future__ import annotations

import zipfile
from pathlib import Path

from edgekit.errors.printable import visible

SHOWN, LONGEST = 12, 200


def attached(path: Path) -> dict[str, str]:
    """Return a line for the description that names the attached files, or nothing.

    Nothing is unpacked. What looks like an archive and is none is left alone: runtimes do not read it either.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, OverflowError, UnicodeDecodeError):
        return {}
    names = [f"{visible(entry.filename[:LONGEST])} ({entry.file_size:,} bytes)" for entry in entries[:SHOWN]]
    more = [f"and {len(entries) - SHOWN} more"] if len(entries) > SHOWN else []
    return {"associated files": ", ".join(names + more)} if names else {}
