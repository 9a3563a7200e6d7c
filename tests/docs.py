"""Pages of `docs/` that are made from registries. `make docs` writes them; a test compares them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgekit.codes import register
from edgekit.codes.pages import markdown

FOLDER = Path(__file__).parents[1] / "docs"
PAGES: dict[str, Callable[[], str]] = {
    "codes.md": lambda: markdown(register().values()),
}


def write() -> None:
    """Write every page."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in PAGES.items():
        (FOLDER / name).write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    write()
