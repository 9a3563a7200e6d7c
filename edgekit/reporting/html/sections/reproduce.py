"""How to get the same again: commands, versions and hashes."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from edgekit.bundle.manifest import Bundle, Manifest
from edgekit.bundle.records import Record
from edgekit.bundle.search_result import SearchResult
from edgekit.reporting.conditions import conditions
from edgekit.reporting.html.markup import Markup, element, joined
from edgekit.reporting.html.sections.limits import MOST_SOURCES, first
from edgekit.reporting.html.sections.parts import Section, details, facts, paragraphs, plain_table
from edgekit.reporting.html.sections.searches import budget

IDENTIFIER = "reproduce"


def reproduce(
    records: Mapping[str, Record], bundles: Mapping[str, Bundle], searches: Mapping[str, SearchResult]
) -> Section:
    """Return what every record, bundle and search says of its making."""
    making: list[tuple[str, Callable[[], Markup]]] = [
        *((f"Record {name}", partial(_record, one)) for name, one in records.items()),
        *((f"Bundle {name}", partial(_bundle, one.manifest)) for name, one in bundles.items()),
        *((f"Search {name}", partial(_search, one)) for name, one in searches.items()),
    ]
    shown, left = first(making, MOST_SOURCES, "sources")
    parts = [details(title, told(), printed=True) for title, told in shown]
    how = "The same command, with the files of these digests, on the same machine."
    return Section(IDENTIFIER, "How to reproduce", joined([element("p", how), paragraphs(left), *parts]))


def _record(record: Record) -> Markup:
    command = shlex.join(["edgekit", *record.command])
    pairs: list[tuple[str, Markup | str]] = [
        ("command", element("code", command)),
        ("edgekit", record.edgekit),
        ("measured", record.created),
    ]
    if record.evaluation:
        on = record.evaluation
        pairs += [("samples", f"{on.samples:,}, {on.source}"), ("their SHA-256", element("code", on.sha256))]
    lines = conditions(record).split("\n")
    files = [(s.name, s.path, f"{s.bytes:,} B", s.sha256) for s in record.subjects]
    return joined([
        facts(pairs),
        element("ul", *(element("li", line) for line in lines)),
        _files(files, ["file", "path", "size", "SHA-256"]),
    ])  # fmt: skip


def _bundle(manifest: Manifest) -> Markup:
    data = manifest.data
    pairs: list[tuple[str, Markup | str]] = [
        ("recipe", f"{manifest.recipe}, in the bundle's recipe.toml"),
        ("seed", str(manifest.seed)),
        ("edgekit", manifest.edgekit),
        ("made", manifest.created),
        ("packages", ", ".join(f"{name} {version}" for name, version in sorted(manifest.packages.items())) or "-"),
        ("data", data.get("name", "-")),
    ]
    if "sha256" in data:
        pairs.append(("their SHA-256", element("code", data["sha256"])))
    files = [(a.file, a.made_by, f"{a.bytes:,} B", a.sha256) for a in manifest.artifacts]
    files += [(name, "-", f"{listed['bytes']:,} B", listed["sha256"]) for name, listed in manifest.files.items()]
    return joined([facts(pairs), _files(files, ["file", "made by", "size", "SHA-256"])])


def _search(result: SearchResult) -> Markup:
    pairs: list[tuple[str, Markup | str]] = [
        ("edgekit", result.edgekit),
        ("metric", result.metric),
        ("cost", f"{result.cost} on {result.target}" if result.target else result.cost),
        ("budget", budget(result).replace("`", "")),
    ]
    files = [
        (str(point.trial.number), point.recipe or "-", f"{found.bytes:,} B", found.sha256)
        for point in result.front
        if (found := point.trial.measured) is not None
    ]
    return joined([facts(pairs), _files(files, ["trial", "recipe", "size", "SHA-256"])])


def _files(rows: Iterable[tuple[str, str, str, str]], header: list[str]) -> Markup | None:
    found = list(rows)
    return plain_table("Files", header, found) if found else None
