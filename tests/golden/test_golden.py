"""Old files stay readable: every golden file of every schema is read, and none is missing."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from edgekit.bundle import budget_file, ledger, manifest, recipe_file, records, search_result, trials
from edgekit.bundle.recipe import load_recipe
from edgekit.bundle.records import read_record, write_record
from edgekit.devices import target
from edgekit.models.files import saving
from edgekit.schema.document import read_text
from edgekit.schema.gate import read_json
from edgekit.schema.versions import Versions
from tests.support.raised import raised

HERE = Path(__file__).parent


def as_manifest(path: Path) -> Any:
    return manifest.Manifest.from_dict(read_json(path, "bundle manifest"), str(path))


def as_entry(path: Path) -> Any:
    return ledger.Entry.from_dict(read_json(path, "ledger entry"), str(path))


def as_target(path: Path) -> Any:
    return target.parse(read_text(path, "target"), "x", str(path))


def as_card(path: Path) -> Any:
    model = path.parent / "m.keras"
    model.write_bytes(b"model")
    shutil.copyfile(path, saving.card_path(model))
    return saving.read_card(model)


def as_trial(path: Path) -> Any:
    return trials.Trial.from_dict(read_json(path, "trial"), str(path))


def as_search_result(path: Path) -> Any:
    return search_result.SearchResult.from_dict(read_json(path, "search result"), str(path))


class Kind(NamedTuple):
    versions: Versions
    read: Callable[[Path], Any]


KINDS = {
    "bundle-manifest": Kind(manifest.VERSIONS, as_manifest),
    "ledger-entry": Kind(ledger.VERSIONS, as_entry),
    "model-card": Kind(saving.VERSIONS, as_card),
    "record": Kind(records.VERSIONS, read_record),
    "trial": Kind(trials.VERSIONS, as_trial),
    "search-result": Kind(search_result.VERSIONS, as_search_result),
    "recipe": Kind(recipe_file.VERSIONS, lambda path: load_recipe(str(path))),
    "target": Kind(target.VERSIONS, as_target),
    "budget": Kind(budget_file.VERSIONS, budget_file.read_budget),
}
FILES = sorted(path.name for path in HERE.iterdir() if path.suffix in (".json", ".toml"))


def read_golden(name: str, folder: Path) -> Any:
    """Read a golden file as its kind, under a name that does not tell its schema."""
    kind, suffix = name.partition(".")[0], Path(name).suffix
    path = folder / f"file{suffix}"
    shutil.copyfile(HERE / name, path)
    return KINDS[kind].read(path)


def test_there_is_a_file_of_every_schema_of_every_kind() -> None:
    there = {(kind, int(number)) for kind, number in (name.split(".")[:2] for name in FILES)}
    assert there == {(kind, n) for kind, own in KINDS.items() for n in range(1, own.versions.newest + 1)}
    assert [own.versions.what.replace(" ", "-") for own in KINDS.values()] == list(KINDS)


@pytest.mark.parametrize("name", FILES)
def test_every_golden_file_is_read(name: str, tmp_path: Path) -> None:
    stem = name.partition(".")[0]
    newest = next(other for other in FILES if other.startswith(f"{stem}.{KINDS[stem].versions.newest}."))
    assert read_golden(name, tmp_path) == read_golden(newest, tmp_path)


def test_what_is_written_today_is_the_golden_file(tmp_path: Path) -> None:
    """A key that is no longer written, or a new one that the golden file lacks, is seen here."""
    for stem in ("bundle-manifest", "ledger-entry", "record", "trial", "search-result"):
        name = f"{stem}.{KINDS[stem].versions.newest}.json"
        assert json.loads(json.dumps(read_golden(name, tmp_path).to_dict())) == json.loads((HERE / name).read_text())
    made = read_golden("record.1.json", tmp_path)
    write_record(tmp_path / "again.json", made)
    assert read_record(tmp_path / "again.json") == made
    made = read_golden("recipe.1.toml", tmp_path)
    (tmp_path / "file.toml").write_text(made.to_toml())
    assert load_recipe(str(tmp_path / "file.toml")) == made


@pytest.mark.parametrize("name", [name for name in FILES if "unversioned" not in name])
def test_files_of_a_future_schema_are_refused(name: str, tmp_path: Path) -> None:
    kind = KINDS[name.partition(".")[0]]
    newer = kind.versions.newest + 1
    text = re.sub(r'("?schema"? ?[=:]) \d+', rf"\1 {newer}", (HERE / name).read_text(), count=1)
    path = tmp_path / f"future{Path(name).suffix}"
    path.write_text(text)
    file = "m.keras.json" if kind.read is as_card else path.name
    names = (f"{file}: `schema` is {newer}", f"up to schema {kind.versions.newest}", "upgrade edgekit")
    with raised("schema-too-new", *names):
        kind.read(path)


@pytest.mark.parametrize("name", FILES)
def test_unknown_keys_are_refused_and_a_card_may_tell_more(name: str, tmp_path: Path) -> None:
    kind, path = KINDS[name.partition(".")[0]], tmp_path / f"file{Path(name).suffix}"
    text = (HERE / name).read_text()
    path.write_text(text.replace("{", '{"sceme": 1,', 1) if path.suffix == ".json" else f"sceme = 1\n{text}")
    if kind.read is as_card:
        assert kind.read(path) is not None
        return
    with raised("key-unknown", "`sceme`", path.name):
        kind.read(path)


@pytest.mark.parametrize("name", [name for name in FILES if "unversioned" not in name])
def test_files_without_a_schema(name: str, tmp_path: Path) -> None:
    kind, path = KINDS[name.partition(".")[0]], tmp_path / f"file{Path(name).suffix}"
    path.write_text(re.sub(r'^ ?"?schema"? ?[=:] \d+,?\n', "", (HERE / name).read_text(), count=1, flags=re.MULTILINE))
    if kind.versions.unversioned is not None:
        assert kind.read(path) is not None
        return
    with raised("schema-missing", "`schema`", f"expected {kind.versions.newest}"):
        kind.read(path)
