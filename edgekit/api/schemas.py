"""JSON Schemas of the files that edgekit writes and reads."""

from __future__ import annotations

from edgekit.api.words import face
from edgekit.errors import InputError
from edgekit.errors.printable import visible
from edgekit.schema.toml import nearest
from edgekit.schema.types import JsonObject

KINDS = ("record", "manifest", "ledger-entry", "recipe", "target", "trial", "search-result", "model-card")


@face
def json_schema(kind: str) -> JsonObject:
    """Return the JSON Schema (Draft 2020-12) of a kind of file, in its newest form.

    Args:
        kind: `record`, `manifest`, `ledger-entry`, `recipe`, `target`, `trial`, `search-result` or `model-card`.

    Raises:
        InputError: there is no such kind.

    Example:
        >>> json_schema("recipe")["properties"]["seed"]
        {'type': 'integer', 'minimum': 0, 'maximum': 4294967295, 'default': 0}
    """
    from edgekit.bundle import ledger, manifest, recipe_file, records, search_result, trials
    from edgekit.devices import target
    from edgekit.models.files import saving
    from edgekit.schema.json_schema import json_schema as made

    if kind not in KINDS:
        raise InputError(f"no schema `{visible(kind)}`", nearest(kind, KINDS), code="unknown-name")
    declared = {
        "record": (records.Record, records.VERSIONS),
        "manifest": (manifest.Manifest, manifest.VERSIONS),
        "ledger-entry": (ledger.Entry, ledger.VERSIONS),
        "recipe": (recipe_file.RecipeFile, recipe_file.VERSIONS),
        "target": (target.TargetFile, target.VERSIONS),
        "trial": (trials.Trial, trials.VERSIONS),
        "model-card": (saving.CardForm, saving.VERSIONS),
        "search-result": (search_result.SearchResult, search_result.VERSIONS),
    }
    return made(*declared[kind])
