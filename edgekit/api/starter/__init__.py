"""Files to start from: `data.py`, which gives edgekit the user's data, a recipe, a budget, and a workflow."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from edgekit.errors import OutputError
from edgekit.files.destinations import prove
from edgekit.files.whole import atomic_file, explained_write_errors

FILES = ("data.py", "recipe.toml", "budget.toml", "edgekit.yml")


def write_starter(folder: Path, *, force: bool = False) -> tuple[Path, ...]:
    """Write the files into a folder, which is made if it is not there; return their paths.

    Args:
        folder: where to.
        force: replace files that exist.

    Raises:
        OutputError: a file exists and `force` is not set, or cannot be written; then none is.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file", "give the name of a folder", code="output-exists")
    paths = tuple(folder / name for name in FILES)
    for path in paths:
        if path.is_dir() or ((path.exists() or path.is_symlink()) and not force):
            hint = "add --force to replace it, or give another folder"
            raise OutputError(f"{path}: exists already", hint, code="output-exists")
    prove(folder, into=True)
    with explained_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        text = resources.files("edgekit.api.starter").joinpath(path.name).read_text(encoding="utf-8")
        with atomic_file(path, replace=force) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return paths
