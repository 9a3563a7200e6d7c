"""The same checks as a terminal, a program and a pipeline read them; and names that try to be more than names."""

from __future__ import annotations

import dataclasses
import json
import re
from xml.etree import ElementTree

import pytest

from edgekit.bundle.reason import Reason
from edgekit.errors.codes import register
from edgekit.reporting.checking.annotations import annotated, muted, unmuted
from edgekit.reporting.checking.checks import CANNOT_TELL, FAIL, PASS, Checks, check
from edgekit.reporting.checking.files import Baselines, CheckedFile
from edgekit.reporting.checking.junit import HEAD as JUNIT_HEAD
from edgekit.reporting.checking.junit import junit
from edgekit.reporting.checking.markdown import markdown
from edgekit.reporting.checking.sarif import HEAD as SARIF_HEAD
from edgekit.reporting.checking.sarif import sarif
from edgekit.reporting.checking.table import check_table, document
from tests.report.checking.made import BROKEN, FLOAT, INT8, files, session

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=1>',
    "a|b\\|c`d``e",
    "::error::x\n::stop-commands::y\r\n",
    "##[error]x %0A,title=:",
    "\x1b[31mred\x07\x00\ufffe\udcff",
    "\u202egnp.exe",
    "@everyone https://example.invalid [x](y) $z$",
    "]]>&amp;<!--",
)


@pytest.fixture
def checks() -> Checks:
    """A bound that is kept, one that is missed, and one that cannot be told."""
    everything = files(session())
    size = everything[0].bytes

    def limits(file: CheckedFile) -> dict[str, float]:
        return {FLOAT: {"max_size": size}, INT8: {"max_size": 10.0}, BROKEN: {"max_latency": 5.0}}[file.name]

    return Checks(check(everything, limits, Baselines([], everything)))


def hostile(name: str) -> Checks:
    """Return checks of files, records and targets of this name."""
    [first, *_] = files(session())
    file = dataclasses.replace(first, name=name, source=name, path=name, target=name, scheme=name)
    bounds = {"max_size": 10.0, "max_latency": 1.0, "max_memory": 1e12}
    return Checks(check([file], lambda _: bounds, Baselines([], [file])), (Reason("not-json", f"{name}: not JSON"),))


def test_the_table(checks: Checks) -> None:
    text = check_table(checks)
    rows = [re.split(r" {2,}", line) for line in text.split("\n\n")[0].splitlines()]
    assert rows[0] == ["decision", "file", "threads", "bound", "measured [95 %]", "limit", "margin"]
    assert [row[0] for row in rows[2:]] == [PASS, FAIL, CANNOT_TELL]
    assert rows[3][3:] == [
        "max_size",
        f"{checks.checks[1].file.bytes:,} B",
        "10 B",
        f"-{checks.checks[1].file.bytes - 10:,} B",
    ]
    assert f"fail: {INT8}, 1 thread on desktop: size " in text and "[size-above-limit]" in text
    assert f"cannot tell: {BROKEN}, 1 thread on desktop: the measurement is invalid" in text
    assert text.endswith("fail: 3 checks: 1 pass, 1 fail, 1 cannot tell")


def test_json(checks: Checks) -> None:
    found = json.loads(json.dumps(document(checks), allow_nan=False))
    assert found["decision"] == FAIL
    assert [row["code"] for row in found["checks"]] == [None, "size-above-limit", "measurement-invalid"]
    assert found["checks"][1]["measured"] == dict.fromkeys(("value", "low", "high"), checks.checks[1].file.bytes)
    assert found["checks"][1]["unit"] == "bytes" and found["checks"][2]["unit"] == "ms"


def test_junit_has_the_usual_structure(checks: Checks) -> None:
    """As in Jenkins' and Windy Road's schemas: counts of every suite, cases with names, one outcome at most."""
    text = junit(checks)
    assert text.startswith(JUNIT_HEAD)
    root = ElementTree.fromstring(text)
    assert (root.tag, root.attrib) == (
        "testsuites", {"name": "edgekit check", "tests": "3", "failures": "1", "errors": "1"},
    )  # fmt: skip
    [suite] = root
    assert suite.attrib == {"name": "a", "tests": "3", "failures": "1", "errors": "1", "skipped": "0"}
    assert [case.tag for case in suite] == ["testcase"] * 3
    assert all(set(case.attrib) == {"classname", "name"} for case in suite)
    outcomes = [[inside.tag for inside in case if inside.tag != "system-out"] for case in suite]
    assert outcomes == [[], ["failure"], ["error"]]
    [failure] = suite[1].iter("failure")
    assert failure.attrib["type"] == "size-above-limit" and "10 B" in failure.attrib["message"]


