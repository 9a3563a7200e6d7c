"""Importing the user's own Python, which they name on the command line."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType


@contextmanager
def importable(place: str) -> Iterator[None]:
    """Let modules be imported from the current folder, or, for a `.py` file, from that file's."""
    folder = str(Path(place).expanduser().resolve().parent if place.endswith(".py") else Path.cwd())
    sys.path.insert(0, folder)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        with suppress(ValueError):  # the user's code may have taken it out
            sys.path.remove(folder)


def module_of_file(path: Path, title: str) -> ModuleType:
    """Run a `.py` file as the module `title`, which takes the place of none that is imported already.

    Raises:
        ImportError: it is not a Python file.
    """
    spec = importlib.util.spec_from_file_location(title, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(title, module)
    spec.loader.exec_module(module)
    return module
