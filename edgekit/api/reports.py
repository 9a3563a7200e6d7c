"""`edgekit report` from Python: which file to ship, and the numbers behind it."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import edgekit.bundle.manifest as manifests
import edgekit.bundle.records as records
from edgekit.api.frames import data_frame
from edgekit.api.words import face
from edgekit.bundle.collection import Collection, gather
from edgekit.files.destinations import check_apart
from edgekit.files.whole import atomic_file, check_free_file
from edgekit.reporting.contents import Contents
from edgekit.reporting.deciding import Decision
from edgekit.reporting.rendering import TERMINAL, format_for, rendered
from edgekit.reporting.rows import Row

if TYPE_CHECKING:
    import pandas

Reported = str | Path | records.Record | manifests.Bundle
"""A path, as the command takes it, or what `edgekit.bench`, `load_record`, `compress` and `load_bundle` return."""


@dataclass(frozen=True)
class Report:
    """A report: `print` shows it in the format that was asked for, its `repr` as a terminal does.

    Attributes:
        contents: what it shows.
        format: `terminal`, `md`, `csv`, `json` or `html`.
    """

    contents: Contents = field(repr=False)
    format: str = TERMINAL

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Which file to ship, for each device, bundle and search: `file`, and why and at which cost as `text`."""
        return self.contents.decisions

    @property
    def rows(self) -> tuple[Row, ...]:
        """A row a file and thread count of every record, against the first file of the first record."""
        return self.contents.rows

    @property
    def collection(self) -> Collection:
        """The records, bundles and searches by name, and what was `skipped` in folders."""
        return self.contents.collection

    def text(self, format: str | None = None) -> str:
        """Return the report in a format, by default the one that was asked for.

        Args:
            format: `terminal`, `md`, `csv`, `json` or `html`.

        Raises:
            InputError: there is no such format.
        """
        return rendered(self.contents, format_for(None, format or self.format))

    def save(self, path: str | Path, *, format: str | None = None, force: bool = False) -> Path:
        """Write the report to a file, whole or not at all; return its path.

        Args:
            path: the file.
            format: as for `text`; by default as the suffix says.
            force: replace the file if it exists.

        Raises:
            EdgekitError: the file exists, is one of those reported, or cannot be written; or there is no such format.
        """
        return save(self.contents, Path(path), format_for(Path(path), format), force=force)

    def to_pandas(self) -> pandas.DataFrame:
        """Return `rows` as a table.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        from edgekit.reporting.bench_table import row_values

        return data_frame([row_values(row) for row in self.rows])

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"Report\n{self.text(TERMINAL)}"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


@face
def report(
    sources: Reported | Sequence[Reported],
    *,
    out: str | Path | None = None,
    format: str | None = None,
    force: bool = False,
) -> Report:
    """Report which file to ship, and the numbers behind it, of records, bundles and searches.

    Args:
        sources: records, bundles, searches and folders of them; also records and bundles that other functions returned.
        out: a file to write the report to.
        format: `terminal`, `md`, `csv`, `json` or `html`; by default as the suffix of `out` says, else `terminal`.
        force: replace the file at `out` if it exists.

    Returns:
        The report; `print` shows it.

    Raises:
        InputError: a file is missing, damaged or of another kind, or a folder holds nothing to report.
        OutputError: the file exists, or cannot be written.
    """
    written_as = format_for(None if out is None else Path(out), format)
    if out is not None:
        check_free_file(Path(out), force=force)
    given = [sources] if isinstance(sources, (str, Path, records.Record, manifests.Bundle)) else list(sources)
    made = Report(Contents.of(_collected(given)), written_as)
    if out is not None:
        save(made.contents, Path(out), written_as, force=force)
    return made


def _collected(given: Iterable[Reported]) -> Collection:
    """Return what paths lead to, and records that are here already."""
    here, paths = [], []
    for one in given:
        if isinstance(one, records.Record):
            here.append(one)
        else:
            paths.append(one.path if isinstance(one, manifests.Bundle) else Path(one))
    found = gather(paths)
    named = dict(found.records)
    free = (name for number in count(1) if (name := f"record {number}") not in found.paths)
    named |= zip(free, here, strict=False)
    return replace(found, records=named)


def save(contents: Contents, out: Path, written_as: str, *, force: bool) -> Path:
    """Write a report; see `Report.save`.

    Raises:
        OutputError: it cannot be written, or would replace or change what it is about.
    """
    check_free_file(out, force=force)
    check_apart(out, contents.collection.paths.values())
    text = rendered(contents, written_as)
    with atomic_file(out, replace=force) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    return out
