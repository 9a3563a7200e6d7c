"""Checks as JUnit XML, which Jenkins, GitLab, Azure and others read.

A check is a test case. Of the elements that say how a case ended, a bound that is missed is a `failure`, and what
cannot be told an `error`: a skipped case would count as passed. Text is made printable before, so that XML 1.0 can hold
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from xml.sax.saxutils import quoteattr

from edgekit.errors.printable import visible
from edgekit.reporting.amounts import number, with_interval
from edgekit.reporting.checking.checks import CANNOT_TELL, FAIL, Check, Checks
from edgekit.reporting.checking.table import unit

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="edgekit check"'
"""How every file begins, by which one is recognised as edgekit's own."""


def junit(checks: Checks) -> str:
    """Return the XML: a test suite a record or bundle."""
    suites = [
        "\n".join(_suite(name, list(group)))
        for name, group in groupby(checks.checks, key=lambda check: check.file.source)
    ]
    if checks.unread:
        cases = [
            f"    <testcase{_attributes(classname='unread', name=str(i))}>\n"
            f"      <error{_attributes(type=reason.code, message=reason.sentence)}/>\n    </testcase>"
            for i, reason in enumerate(checks.unread, 1)
        ]
        counted = _attributes(name="unread", tests=len(cases), failures=0, errors=len(cases), skipped=0)
        suites.append("\n".join([f"  <testsuite{counted}>", *cases, "  </testsuite>"]))
    errors = checks.count(CANNOT_TELL) + len(checks.unread)
    total = len(checks.checks) + len(checks.unread)
    counted = _attributes(tests=total, failures=checks.count(FAIL), errors=errors)
    return "\n".join([f"{HEAD}{counted}>", *suites, "</testsuites>", ""])


def _suite(name: str, checks: Sequence[Check]) -> list[str]:
    failed, open_ones = (sum(check.word == word for check in checks) for word in (FAIL, CANNOT_TELL))
    counted = _attributes(name=name, tests=len(checks), failures=failed, errors=open_ones, skipped=0)
    return [f"  <testsuite{counted}>", *(line for check in checks for line in _case(check)), "  </testsuite>"]


def _case(check: Check) -> list[str]:
    case = _attributes(classname=check.file.source, name=f"{check.file.place}: {check.bound.name}")
    element = {FAIL: "failure", CANNOT_TELL: "error"}.get(check.word)
    inside = []
    if element is not None:
        inside.append(f"      <{element}{_attributes(type=check.code, message=check.sentence)}/>")
    if check.reading is not None:
        measured = with_interval(check.reading.interval, check.reading.unit)
        text = f"{check.bound.noun} {measured}, limit {number(check.limit, unit(check))}"
        inside.append(f"      <system-out>{_text(text)}</system-out>")
    return [f"    <testcase{case}>", *inside, "    </testcase>"] if inside else [f"    <testcase{case}/>"]


def _attributes(**values: str | int) -> str:
    return "".join(f" {name}={quoteattr(visible(str(value)))}" for name, value in values.items())


def _text(text: str) -> str:
    return visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
