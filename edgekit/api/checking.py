"""`edgekit.check`: do files keep to a budget? Pass, fail, or cannot tell."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import edgekit.bundle.manifest as manifests
import edgekit.bundle.records as records_of
from edgekit.api.frames import data_frame
from edgekit.api.outputs import append_text, write_own
from edgekit.api.reporting import ProgressOption, receiving
from edgekit.api.words import face
from edgekit.bundle.budget import check_bound
from edgekit.bundle.budget_file import BudgetFile, Limits, matches, read_budget
from edgekit.bundle.collection import Collection, gather
from edgekit.bundle.manifest import read_bundle
from edgekit.bundle.reason import Reason
from edgekit.errors import InputError
from edgekit.progress import Progress, Reporter, Warned
from edgekit.reporting.checking import checks as checking
from edgekit.reporting.checking import junit as junit_form
from edgekit.reporting.checking import sarif as sarif_form
from edgekit.reporting.checking.bounds import BOUNDS
from edgekit.reporting.checking.files import Baselines, CheckedFile, files_of
from edgekit.version import __version__

if TYPE_CHECKING:
    import pandas

One = manifests.Bundle | records_of.Record | str | Path
OTHER_FILES = ("file-of-another-kind",)
"""Codes of what a walked folder may hold beside records."""


@face
def check(
    records: One | Sequence[One],
    *,
    budget: str | Path | None = None,
    baseline: One | Sequence[One] = (),
    max_size_bytes: float | None = None,
    max_latency_ms: float | None = None,
    max_latency_p90_ms: float | None = None,
    max_memory_bytes: float | None = None,
    min_accuracy: float | None = None,
    max_error: float | None = None,
    max_drop: float | None = None,
    max_slowdown: float | None = None,
    max_growth: float | None = None,
    only: Sequence[str] = (),
    force: bool = False,
    junit: str | Path | None = None,
    sarif: str | Path | None = None,
    markdown: str | Path | None = None,
    progress: ProgressOption = False,
) -> Gate:
    """Check files against a budget, decided on the 95 % interval of every number.

    Args:
        records: records and bundles, or their paths, or folders of them.
        budget: a `budget.toml`. Bounds that are given here win over its own.
        baseline: what files are compared with, by their names: records or bundles. Without one it is the first file of
            each record or bundle.
        max_size_bytes: of the file.
        max_latency_ms: median of one inference.
        max_latency_p90_ms: what 90 % of the inferences of a typical process stay below.
        max_memory_bytes: peak resident memory of file and runtime.
        min_accuracy: of a metric where more is better; shares from 0 to 1.
        max_error: of a metric where less is better.
        max_drop: against the baseline, in points of a share, in percent of an error.
        max_slowdown: of the median latency against the baseline: 0.05 is 5 %.
        max_growth: of the size against the baseline: 0.05 is 5 %.
        only: of the files: patterns of names, formats and schemes; empty: all.
        force: compare with a baseline also where conditions differ.
        junit: a file to write as JUnit XML.
        sarif: a file to write as SARIF 2.1.0.
        markdown: a file to append a summary to, as `$GITHUB_STEP_SUMMARY` is.
        progress: as for `edgekit.compress`.

    Returns:
        What came of every bound on every file; its `repr` is the table.

    Raises:
        EdgekitError: what the command line would say.
    """
    limits = {
        "max_size": max_size_bytes, "max_latency": max_latency_ms, "max_latency_p90": max_latency_p90_ms,
        "max_memory": max_memory_bytes, "min_accuracy": min_accuracy, "max_error": max_error, "max_drop": max_drop,
        "max_slowdown": max_slowdown, "max_growth": max_growth,
    }  # fmt: skip
    with receiving(progress) as receiver:
        found = _checked(records, budget, baseline, _given(limits), tuple(only), force, Reporter(receiver))
        gate = Gate(found.checks, found.unread, tuple(receiver.warnings))
    if junit is not None:
        write_own(Path(junit), gate.junit(), junit_form.HEAD)
    if sarif is not None:
        write_own(Path(sarif), gate.sarif(), sarif_form.HEAD)
    if markdown is not None:
        append_text(Path(markdown), gate.markdown())
    return gate


@dataclass(frozen=True, repr=False)
class Gate(checking.Checks):
    """What came of a check.

    Attributes:
        checks: every bound on every file, each with `file`, `bound`, `limit`, `reading`, `word`, `code` and `sentence`.
        unread: files of folders that could not be read, each with the reason.
        warnings: of the call, in order.
    """

    warnings: tuple[Warned, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every bound is kept, and none is open."""
        return self.word == checking.PASS

    @property
    def failed(self) -> bool:
        """Whether a bound is missed."""
        return self.word == checking.FAIL

    def table(self) -> str:
        """Return the checks as text, with the reasons of all that did not pass."""
        from edgekit.reporting.checking.table import check_table

        return check_table(self)

    def junit(self) -> str:
        """Return JUnit XML."""
        return junit_form.junit(self)

    def sarif(self) -> str:
        """Return SARIF 2.1.0."""
        return sarif_form.sarif(self, __version__)

    def markdown(self) -> str:
        """Return Markdown."""
        from edgekit.reporting.checking.markdown import markdown

        return markdown(self)

    def to_pandas(self) -> pandas.DataFrame:
        """Return a row a check.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        from edgekit.reporting.checking.table import rows

        return data_frame(rows(self.checks))

    def __repr__(self) -> str:
        return f"Gate({self.word!r})\n{self.table()}"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


def _given(limits: Mapping[str, float | None]) -> Limits:
    """Return the bounds that are given.

    Raises:
        InputError: one is no number above 0, or from 0.
    """
    given = {name: float(limit) for name, limit in limits.items() if limit is not None}
    for bound in BOUNDS:
        if bound.name in given:
            check_bound(bound.option, given[bound.name], may_be_zero=bound.relative)
    return given


def _checked(
    records: One | Sequence[One],
    budget: str | Path | None,
    baseline: One | Sequence[One],
    limits: Limits,
    only: tuple[str, ...],
    force: bool,
    progress: Progress,
) -> checking.Checks:
    file = BudgetFile() if budget is None else read_budget(Path(budget))
    collection, named = _collection(records), _collection(baseline)
    everything = files_of(collection)
    files = [f for f in everything if not only or any(matches(pattern, f.names) for pattern in only)]
    if not files:
        _refuse(collection, everything, only)
    for name in collection.searches:
        progress.warn(f"{name}: is a search, and not checked: give the bundles in its folder `front`", "not-checked")
    unread = tuple(Reason(one.code, f"{one.path}: {one.message}") for one in (*collection.skipped, *named.skipped))
    for reason in unread:
        progress.warn(reason.sentence, reason.code)
    found = checking.check(files, _limits_of(file, limits), Baselines(files_of(named), everything), force=force)
    if not found:
        raise InputError(
            "no bound holds for any of the files",
            "give bounds such as `--max-size 100kB`, or a `--budget` whose tables match the files",
            code="bounds-missing",
        )
    measured: dict[tuple[str, ...], set[str]] = {}
    for one in files:
        measured.setdefault(one.names, set()).update({one.target} if one.target else ())
    for table in file.unused(measured):
        progress.warn(f"{budget}: {table} holds for none of the files", "budget-unused")
    return checking.Checks(found, tuple(reason for reason in unread if reason.code not in OTHER_FILES))


def _limits_of(budget: BudgetFile, limits: Limits) -> Callable[[CheckedFile], Limits]:
    def of(file: CheckedFile) -> Limits:
        return {**budget.limits_of(file.names, file.target), **limits}

    return of


def _refuse(collection: Collection, everything: Sequence[CheckedFile], only: tuple[str, ...]) -> None:
    if everything:
        names = ", ".join(dict.fromkeys(file.name for file in everything))
        wanted = ", ".join(only)
        raise InputError(f"`--only {wanted}` matches no file", f"the files are {names}", code="nothing-selected")
    names = ", ".join([*collection.searches, *collection.bundles, *collection.records])
    raise InputError(
        f"{names or 'the paths'}: no file that can be checked",
        "give records of `edgekit bench` or bundles of `edgekit compress`",
        code="nothing-selected",
    )


def _collection(given: One | Sequence[One]) -> Collection:
    """Return records and bundles, of paths and of what is in memory; files of bundles are compared with the manifest.

    Raises:
        InputError: something cannot be read, or a bundle is not as its manifest says.
    """
    each = [given] if isinstance(given, (manifests.Bundle, records_of.Record, str, Path)) else list(given)
    paths = [Path(one) for one in each if isinstance(one, (str, Path))]
    found = gather(paths) if paths else Collection()
    for bundle in found.bundles.values():
        read_bundle(bundle.path)
    records, bundles = dict(found.records), dict(found.bundles)
    for index, one in enumerate(each):
        if isinstance(one, records_of.Record):
            records[f"record {index + 1}"] = one
        elif isinstance(one, manifests.Bundle):
            bundles[f"bundle {index + 1}"] = read_bundle(one.path)
    return dataclasses.replace(found, records=records, bundles=bundles)
