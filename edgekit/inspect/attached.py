"""Files that were attached behind a .tflite file: labels and vocabularies, as a zip archive at its end."""

from __future__ import annotations

import zipfile
from pathlib import Path

SHOWN = 12


def attached(path: Path) -> dict[str, str]:
    """Return a line for the description that names the attached files, or nothing.

    Nothing is unpacked. What looks like an archive and is none is left alone: runtimes do not read it either.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, OverflowError, UnicodeDecodeError):
        return {}
    names = [f"{entry.filename} ({entry.file_size:,} bytes)" for entry in entries]
    more = [f"and {len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return {"associated files": ", ".join(names[:SHOWN] + more)} if names else {}
