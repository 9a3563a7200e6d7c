"""`edgekit.history`: a metric of files over the dates of records, and where its level changed."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import edgekit.bundle.records as records_of
from edgekit.api.frames import data_frame
from edgekit.api.outputs import append_text
from edgekit.api.reporting import ProgressOption, receiving
from edgekit.api.words import face
from edgekit.bundle.budget_file import matches
from edgekit.bundle.collection import Collection, gather
from edgekit.errors import InputError
from edgekit.progress import Reporter, Warned
from edgekit.reporting.history import series as histories
from edgekit.reporting.rows import Row

if TYPE_CHECKING:
    import pandas

One = records_of.Record | str | Path


@face
def history(
    records: One | Sequence[One],
    *,
    metric: str = "latency",
    only: Sequence[str] = (),
    markdown: str | Path | None = None,
    progress: ProgressOption = False,
) -> History:
    """Return a metric of every file over the dates of records, with the points at which its level changed.

    Records whose conditions are unlike (another device, runtime, governor or set of samples) are not joined: each has
    a series of its own.

    Args:
        records: folders of records, records, or their paths.
        metric: `latency`, `latency-ratio` (to the first file of each record), `size`, `accuracy` or `memory`.
        only: of the files: patterns of names, formats and schemes; empty: all.
        markdown: a file to append the history to.
        progress: as for `edgekit.compress`.

    Returns:
        The history; its `repr` is the drawing of every series.

    Raises:
        EdgekitError: what the command line would say.
    """
    each = [records] if isinstance(records, (records_of.Record, str, Path)) else list(records)
    paths = [Path(one) for one in each if isinstance(one, (str, Path))]
    collection = gather(paths) if paths else Collection()
    named = {f"record {i + 1}": one for i, one in enumerate(each) if isinstance(one, records_of.Record)}
    with receiving(progress) as receiver:
        for one in collection.skipped:
            Reporter(receiver).warn(f"{one.path}: {one.message}", one.code)
        found = histories.history({**collection.records, **named}, metric, _keep(tuple(only)))
        if not found.series:
            why = f": {found.left_out[0][0]}: {found.left_out[0][1].sentence}" if found.left_out else ""
            raise InputError(
                f"no record has a history of {metric}{why}",
                "give records of `edgekit bench`, or another `--metric`",
                code="nothing-selected",
            )
        made = History(found.metric, found.series, found.left_out, tuple(receiver.warnings))
    if markdown is not None:
        append_text(Path(markdown), made.markdown())
    return made


@dataclass(frozen=True, repr=False)
class History(histories.History):
    """A metric over records.

    Attributes:
        metric: what it is of.
        series: of each file under like conditions: `points` and `changes`.
        left_out: what has no such number, and why.
        warnings: of the call, in order.
    """

    warnings: tuple[Warned, ...] = ()

    def table(self) -> str:
        """Return every series drawn, with its changes."""
        from edgekit.reporting.history.texts import history_text

        return history_text(self)

    def markdown(self) -> str:
        """Return the same as Markdown."""
        from edgekit.reporting.history.texts import markdown

        return markdown(self)

    def to_pandas(self) -> pandas.DataFrame:
        """Return a row a point.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        from edgekit.reporting.history.texts import document

        rows = [
            {**{key: series[key] for key in ("file", "target", "threads", "metric", "unit")}, "series": number, **point}
            for number, series in enumerate(document(self)["series"])
            for point in series["points"]
        ]
        return data_frame(rows)

    def __repr__(self) -> str:
        return f"History({self.metric!r})\n{self.table()}"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


def _keep(only: tuple[str, ...]) -> Callable[[Row], bool]:
    def keep(row: Row) -> bool:
        names = tuple(filter(None, (row.file, row.format, row.scheme)))
        return not only or any(matches(pattern, names) for pattern in only)

    return keep
