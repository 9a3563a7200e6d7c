"""The formats of a report: their names, the suffixes of their files, and what writes each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgekit.errors import InputError
from edgekit.errors.printable import quoted
from edgekit.reporting.contents import Contents
from edgekit.reporting.formats import csv_rows, document, markdown, terminal
from edgekit.schema.toml import nearest
from edgekit.text.columns import PLAIN, Look

TERMINAL, MARKDOWN, CSV, JSON, HTML = FORMATS = ("terminal", "md", "csv", "json", "html")
SUFFIXES = {
    ".txt": TERMINAL, ".md": MARKDOWN, ".markdown": MARKDOWN, ".csv": CSV, ".json": JSON, ".html": HTML,
    ".htm": HTML,
}  # fmt: skip


def format_for(out: Path | None, wanted: str | None) -> str:
    """Return the format of a report.

    Args:
        out: the file that it is written to; None: it is shown.
        wanted: a name of `FORMATS`; None: as the suffix of `out` says.

    Raises:
        InputError: there is no such format, or the suffix is none of `SUFFIXES`.
    """
    if wanted is not None:
        if wanted not in FORMATS:
            message = f"`--format` is {quoted(wanted)}, expected one of {', '.join(FORMATS)}"
            raise InputError(message, nearest(wanted, FORMATS), code="unknown-name")
        return wanted
    if out is None:
        return TERMINAL
    if out.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"{out}: no format of a report has the suffix {quoted(out.suffix)}",
            f"end the name in {', '.join(SUFFIXES)}, or give `--format`",
            code="report-format-unknown",
        )
    return SUFFIXES[out.suffix.lower()]


def rendered(contents: Contents, name: str, look: Look = PLAIN) -> str:
    """Return a report in a format, which ends in a newline.

    Args:
        contents: of the report.
        name: of `FORMATS`.
        look: of a terminal's.
    """
    if name == TERMINAL:
        return f"{terminal.text(contents, look)}\n"
    return WRITERS[name](contents)


def _html(contents: Contents) -> str:
    from edgekit.reporting.html.page import page

    return page(contents)


WRITERS: dict[str, Callable[[Contents], str]] = {
    MARKDOWN: markdown.text, CSV: csv_rows.text, JSON: document.text, HTML: _html,
}  # fmt: skip
