"""Checks as Markdown, for a pull request or the summary of a job."""

from __future__ import annotations

from dataclasses import replace

from edgekit.errors.printable import with_code
from edgekit.reporting.checking.checks import CANNOT_TELL, FAIL, PASS, Checks
from edgekit.reporting.checking.table import SHOWN
from edgekit.reporting.formats.marked import code, table

MARKS = {PASS: "✅", FAIL: "❌", CANNOT_TELL: "❔"}
COLUMNS = [
    replace(SHOWN[0], text=lambda check: f"{MARKS[check.word]} {check.word}"),
    *SHOWN[1:],
]
NAMES = ("record", "file", "target", "bound")
"""Columns whose cells come from files."""


def markdown(checks: Checks) -> str:
    """Return a heading with the decision, a table, and the reasons of all that did not pass."""
    parts = [f"### edgekit check: {checks.word}", checks.summary]
    if checks.checks:
        parts.append(table(COLUMNS, checks.checks, NAMES))
    reasons = [
        (MARKS[check.word], f"{check.file.place}: {with_code(check.sentence, check.code)}")
        for check in checks.checks
        if check.word != PASS
    ]
    reasons += [(MARKS[CANNOT_TELL], f"not read: {reason}") for reason in checks.unread]
    listed = [f"- {mark} {code(text)}" for mark, text in reasons]
    return "\n\n".join([*parts, *(["\n".join(listed)] if listed else [])]) + "\n"
