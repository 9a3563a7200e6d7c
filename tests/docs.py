"""Pages made from registries, and the map in CONTRIBUTING.md: `make docs` writes them, a test compares them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from edgekit.api.schemas import KINDS, json_schema
from edgekit.data.lint.checks import checks_table
from edgekit.data.sources.registry import sources_table
from edgekit.devices.doctor import checks_table as device_checks
from edgekit.devices.facts import facts_table
from edgekit.devices.transports.registry import transports_table
from edgekit.errors.codes import register
from edgekit.errors.codes.pages import markdown
from edgekit.models import supported
from edgekit.reporting import columns_page
from edgekit.tasks import register as metrics
from edgekit.techniques import page as techniques
from tests import documents
from tests.guards.rooms import described

FOLDER = Path(__file__).parents[1] / "docs"
MAP = ("<!-- rooms: made by `make docs` -->\n", "<!-- end of rooms -->\n")


def contributing() -> str:
    """Return CONTRIBUTING.md with the map of today's rooms."""
    head, begin, rest = (FOLDER.parent / "CONTRIBUTING.md").read_text(encoding="utf-8").partition(MAP[0])
    _, end, tail = rest.partition(MAP[1])
    return f"{head}{begin}\n{described()}\n\n{end}{tail}"


def data_page() -> str:
    """Return the page about data: what `--data` takes, and what is checked."""
    return (
        "# Data\n\n## What `--data` takes\n\n| give | holds |\n|---|---|\n"
        f"{sources_table()}\n\n## What is checked before any work starts\n\n"
        "`edgekit explain CODE` tells why a finding matters and what to do.\n\n| code | looks at |\n|---|---|\n"
        f"{checks_table()}\n"
    )


def devices_page() -> str:
    """Return the page about devices: how they are reached."""
    return (
        "# Devices\n\n## Transports\n\nWhat `transport` may be in a target's file, and which options of commands it "
        f"takes.\n\n| transport | reaches | options |\n|---|---|---|\n{transports_table()}\n\n"
        "## Facts\n\nWhat a record keeps of the machine; a fact that cannot be read is kept with the reason.\n\n"
        f"| fact | means | command |\n|---|---|---|\n{facts_table()}\n\n"
        "## What `edgekit targets check` looks at\n\n"
        f"| check | looks at |\n|---|---|\n{device_checks()}\n"
    )


def schema_page(kind: str) -> str:
    """Return the JSON Schema of a kind of file."""
    return json.dumps(json_schema(kind), indent=2) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "../CONTRIBUTING.md": contributing,
    "codes.md": lambda: markdown(register().values()),
    "data.md": data_page,
    "metrics.md": metrics.page,
    "layers.md": supported.markdown,
    "techniques.md": techniques.markdown,
    "devices.md": devices_page,
    "columns.md": columns_page.markdown,
    "output.schema.json": documents.page,
    **{f"schemas/{kind}.schema.json": partial(schema_page, kind) for kind in KINDS},
}


def write() -> None:
    """Write every page."""
    (FOLDER / "schemas").mkdir(parents=True, exist_ok=True)
    for name, text in PAGES.items():
        (FOLDER / name).write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    write()
