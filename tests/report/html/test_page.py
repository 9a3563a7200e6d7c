"""The whole page, read as a browser reads it: what it says, and what it cannot do."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.report_page import record
from edgekit.bundle.collection import Collection
from edgekit.reporting.bench_columns import columns_for
from edgekit.reporting.comparison import rows_of_several
from edgekit.reporting.html.page import html_page
from edgekit.reporting.html.sections.latency import BUCKETS, STEPS
from edgekit.reporting.html.sections.measurements import columns_of
from edgekit.reporting.html.vendored import sources
from tests.report.html import HOSTILE, busy, strangers
from tests.report.html.test_embedding import Reader
from tests.report.reports import collection
from tests.support.layers import table

SECTIONS = (
    "decision", "overview", "table", "searches", "bundles", "latency", "memory", "health", "sensitivity", "verdicts",
    "devices", "reproduce", "skipped",
)  # fmt: skip


def measured() -> Collection:
    found = collection()
    return replace(found, records={name: busy(one) for name, one in found.records.items()})


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return {"usual": html_page(measured(), layers={"net": table()}), "strange": html_page(strangers())}


@pytest.fixture(scope="module")
def read(pages: dict[str, str]) -> dict[str, Reader]:
    return {which: Reader(page) for which, page in pages.items()}


@pytest.fixture(scope="module")
def page(pages: dict[str, str]) -> str:
    return pages["usual"]


@pytest.fixture(scope="module")
def strange(pages: dict[str, str]) -> str:
    return pages["strange"]


def identifiers(read: Reader) -> Counter[str]:
    return Counter(str(attributes["id"]) for _, attributes in read.elements if "id" in attributes)


def charts(page: str) -> dict[str, Any]:
    held = re.findall(r'<script type="application/json" id="([\w-]+)">(.*?)</script>', page, re.DOTALL)
    return {name: json.loads(text) for name, text in held}


def test_the_sections(page: str) -> None:
    assert tuple(re.findall(r'<section id="([\w-]+)"', page)) == SECTIONS
    links = re.findall(r'<li><a href="#([\w-]+)"', page)
    assert links == [name for name in SECTIONS if name != "decision"]


def test_what_it_says(page: str) -> None:
    text = re.sub(r"<[^>]+>", "", re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL))
    for said in (
        "On desktop, ship m-int8.tflite: of 3 files the smallest", "80.4 us [62.0, 119]", "run-to-run variation",
        "What to do:", "limited during 1 of 6 processes: throttled", "temperature 51 to 58 °C", "edgekit bench",
        "the baseline", "breaks the int8 file", "Budget: --max-size 60,000", "no file keeps to the budget",
    ):  # fmt: skip
        assert said.replace("'", "&#x27;") in text, said


def test_the_table_has_the_rows_and_columns_of_the_others(page: str) -> None:
    rows = rows_of_several(measured().records)
    columns = columns_of(rows)
    assert {c.name for c in columns} == {c.name for c in columns_for(rows)}
    start = page.index('<table class="sortable">')
    body = page[start : page.index("</table>", start)]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", body)[1:]]
    assert len(cells) == len(rows)
    for row, found in zip(rows, cells, strict=True):
        shown = [re.sub(r"<[^>]+>", "", cell).removesuffix(" ship").removesuffix(" baseline") for cell in found]
        assert shown == [column.text(row) for column in columns]


def test_charts_have_text_alternatives(read: dict[str, Reader]) -> None:
    elements, known = read["usual"].elements, identifiers(read["usual"])
    plots = [attributes["data-chart"] for _, attributes in elements if "data-chart" in attributes]
    assert len(plots) >= 12 and all(known[str(plot)] == 1 for plot in plots)
    images = [attributes["aria-label"] for _, attributes in elements if attributes.get("role") == "img"]
    assert len(images) == len(plots) and all(label and len(label) > 20 for label in images)


@pytest.mark.parametrize("which", ["usual", "strange"])
def test_every_reference_leads_somewhere(which: str, read: dict[str, Reader]) -> None:
    known = identifiers(read[which])
    assert set(known.values()) == {1}
    for _, attributes in read[which].elements:
        for name in ("aria-labelledby", "data-chart"):
            assert attributes.get(name) is None or known[str(attributes[name])] == 1
        if (href := attributes.get("href")) is not None:
            assert href[0] == "#" and known[href[1:]] == 1


@pytest.mark.parametrize("which", ["usual", "strange"])
def test_it_loads_and_runs_nothing_but_its_own(which: str, pages: dict[str, str], read: dict[str, Reader]) -> None:
    source, elements = pages[which], read[which].elements
    loading = {"img", "iframe", "object", "embed", "link", "base", "form", "audio", "video", "svg", "input"}
    assert not loading & {tag for tag, _ in elements}
    for tag, attributes in elements:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "style", "action")], tag
    allowed = next(a["content"] for t, a in elements if a.get("http-equiv") == "Content-Security-Policy")
    bodies = re.findall(r"<(script|style)>(.*?)</\1>", source, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() for _, body in bodies]
    assert [kind for kind, _ in bodies] == ["style", "script", "script", "script", "script"]
    assert re.findall(r"'sha256-([^']+)'", str(allowed)) == [*digests[1:], digests[0]]
    assert "sourceMappingURL" not in source


def test_what_strangers_named_is_text(strange: str) -> None:
    outside = re.sub(r"<(script|style)[ >].*?</\1>", "", strange, flags=re.DOTALL)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u2028\u2029\u202e]", strange)
    assert "<b title" not in outside and "<img" not in outside and "document.title" in outside
    texts = " ".join(Reader(outside).texts)
    for name in HOSTILE:
        if name.isprintable():
            assert name in texts, name
    assert "\\u202egnp.elif" in texts and "\\x1b[2J" in texts and "a\\nb\\r\\nc" in texts
    for spec in charts(strange).values():
        assert not re.search(r"[\x00-\x1f\u202e]", json.dumps(spec, ensure_ascii=False))


def test_only_edgekit_writes_expressions(strange: str) -> None:
    """A name in a chart is data, never a field's path, a signal or an expression."""
    marks = re.compile(r"document\.title|\{\{1\+1\}\}|=datum\.x")

    def walk(value: Any, data: bool) -> None:
        if isinstance(value, dict):
            for key, one in value.items():
                walk(one, data or key in ("values", "sort", "description"))
        elif isinstance(value, list):
            for one in value:
                walk(one, data)
        elif isinstance(value, str) and not data:
            assert not marks.search(value), value

    for spec in charts(strange).values():
        walk(spec, False)


def test_lines_have_as_many_points_however_many_samples_there_are() -> None:
    few, many = (html_page(Collection({"r": record(0, 3, 3 * 10 * samples)})) for samples in (100, 2000))
    assert abs(len(many) - len(few)) < 10_000
    assert STEPS * 20 + BUCKETS * 30 + len("".join(sources())) < 1_300_000  # bytes of a point and of a bucket


def test_pages_of_little() -> None:
    found = collection()
    for one in (
        Collection(records=found.records), Collection(bundles=found.bundles), Collection(searches=found.searches),
        Collection(records={name: replace(r, measurements=()) for name, r in found.records.items()}),
    ):  # fmt: skip
        assert "</html>" in html_page(one)
