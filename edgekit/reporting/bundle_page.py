"""What `compress` shows of a bundle: the effect ledger, if stages trained, and the table of its files."""

from __future__ import annotations

from typing import Any

from edgekit.bundle.manifest import Bundle
from edgekit.reporting import bundle_table, ledger_table
from edgekit.text.columns import PLAIN, Look, values


def page(bundle: Bundle, look: Look = PLAIN) -> str:
    """Return the tables."""
    entries = bundle.manifest.ledger
    parts = [ledger_table.ledger_table(entries, look)] if entries else []
    return "\n\n".join([*parts, bundle_table.bundle_table(bundle, look)])


def page_values(bundle: Bundle) -> dict[str, Any]:
    """Return the tables as JSON: `files` and `ledger`, a row each, by the names of the columns."""
    entries = bundle.manifest.ledger
    return {
        "bundle": str(bundle.path),
        "metric": bundle.manifest.task.main.metric,
        "files": [values(bundle_table.columns(), row) for row in bundle_table.rows(bundle.manifest)],
        "ledger": [values(ledger_table.columns(), row) for row in ledger_table.rows(entries)],
    }
