"""Checks as Markdown, for a pull request or the summary of a job."""

from __future__ import annotations

from edgekit.errors.printable import with_code
from edgekit.report.checking.checks import CANNOT_TELL, FAIL, PASS, Check, Checks
from edgekit.report.checking.table import SHOWN
from edgekit.text.markdown import code, table

MARKS = {PASS: "✅", FAIL: "❌", CANNOT_TELL: "❔"}
NAMES = ("record", "file", "target", "bound")
"""Columns whose cells come from files."""


def markdown(checks: Checks) -> str:
    """Return a heading with the decision, a table, and the reasons of all that did not pass."""
    parts = [f"### edgekit check: {checks.word}", checks.summary]
    if checks.checks:
        parts.append(table([column.header for column in SHOWN], [_cells(check) for check in checks.checks]))
    reasons = [
        (MARKS[check.word], f"{check.file.place}: {with_code(check.sentence, check.code)}")
        for check in checks.checks
        if check.word != PASS
    ]
    reasons += [(MARKS[CANNOT_TELL], f"not read: {reason}") for reason in checks.unread]
    listed = [f"- {mark} {code(text, cell=False)}" for mark, text in reasons]
    return "\n\n".join([*parts, *(["\n".join(listed)] if listed else [])]) + "\n"


def _cells(check: Check) -> list[str]:
    texts = {column.name: column.text(check) for column in SHOWN}
    cells = [code(text) if name in NAMES else text for name, text in texts.items()]
    return [f"{MARKS[check.word]} {cells[0]}", *cells[1:]]
