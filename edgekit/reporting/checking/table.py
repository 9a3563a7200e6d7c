"""The table of checks, and below it the reasons of all that did not pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgekit.errors.printable import lines, with_code
from edgekit.reporting.amounts import margin_text, number, with_interval
from edgekit.reporting.checking.checks import CANNOT_TELL, FAIL, PASS, Check, Checks
from edgekit.reporting.checking.readings import MORE
from edgekit.reporting.unlike import LATENCY
from edgekit.schema.units import BYTES, MILLISECONDS, SHARE
from edgekit.text.colours import Colour
from edgekit.text.columns import INTERVAL, PLAIN, Column, Look, interval, render

COLOURS: dict[str, Colour] = {PASS: "green", FAIL: "red", CANNOT_TELL: "yellow"}


def _measured(check: Check) -> str:
    return "-" if check.reading is None else with_interval(check.reading.interval, check.reading.unit)


def unit(check: Check) -> str:
    """Return the unit of a check's numbers; of what was not measured that of the limit as it is written."""
    if check.reading is not None:
        return check.reading.unit
    if check.bound.quantity is SHARE:
        return MORE if check.bound.relative else ""
    return {BYTES: "bytes", MILLISECONDS: "ms"}.get(check.bound.quantity, "")


COLUMNS: tuple[Column[Check], ...] = (
    Column(
        "decision", "decision", "", 1,
        "`pass` if the whole 95 % interval keeps the bound, `fail` if all of it misses the bound, else `cannot tell`.",
        lambda check: check.word, lambda check: check.word, left=True, colour=lambda check: COLOURS[check.word],
    ),
    Column(
        "record", "record", "", 8, "The record or bundle that the file is of.",
        lambda check: check.file.source, lambda check: check.file.source, left=True,
    ),
    Column(
        "file", "file", "", 2, "The file that was checked.",
        lambda check: check.file.name, lambda check: check.file.name, left=True,
    ),
    Column(
        "target", "target", "", 6, "The device that measured; empty for a file of a bundle.",
        lambda check: check.file.target or "-", lambda check: check.file.target, left=True,
    ),
    Column(
        "threads", "threads", "", 7, "Threads that the runtime was asked to use.",
        lambda check: str(check.file.threads or "-"), lambda check: check.file.threads,
    ),
    Column(
        "bound", "bound", "", 3, "What is bounded: the key in `budget.toml`.",
        lambda check: check.bound.name, lambda check: check.bound.name, left=True,
    ),
    Column(
        "measured", "measured [95 %]", "", 4, "The number that the bound is on, with the interval that decides.",
        _measured, lambda check: None if check.reading is None else interval(check.reading.interval),
        brief=lambda check: _measured(check).partition(" [")[0], short="measured", parts=INTERVAL,
    ),
    Column(
        "limit", "limit", "", 5, "Of the bound, in the same unit.",
        lambda check: number(check.limit, unit(check)), lambda check: check.limit,
    ),
    Column(
        "margin", "margin", "", 9,
        "How far the number itself is from the limit, without its interval; negative beyond it.",
        lambda check: margin_text(check.margin, unit(check)), lambda check: check.margin,
    ),
    Column(
        "unit", "unit", "", 10,
        "Of `measured`, `limit` and `margin` in JSON; a `share` of 1 is 100 %, a `relative` 0.05 is 5 % more.",
        lambda check: unit(check), lambda check: unit(check), left=True,
    ),
)  # fmt: skip
SHOWN = [column for column in COLUMNS if column.name != "unit"]
"""Without what stands behind the numbers of a table."""


def check_table(checks: Checks, look: Look = PLAIN) -> str:
    """Return the table, the reasons, and the sentence that sums them up."""
    columns = [column for column in SHOWN if column.name not in ("record", "target") or _several(checks, column)]
    parts = [
        render(columns, checks.checks, look) if checks.checks else "",
        lines(reasons(checks)),
        lines([checks.summary]),
    ]
    return "\n\n".join(filter(None, parts))


def reasons(checks: Checks) -> Iterator[str]:
    """Yield why checks did not pass, what to beware of in those that were decided, and what could not be read."""
    for check in checks.checks:
        if check.word != PASS:
            yield f"{check.word}: {check.file.place}: {with_code(check.sentence, check.code)}"
    timed = [check for check in checks.checks if check.bound.of == LATENCY and check.reading is not None]
    suspect = {check.file.place: check.file.row for check in timed}
    for place, row in suspect.items():
        if row is not None and row.verdict == "suspect":
            yield f"suspect: {place}: latency was decided on all the same: {'; '.join(map(str, row.reasons))}"
    for differences in dict.fromkeys(check.unlike for check in checks.checks if check.unlike):
        yield f"compared all the same: {'; '.join(map(str, differences))}"
    yield from (f"not read: {reason}" for reason in checks.unread)


def _several(checks: Checks, column: Column[Check]) -> bool:
    return len({column.text(check) for check in checks.checks}) > 1


def rows(checks: Sequence[Check]) -> list[dict[str, object]]:
    """Return checks as JSON, by the names of the columns, with code and reason."""
    return [
        {
            **{column.name: column.value(check) for column in COLUMNS},
            "code": check.code or None,
            "reason": check.sentence or None,
            "baseline": check.against or None,
        }
        for check in checks
    ]


def document(checks: Checks) -> dict[str, object]:
    """Return what `--json` prints."""
    return {
        "decision": checks.word,
        "checks": rows(checks.checks),
        "unread": [{"code": reason.code, "message": reason.sentence} for reason in checks.unread],
    }
