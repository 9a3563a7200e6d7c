"""The page: a head with the policy, the sections, and the scripts. One file, which asks for nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgekit.bundle.collection import Collection, Skipped
from edgekit.bundle.sensitivity import Sensitivity
from edgekit.reporting.contents import Contents
from edgekit.reporting.html.charts.theme import config
from edgekit.reporting.html.embedding import data, policy, script, style
from edgekit.reporting.html.markup import Markup, element, joined
from edgekit.reporting.html.sections.bundles import bundles
from edgekit.reporting.html.sections.decision import decision
from edgekit.reporting.html.sections.health import devices, healths
from edgekit.reporting.html.sections.history import histories
from edgekit.reporting.html.sections.latency import latency
from edgekit.reporting.html.sections.limits import MOST_ROWS, first
from edgekit.reporting.html.sections.measurements import measurements
from edgekit.reporting.html.sections.memory import memory_passes
from edgekit.reporting.html.sections.overview import overview
from edgekit.reporting.html.sections.parts import Section, paragraphs, plain_table
from edgekit.reporting.html.sections.reproduce import reproduce
from edgekit.reporting.html.sections.searches import searches
from edgekit.reporting.html.sections.sensitivity import sensitivities
from edgekit.reporting.html.sections.verdicts import verdicts
from edgekit.reporting.html.vendored import asset, sources
from edgekit.version import __version__

TITLE = "edgekit report"
NAMES = {
    "overview": "Charts", "table": "Table", "bundles": "Compressions", "searches": "Searches", "latency": "Latency",
    "memory": "Memory", "history": "History", "health": "Health", "sensitivity": "Layers", "verdicts": "Verdicts",
    "devices": "Devices", "reproduce": "Reproduce", "skipped": "Skipped",
}  # fmt: skip
"""What links call the sections."""


def html_page(collection: Collection, *, layers: Mapping[str, Sensitivity] | None = None) -> str:
    """Return the page of a collection; see `page`."""
    return page(Contents.of(collection), layers=layers)


def page(contents: Contents, *, layers: Mapping[str, Sensitivity] | None = None) -> str:
    """Return a report as one HTML file.

    Args:
        contents: of the report.
        layers: by name, layers of int8 files that were looked at.

    Raises:
        InputError: a script of the package was changed.
    """
    parts = [part for part in _sections(contents, layers or {}) if part is not None]
    scripts = [*sources(), asset("page.js")]
    sheet = asset("page.css")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy(scripts, [sheet])),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="generator", content=f"edgekit {__version__}"),
        element("title", _title(contents.collection)),
        style(sheet),
    )
    body = element(
        "body",
        element("a", "To the content", href="#content", class_="skip"),
        _header(contents.collection, parts),
        element("main", decision(contents.decisions), *(p.html() for p in parts), id="content", tabindex=-1),
        _footer(),
        data("chart-config", config()),
        *map(script, scripts),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _sections(contents: Contents, layers: Mapping[str, Sensitivity]) -> list[Section | None]:
    collection, rows = contents.collection, contents.rows
    chosen = {(one.file, one.source) for one in contents.decisions if one.file is not None}
    return [
        overview(rows, chosen),
        measurements(rows, contents.cautions, chosen) if rows else None,
        searches(collection.searches, chosen),
        bundles(collection.bundles, chosen),
        latency(rows),
        memory_passes(rows),
        histories(collection.records),
        healths(collection.records),
        sensitivities(layers),
        verdicts(rows) if rows else None,
        devices(collection.records),
        reproduce(collection.records, collection.bundles, collection.searches),
        _skipped(collection.skipped),
    ]


def _title(collection: Collection) -> str:
    names = [*collection.records, *collection.bundles, *collection.searches]
    return f"{names[0]} – {TITLE}" if len(names) == 1 else f"{len(names)} sources – {TITLE}"


def _counts(collection: Collection) -> str:
    counted = [
        (len(collection.records), "record"), (len(collection.bundles), "bundle"), (len(collection.searches), "search"),
    ]  # fmt: skip
    texts = [f"{n} {noun}{('es' if noun == 'search' else 's') * (n != 1)}" for n, noun in counted if n]
    samples = sum(run.count for record in collection.records.values() for m in record.measurements for run in m.latency)
    return ", ".join([*texts, *([f"{samples:,} timed inferences"] if samples else [])])


def _header(collection: Collection, parts: Sequence[Section]) -> Markup:
    links = [element("li", element("a", NAMES[part.identifier], href=f"#{part.identifier}")) for part in parts]
    return element(
        "header",
        element("h1", TITLE),
        element("p", _counts(collection), class_="note"),
        element("nav", element("ul", *links), aria_label="Sections"),
    )


def _skipped(found: Sequence[Skipped]) -> Section | None:
    if not found:
        return None
    shown, left = first(found, MOST_ROWS, "files")
    table = plain_table(
        "What the folders hold that is not part of this page",
        ["path", "code", "reason"],
        [(one.path, one.code, one.message) for one in shown],
    )
    return Section("skipped", f"{len(found):,} skipped", joined([table, paragraphs(left)]))


def _footer() -> Markup:
    drawn = "Charts are drawn by Vega, Vega-Lite and Vega-Embed (BSD 3-Clause), which this file holds."
    needed = element("noscript", element("p", "Charts need JavaScript; all tables are readable without it."))
    return element("footer", needed, element("p", f"Made by edgekit {__version__}. This file loads nothing. {drawn}"))
