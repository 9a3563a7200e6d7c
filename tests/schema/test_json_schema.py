"""JSON Schemas say what the gate says: what edgekit reads they take, and what is wrong they refuse."""

from __future__ import annotations

import copy
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, NotRequired, TypedDict

import pytest
from jsonschema import Draft202012Validator

from benchmarks.hostile.mutations import VALUES, paths, replaced
from edgekit.api.schemas import KINDS, json_schema
from edgekit.bundle.manifest import Manifest
from edgekit.bundle.recipe import load_recipe, named_recipes
from edgekit.bundle.records import Record
from edgekit.errors import EdgekitError
from edgekit.schema import json_schema as made
from edgekit.schema.gate import read
from edgekit.schema.rules import Sized, one_of
from edgekit.schema.versions import Versions
from tests.support.raised import raised

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
GOLDEN_NAMES = {"manifest": "bundle-manifest"}
WRONG: dict[str, list[tuple[tuple[str | int, ...], Any]]] = {
    "record": [
        (("schema",), 99), (("measurements", 0, "latency", 0, "samples_ns", 1), -1), (("subjects", 0, "bytes"), "9"),
    ],
    "manifest": [(("artifacts",), []), (("artifacts", 0, "scheme"), "int9"), (("files", "README.txt", "sha256"), "0")],
    "ledger-entry": [(("latency",), [1.0]), (("zeros",), 1.5), (("bytes",), None)],
    "recipe": [(("export", "scheme"), ["int8"]), (("seed",), -1), (("stage", 0, "amount"), {"a": 1})],
    "trial": [(("state",), "done"), (("measured", "sha256"), "abc"), (("rungs", 0, "share"), 1.5), (("number",), -1)],
    "search-result": [(("cost",), "time"), (("front", 0, "trial", "number"), "7"), (("misses", "max_bytes"), "much")],
    "model-card": [(("model_sha256",), "abc"), (("class_names",), "a"), (("preprocessing", "layout"), 3)],
    "target": [(("transport",), "telnet"), (("port",), 0), (("health", "temperature"), "temp")],
}  # fmt: skip


def golden(kind: str) -> Any:
    """Return the golden file of the newest schema."""
    path = max(path for path in GOLDEN.glob(f"{GOLDEN_NAMES.get(kind, kind)}.*") if "unversioned" not in path.name)
    return json.loads(path.read_text()) if path.suffix == ".json" else tomllib.loads(path.read_text())


def changed(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    value = copy.deepcopy(value)
    inside = value
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = new
    return value


@pytest.mark.parametrize("kind", KINDS)
def test_golden_files_are_valid_and_wrong_ones_are_not(kind: str) -> None:
    schema = json_schema(kind)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    whole = golden(kind)
    validator.validate(whole)
    assert len(WRONG[kind]) >= 3
    for path, new in WRONG[kind]:
        assert not validator.is_valid(changed(whole, path, new)), path


def test_every_kind_of_file_has_a_schema() -> None:
    stems = {path.name.partition(".")[0] for path in GOLDEN.iterdir() if path.suffix in (".json", ".toml")}
    assert {GOLDEN_NAMES.get(kind, kind) for kind in KINDS} == stems


def test_files_of_the_package_and_of_this_repository_are_valid() -> None:
    recipe, target = (Draft202012Validator(json_schema(kind)) for kind in ("recipe", "target"))
    for name in named_recipes():
        recipe.validate(tomllib.loads(load_recipe(name).to_toml()))
    for path in (ROOT / "targets").glob("*.toml"):
        target.validate(tomllib.loads(path.read_text()))
    record, manifest = (Draft202012Validator(json_schema(kind)) for kind in ("record", "manifest"))
    session = json.loads((ROOT / "tests" / "report" / "session.json").read_text())
    record.validate(json.loads(json.dumps(Record.from_dict(session, "session").to_dict())))
    for path in (ROOT / "benchmarks" / "artifacts").glob("*/manifest.json"):
        written = Manifest.from_dict(json.loads(path.read_text()), "manifest").to_dict()
        manifest.validate(json.loads(json.dumps(written)))


def test_what_the_gate_takes_the_schema_takes() -> None:
    from edgekit.devices import target

    validator, whole, taken = Draft202012Validator(json_schema("target")), golden("target"), 0
    for path in paths(whole):
        for value in VALUES:
            table = replaced(whole, path, value)
            try:
                read(target.TargetFile, table, "x", "target", versions=target.VERSIONS)
            except EdgekitError:
                continue
            taken += 1
            assert validator.is_valid(table), (path, value)
    assert taken > 50


class Tree(TypedDict):
    name: Annotated[str, one_of("a", "b")]
    children: NotRequired[Annotated[list[Tree], Sized(0, 2)]]


def test_declarations_that_hold_themselves() -> None:
    validator = Draft202012Validator(made.json_schema(dict[str, Tree], Versions("tree", 1, unversioned=1)))
    leaf = {"name": "b"}
    assert validator.is_valid({"x": {"name": "a", "children": [leaf, leaf]}, "schema": 1})
    for wrong in ({"name": "c"}, {"name": "a", "children": [leaf] * 3}, {"name": "a", "children": [{"name": "d"}]}, {}):
        assert not validator.is_valid({"x": wrong})


def test_unknown_kinds() -> None:
    with raised("unknown-name", "`recrod`", "`record`?"):
        json_schema("recrod")
