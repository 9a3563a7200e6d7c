"""Errors of the system, which any library may hand on, as explained ones."""

from __future__ import annotations

import os

from edgekit.errors import EdgekitError
from edgekit.files.temporary import of_temporaries


def explained(error: Exception) -> EdgekitError | None:
    """Return the explained failure that an exception is: also what the system says of a path, wherever it came from."""
    if isinstance(error, EdgekitError):
        return error
    if isinstance(error, OSError) and (full := of_temporaries(error)) is not None:
        return full
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        named = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else str(error.filename)
        shown = named if len(named) < 200 else named[:200] + "…"
        return EdgekitError(f"{shown}: {error.strerror}", code=_code(error))
    if isinstance(error, ValueError) and "embedded null" in str(error):
        return EdgekitError("a path holds a NUL character", code="path-invalid")
    return None


def _code(error: OSError) -> str:
    return "file-missing" if isinstance(error, (FileNotFoundError, NotADirectoryError)) else "file-unreadable"
