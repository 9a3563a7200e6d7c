"""Checks as workflow commands of GitHub Actions, which it shows beside a commit.

Data and properties are escaped as GitHub's own toolkit does it (`packages/core/src/command.ts` of actions/toolkit).
Whatever else is printed while a step runs is read for commands, too, also a file's name in a table: `muted` switches
that off.
"""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.errors.printable import visible
from edgekit.reporting.checking.checks import FAIL, PASS, Checks


def annotated(checks: Checks) -> Iterator[str]:
    """Yield a line a check that did not pass: `::error file=...,title=...::...`, or `::warning` for cannot tell."""
    for check in (check for check in checks.checks if check.word != PASS):
        level = "error" if check.word == FAIL else "warning"
        located = {"file": check.file.path} if check.file.path else {}
        properties = {**located, "title": f"edgekit check: {check.word}: {check.code}"}
        yield _command(level, properties, f"{check.file.place}: {check.sentence}")
    for reason in checks.unread:
        yield _command("warning", {"title": f"edgekit check: not read: {reason.code}"}, reason.sentence)


def muted(token: str) -> str:
    """Return the command after which GitHub takes none from what is printed, until `unmuted`.

    Args:
        token: that nobody can guess.
    """
    return f"::stop-commands::{token}"


def unmuted(token: str) -> str:
    """Return the command that ends this."""
    return f"::{token}::"


def _command(level: str, properties: dict[str, str], message: str) -> str:
    given = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{level} {given}::{_data(message)}"


def _data(text: str) -> str:
    return visible(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