def test_sarif_has_rules_of_the_register(checks: Checks) -> None:
    text = sarif(checks, "1.2.3")
    assert text.startswith(SARIF_HEAD)
    log = json.loads(text)
    assert log["version"] == "2.1.0" and log["$schema"].endswith("sarif-schema-2.1.0.json")
    [run] = log["runs"]
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("edgekit", "1.2.3")
    assert [rule["id"] for rule in driver["rules"]] == ["size-above-limit", "measurement-invalid"]
    assert driver["rules"][0]["shortDescription"]["text"] == register()["size-above-limit"].means
    kinds = [(result["kind"], result["level"]) for result in run["results"]]
    assert kinds == [("fail", "error"), ("open", "none")]
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        assert len(result["partialFingerprints"]["edgekitCheck/v1"]) == 64
    assert "locations" not in run["results"][0]  # of a record in memory


def test_a_location_is_a_relative_uri() -> None:
    [first, *_] = files(session())
    file = dataclasses.replace(first, path="edgekit-records/a b#c.json")
    log = json.loads(sarif(Checks(check([file], lambda _: {"max_size": 1.0}, Baselines([], [file]))), "1"))
    [result] = log["runs"][0]["results"]
    [location] = result["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "edgekit-records/a%20b%23c.json"


def test_annotations(checks: Checks) -> None:
    lines = list(annotated(checks))
    assert lines[0].startswith("::error title=edgekit check%3A fail%3A size-above-limit::m-int8.tflite, 1 thread on")
    assert lines[1].startswith("::warning title=edgekit check%3A cannot tell%3A measurement-invalid::")
    assert len(lines) == 2
    assert (muted("t0"), unmuted("t0")) == ("::stop-commands::t0", "::t0::")


def test_markdown(checks: Checks) -> None:
    text = markdown(checks)
    assert text.startswith("### edgekit check: fail\n\nfail: 3 checks")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert rows[0].startswith("| decision | record | file |")
    assert "| ❌ fail | `a` | `m-int8.tflite` |" in rows[3]
    assert all(row.count("|") == rows[0].count("|") for row in rows)


def test_what_could_not_be_read_is_open(checks: Checks) -> None:
    kept = Checks(checks.checks[:1], (Reason("not-json", "r/x.json: not a record"),))
    assert kept.word == CANNOT_TELL
    root = ElementTree.fromstring(junit(kept))
    assert root.attrib["errors"] == "1" and root.attrib["tests"] == "2"
    [result] = json.loads(sarif(kept, "1"))["runs"][0]["results"]
    assert (result["ruleId"], result["kind"]) == ("not-json", "open")
    assert "not read" in markdown(kept) and "not-json" in markdown(kept)
    assert "not read: r/x.json" in check_table(kept)
    assert [line.partition(" ")[0] for line in annotated(kept)] == ["::warning"]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_are_text(name: str) -> None:
    found = hostile(name)
    table = check_table(found)
    assert all(line.isprintable() for line in table.splitlines())
    assert not any(line.startswith("::") for line in table.splitlines())
    root = ElementTree.fromstring(junit(found))
    assert {element.tag for element in root.iter()} <= {
        "testsuites", "testsuite", "testcase", "failure", "error", "system-out",
    }  # fmt: skip
    text = sarif(found, "1")
    assert text.isascii()
    for result in json.loads(text)["runs"][0]["results"]:
        assert result["message"]["text"].isprintable()
        for location in result.get("locations", []):
            assert re.fullmatch(r"[\w%./~-]*", location["physicalLocation"]["artifactLocation"]["uri"], re.ASCII)
    for line in annotated(found):
        matched = re.fullmatch(r"::(error|warning) ([^:]*)::(.*)", line)
        assert matched and line.isprintable()
        assert [pair.partition("=")[0] for pair in matched[2].split(",")] in (["file", "title"], ["title"])


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_stay_code_in_markdown(name: str) -> None:
    lines = markdown(hostile(name)).splitlines()
    assert all(line.isprintable() for line in lines)
    [header, _, *rows] = [line for line in lines if line.startswith("| ")]
    for line in rows:
        assert line.count("|") == header.count("|")
    for line in [*rows, *(line for line in lines if line.startswith("- "))]:
        outside = re.sub(r"<code>[^<>]*</code>|`[^`<>@$]*`", "", line)
        assert not re.search(r"[<>@`$]|https?:|\](?=[(:\[])", outside), outside
