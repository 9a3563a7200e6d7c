"""How edgekit starts Python: nothing of the current folder, and here and on devices nothing of a home folder.

A folder that a program happens to start in may hold a `json.py` or a `numpy.py` of somebody's. On a device Python runs
isolated (`-I`: no current folder, no folder of the script, no PYTHON* variables, no user's site-packages with their
`usercustomize` and `.pth` files) and writes no bytecode (`-B`). Both options are as old as Python 3.4.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

ISOLATED = ("-I", "-B")


def isolated(python: str, *arguments: str) -> list[str]:
    """Return the argv that runs an interpreter of a device, or of this machine, on its own modules only.

    Args:
        python: the interpreter.
        arguments: `-c` and a program, or a script, and what follows.
    """
    return [python, *ISOLATED, *arguments]


def folders_with(modules: Sequence[str]) -> tuple[str, ...]:
    """Return the folders of our `sys.path` that hold one of these packages.

    An isolated Python may not look there: they may be the user's site-packages, or come from PYTHONPATH.
    """
    folders = [place for place in sys.path if os.path.isabs(place)]  # noqa: PTH117 - '' is the current folder
    return tuple(place for place in folders if any(Path(place, name, "__init__.py").is_file() for name in modules))


def module_argv(name: str, *arguments: str) -> list[str]:
    """Return the argv that runs a module with this Python; one of edgekit's needs its `environment`."""
    return [sys.executable, "-P", "-m", name, *arguments]


def environment() -> dict[str, str]:
    """Return the environment of an edgekit process: it finds the modules that this one found."""
    own = str(Path(__file__).parents[2])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys([*filter(None, sys.path), own]))}
