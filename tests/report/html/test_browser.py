"""The page in a real Chromium, from disk: nothing is asked for, nothing complains, charts are drawn, tables sort."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from edgekit.reporting.comparison import rows_of_several
from edgekit.reporting.html.page import html_page
from tests.report.html import HOSTILE, busy, strangers
from tests.report.reports import collection
from tests.support.chromium import Chromium, program
from tests.support.layers import table

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(program() is None, reason="no Chromium: Debian's package `chromium` has one"),
]
TABLE = "#table table.sortable"
FIRST_CELLS = f"[...document.querySelectorAll('{TABLE} tbody tr')].map(r => r.cells[0].firstChild.textContent.trim())"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile")) as running:
        running.size(1280, 900)
        yield running


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("usual") / "report.html"
    found = collection()
    hot = {name: busy(record) for name, record in found.records.items()}
    path.write_text(html_page(replace(found, records=hot), layers={"net": table()}), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("strange") / "report.html"
    path.write_text(html_page(strangers([HOSTILE[n] for n in (0, 1, 3, 5, 6)])), encoding="utf-8")
    return path.as_uri()


def column(browser: Chromium, header: str) -> int:
    """Return the number of a column of the table of measurements, from 1."""
    headers = f"[...document.querySelectorAll('{TABLE} thead th')].map(h => h.textContent)"
    return 1 + next(i for i, text in enumerate(browser.run(headers)) if text.startswith(header))


def order(browser: Chromium, number: int) -> str:
    return str(browser.run(f"document.querySelector('{TABLE} thead th:nth-child({number})').getAttribute('aria-sort')"))


def test_it_opens_from_disk_without_a_request_or_a_complaint(browser: Chromium, usual: str) -> None:
    browser.open(usual)
    assert browser.troubles() == []
    assert browser.requests() == [usual]


def test_all_charts_are_drawn(browser: Chromium, usual: str) -> None:
    browser.open(usual)
    plots = browser.run(
        "[...document.querySelectorAll('[data-chart]')].map(p => [p.dataset.chart, p.textContent.includes('could not'),"
        " p.querySelectorAll('svg path, svg line').length, p.getBoundingClientRect().width > 100,"
        " p.querySelector('svg').getBoundingClientRect().height > 60])"
    )
    assert len(plots) >= 12
    for name, failed, marks, wide, high in plots:
        assert (failed, wide, high) == (False, True, True) and marks > 3, name
    assert browser.run("document.querySelectorAll('#overview .mark-symbol path').length") >= 4
    front = "document.querySelector('#overview .mark-line path').getAttribute('d')"
    assert len(browser.run(front)) > 10


def test_a_screen_reader_is_told_what_things_are(browser: Chromium, usual: str) -> None:
    """As in the accessibility tree: names of charts, tables and buttons, landmarks, and headings without a gap."""
    browser.open(usual)
    nodes = [n for n in browser.call("Accessibility.getFullAXTree")["nodes"] if not n["ignored"]]
    told = [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in nodes]
    roles = {role for role, _ in told}
    assert {"main", "navigation", "banner", "contentinfo", "image", "table", "button", "figure"} <= roles
    unnamed = [role for role, name in told if role in ("image", "table", "button", "figure", "link") and not name]
    assert unnamed == []
    pictures = [name for role, name in told if role == "image"]
    assert len(pictures) >= 12
    assert sum("m-int8.tflite" in name for name in pictures) >= 5  # what is drawn, not only what kind of chart
    levels = [p["value"]["value"] for n in nodes if n["role"]["value"] == "heading" for p in n["properties"]
              if p["name"] == "level"]  # fmt: skip
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_hovering_shows_the_file(browser: Chromium, usual: str) -> None:
    browser.open(usual)
    place = (
        "(() => { const p = [...document.querySelectorAll('#overview .mark-symbol path')].at(-1);"
        "p.scrollIntoView({block: 'center', behavior: 'instant'}); const r = p.getBoundingClientRect();"
        "return [r.left + r.width / 2, r.top + r.height / 2]; })()"
    )
    x, y = browser.run(place)
    browser.hover(x - 40, y)
    browser.hover(x, y)
    shown = browser.run("document.getElementById('chart-tooltip').innerText")
    assert "tflite" in shown and "verdict" in shown
    assert browser.run("getComputedStyle(document.getElementById('chart-tooltip')).visibility") == "visible"


def test_a_click_sorts(browser: Chromium, usual: str) -> None:
    browser.open(usual)
    size = column(browser, "size")
    button = f"{TABLE} thead th:nth-child({size}) button"
    assert order(browser, size) == "none"
    browser.click(button)
    assert order(browser, size) == "ascending"
    ascending = browser.run(FIRST_CELLS)
    rows = rows_of_several(collection().records)
    assert ascending == [row.file for row in sorted(rows, key=lambda row: row.bytes)]
    browser.click(button)
    assert order(browser, size) == "descending"
    assert browser.run(FIRST_CELLS) == ascending[::-1]


def test_what_is_not_known_comes_last_whichever_way(browser: Chromium, usual: str) -> None:
    browser.open(usual)
    median = f"{TABLE} thead th:nth-child({column(browser, 'median')}) button"
    for first in ("m-int8.tflite", "m-float32.tflite"):
        browser.click(median)
        found = browser.run(FIRST_CELLS)
        assert (found[0], found[-1]) == (first, "m-broken.tflite")


def test_the_keyboard_sorts_and_focus_is_seen(browser: Chromium, usual: str) -> None:
    browser.open(usual)
    name = column(browser, "file")
    browser.run(f"document.querySelector('{TABLE}').closest('.scroll').focus()")
    browser.press("Tab", 9)
    focused = "document.activeElement.closest('th')?.cellIndex"
    assert browser.run(focused) == 0
    assert browser.run("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 2
    browser.press("Enter", 13, "\r")
    assert order(browser, name) == "ascending"
    assert browser.run(FIRST_CELLS) == ["m-broken.tflite", "m-float32.tflite", "m-int8.tflite"]
    browser.press(" ", 32, " ")
    assert order(browser, name) == "descending"
    assert browser.run(focused) == 0  # sorting moved rows, and left the focus where it was


def test_the_first_key_leads_past_the_links(browser: Chromium, usual: str) -> None:
    browser.open(usual)
    browser.press("Tab", 9)
    assert browser.run("document.activeElement.textContent") == "To the content"
    browser.press("Enter", 13, "\r")
    assert browser.run("document.activeElement.id") == "content"


def test_a_phone_scrolls_in_one_direction(browser: Chromium, usual: str) -> None:
    browser.size(390, 844)
    try:
        browser.open(usual)
        assert browser.run("document.documentElement.scrollWidth") <= 390
        assert browser.troubles() == []
    finally:
        browser.size(1280, 900)


def test_dark_print_and_contrast(browser: Chromium, usual: str) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    ratio = """(() => {
      const light = (name) => { const c = document.createElement('canvas').getContext('2d'); c.fillStyle =
        getComputedStyle(document.documentElement).getPropertyValue(name).trim(); c.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...c.getImageData(0, 0, 1, 1).data].map(v => v / 255)
          .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
      return ['--ink', '--muted', '--accent', '--better', '--worse', '--doubt', '--quiet'].map(n => {
        const [a, b] = [light(n), light('--paper')]; return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); });
    })()"""
    try:
        for dark in (False, True):
            browser.media(dark=dark)
            browser.open(usual)
            *texts, lines = browser.run(ratio)
            assert min(texts) >= 4.5 and lines >= 3  # WCAG 2.2, 1.4.3 and 1.4.11
            assert browser.run(paper) == ("rgb(18, 22, 28)" if dark else "rgb(255, 255, 255)")
        browser.media(dark=True, kind="print")
        assert browser.run(paper) == "rgb(255, 255, 255)"
        assert browser.run("getComputedStyle(document.querySelector('nav')).display") == "none"
    finally:
        browser.media()


def test_strangers_names_are_text(browser: Chromium, strange: str) -> None:
    browser.open(strange)
    assert browser.troubles() == []
    assert browser.requests() == [strange]
    assert "taken" not in browser.run("document.title")
    assert browser.run("document.querySelectorAll('img, b, iframe, main script:not([type])').length") == 0
    text = browser.run("document.body.innerText")
    for shown in ("<script>document.title='taken'</script>", "<img src=x onerror=", "&lt;b&gt;", "\\u202egnp.elif"):
        assert shown in text, shown
    assert "\u202e" not in text and "\u2028" not in text
    drawn = browser.run("[...document.querySelectorAll('.plot svg text')].map(t => t.textContent).join(' ')")
    assert "<script>" in drawn and "\u202e" not in drawn
    assert browser.run("document.querySelectorAll('.plot svg').length") == browser.run(
        "document.querySelectorAll('[data-chart]').length"
    )


def test_the_policy_stops_what_is_not_the_pages_own(browser: Chromium, usual: str) -> None:
    browser.open(usual)
    added = "const s = document.createElement('{tag}'); s.textContent = {text}; document.head.append(s)"
    browser.run(added.format(tag="script", text="'document.title = 1'"))
    browser.run("const i = new Image(); i.src = 'https://example.invalid/a.png'; undefined")
    assert browser.run("document.title") != "1"
    browser.wait("Network.loadingFailed")
    assert len([text for text in browser.troubles() if "Content Security Policy" in text]) >= 2
    failed = [event["params"] for event in browser.events if event["method"] == "Network.loadingFailed"]
    assert [one.get("blockedReason") for one in failed] == ["csp"]
