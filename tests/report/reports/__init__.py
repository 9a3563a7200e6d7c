"""Whole reports, a file a format; `python -m tests.report.reports` writes them again, to be looked at in the diff."""

from __future__ import annotations

from pathlib import Path

from edgekit.bundle.collection import Collection, Skipped
from edgekit.bundle.manifest import Bundle, Manifest
from edgekit.bundle.records import read_record
from edgekit.bundle.search_result import SearchResult
from edgekit.reporting.contents import Contents
from edgekit.reporting.rendering import rendered
from edgekit.schema.gate import read_json

HERE = Path(__file__).parent
GOLDEN = HERE.parents[1] / "golden"
FILES = {"terminal": "report.txt", "md": "report.md", "csv": "report.csv", "json": "report.json"}


def collection() -> Collection:
    """Return a record, a bundle, a search and a file that was skipped."""
    manifest = Manifest.from_dict(read_json(GOLDEN / "bundle-manifest.1.json", "bundle manifest"), "x")
    search = SearchResult.from_dict(read_json(GOLDEN / "search-result.1.json", "search result"), "x")
    return Collection(
        {"session": read_record(HERE.parent / "session.json")},
        {"small": Bundle(Path("small"), manifest)},
        {"found": search},
        (Skipped("records/half.json", "not-json", "not a record: line 3, column 1: Expecting value"),),
    )


def write() -> None:
    """Write every file."""
    contents = Contents.of(collection())
    for name, file in FILES.items():
        (HERE / file).write_text(rendered(contents, name), encoding="utf-8")
