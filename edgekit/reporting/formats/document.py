"""A report as one JSON document: the numbers of the tables by the keys of their columns."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

from edgekit.reporting import bundle_page, search_table
from edgekit.reporting.bench_table import row_values
from edgekit.reporting.contents import Contents
from edgekit.reporting.deciding import Decision
from edgekit.schema.types import JsonObject, JsonValue


def text(contents: Contents) -> str:
    """Return the document as ASCII text."""
    return json.dumps(document(contents), indent=2, allow_nan=False) + "\n"


def document(contents: Contents) -> JsonObject:
    """Return the document."""
    collection = contents.collection
    records = collection.records.items()
    found = {
        "decisions": list(map(_decision, contents.decisions)),
        "records": [{"record": name, "target": r.target, "created": r.created} for name, r in records],
        "rows": list(map(row_values, contents.rows)),
        "cautions": list(contents.cautions),
        "bundles": [{"name": name, **bundle_page.page_values(one)} for name, one in collection.bundles.items()],
        "searches": [{"name": name, **search_table.search_values(one)} for name, one in collection.searches.items()],
        "skipped": list(map(asdict, collection.skipped)),
    }
    return {key: _finite(value) for key, value in found.items()}


def _decision(decision: Decision) -> JsonObject:
    choice = decision.choice
    return {
        "kind": choice.kind,
        "file": decision.file,
        "source": decision.source,
        "target": decision.device or None,
        "threads": decision.threads,
        "text": choice.text,
    }


def _finite(value: JsonValue) -> JsonValue:
    """Return a value without numbers that JSON does not have: they are null."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
