"""What paths lead to: records, bundles, searches, folders of them, and whatever else lies there."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import edgekit.bundle.collection as collection
from edgekit.bundle.collection import gather
from tests.support.raised import raised

TESTS = Path(__file__).parents[1]
RECORD = TESTS / "report" / "session.json"
MANIFEST = TESTS / "golden" / "bundle-manifest.1.json"
FRONT = TESTS / "golden" / "search-result.1.json"


def put(source: Path, place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, place)
    return place


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two records, a bundle, and a search with a bundle of its front."""
    put(RECORD, tmp_path / "records" / "b.json")
    put(RECORD, tmp_path / "records" / "a.json")
    put(MANIFEST, tmp_path / "small" / "manifest.json")
    put(FRONT, tmp_path / "found" / "front.json")
    put(MANIFEST, tmp_path / "found" / "front" / "0007-48532B" / "manifest.json")
    return tmp_path


def test_a_folder_is_walked(folder: Path) -> None:
    found = gather([folder])
    assert list(found.records) == ["a", "b"]
    assert list(found.bundles) == ["small"]
    assert list(found.searches) == ["found"]
    assert found.skipped == ()
    assert found.bundles["small"].path == found.paths["small"] == folder / "small"
    assert found.paths["b"] == folder / "records" / "b.json"


def test_what_is_named_comes_in_the_order_of_the_names_and_once(folder: Path) -> None:
    b, a = folder / "records" / "b.json", folder / "records" / "a.json"
    found = gather([b, a, folder / "records", folder / "small" / "manifest.json", folder / "found", b])
    assert list(found.records) == ["b", "a"]
    assert (list(found.bundles), list(found.searches)) == (["small"], ["found"])
    assert list(gather([folder / "found" / "front.json"]).searches) == ["found"]


def test_names_are_short_and_unique(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(RECORD, folder / "old" / "a.json")
    put(RECORD, folder / "records" / "small.json")  # as the bundle
    monkeypatch.chdir(folder)
    found = gather([Path()])
    assert list(found.records) == ["old/a.json", "records/a.json", "b", "records/small.json"]
    assert list(found.bundles) == ["small"]  # its path
    monkeypatch.chdir(folder / "small")
    assert list(gather([Path()]).bundles) == ["small"]


def test_names_can_be_shown(tmp_path: Path) -> None:
    for name in ("\u202egnp.json", "a\nb.json", "\x1b[2J.json", os.fsdecode(b"\xff.json")):
        put(RECORD, tmp_path / name)
    names = list(gather([tmp_path]).records)
    assert len(set(names)) == 4
    assert all(name.isprintable() for name in names)


CONTENTS = {
    "truncated": (RECORD.read_text()[:-100], "not-json"),
    "empty": ("", "not-json"),
    "foreign": ('{"name": "left-pad", "version": "1.0"}', "file-of-another-kind"),
    "list": ("[1, 2]", "file-of-another-kind"),
    "number": ("NaN", "file-of-another-kind"),
    "report": ('{"decisions": [], "rows": [], "skipped": []}', "file-of-another-kind"),
    "card": ('{"schema": 1, "preprocessing": {}, "lineage": []}', "file-of-another-kind"),
    "half": ('{"schema": 2, "subjects": []}', "key-missing"),
    "newer": (RECORD.read_text().replace('"schema": 1', '"schema": 99', 1), "schema-too-new"),
    "wrong": (RECORD.read_text().replace('"measurements": [', '"measurements": [1, ', 1), "value-not-valid"),
    "deep": ('{"a":' * 3000 + "1" + "}" * 3000, "nested-too-deep"),
    "digits": (json.dumps({"subjects": int("9" * 500), "measurements": 0}), "value-out-of-range"),
}


def test_what_is_damaged_or_foreign_is_skipped_and_named(folder: Path) -> None:
    for name, (content, _) in CONTENTS.items():
        (folder / f"{name}.json").write_text(content)
    (folder / "utf16.json").write_bytes(RECORD.read_text().encode("utf-16"))
    (folder / "notes.txt").write_text("{")
    found = gather([folder])
    assert list(found.records) == ["a", "b"]
    expected = {name: code for name, (_, code) in CONTENTS.items()} | {"utf16": "not-utf-8"}
    assert {Path(one.path).stem: one.code for one in found.skipped} == expected
    assert all(str(folder) not in one.message for one in found.skipped)


def test_a_manifest_or_a_front_that_cannot_be_read_hides_nothing_beside_it(folder: Path) -> None:
    (folder / "records" / "manifest.json").write_text('{"name": "a web application", "icons": []}')
    (folder / "records" / "front.json").write_text("{")
    found = gather([folder / "records"])
    assert list(found.records) == ["a", "b"]
    assert [Path(one.path).name for one in found.skipped] == ["front.json", "manifest.json"]


def test_named_files_that_cannot_be_read_are_errors(folder: Path) -> None:
    broken = folder / "records" / "broken.json"
    for name, (content, code) in CONTENTS.items():
        broken.write_text(content)
        if code != "file-of-another-kind" or name == "card":
            with raised(code, "broken.json"):
                gather([folder, broken])
    with raised("file-missing", "none.json"):
        gather([folder, folder / "none.json"])
    with raised("file-of-another-kind", "a trial of a search"):
        gather([put(TESTS / "golden" / "trial.1.json", folder / "trial.json")])


def test_a_folder_without_anything_is_an_error(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "empty").mkdir()
    with raised("nothing-to-report", "empty"):
        gather([folder, tmp_path / "empty"])
    (tmp_path / "empty" / "x.json").write_text("{")
    with raised("nothing-to-report", "skipped 1", "x.json", "not a record"):
        gather([tmp_path / "empty"])


def test_links_and_hidden_files_are_left_alone(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    put(RECORD, elsewhere / "secret.json")
    put(MANIFEST, elsewhere / "theirs" / "manifest.json")
    (folder / "out").symlink_to(elsewhere)
    (folder / "link.json").symlink_to(elsewhere / "secret.json")
    (folder / "loop").symlink_to(folder)
    (folder / "fake").mkdir()
    (folder / "fake" / "manifest.json").symlink_to(elsewhere / "theirs" / "manifest.json")
    put(RECORD, folder / ".cache" / "c.json")
    put(RECORD, folder / ".d.json")
    os.mkfifo(folder / "pipe.json")
    found = gather([folder])
    assert (list(found.records), list(found.bundles)) == (["a", "b"], ["small"])
    assert sorted(Path(one.path).name for one in found.skipped) == ["link.json", "manifest.json", "pipe.json"]
    assert {one.code for one in found.skipped} == {"file-unreadable"}
    assert list(gather([folder / "out"]).records) == ["secret"]  # named


def test_the_depth_of_a_walk_is_bounded(tmp_path: Path) -> None:
    put(RECORD, tmp_path / "top.json")
    put(RECORD, tmp_path.joinpath(*["d"] * (collection.DEEPEST_FOLDER - 1)) / "last.json")
    put(RECORD, tmp_path.joinpath(*["d"] * collection.DEEPEST_FOLDER) / "beyond.json")
    found = gather([tmp_path])
    assert list(found.records) == ["top", "last"]
    assert [one.code for one in found.skipped] == ["walk-too-large"]


@pytest.mark.parametrize(("limit", "most"), [("MOST_ENTRIES", 6), ("MOST_BYTES", RECORD.stat().st_size + 10)])
def test_the_size_of_a_walk_is_bounded(limit: str, most: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection, limit, most)
    put(RECORD, folder / "records" / "z" / "c.json")
    put(RECORD, folder / "zz" / "d.json")
    found = gather([folder])
    assert "d" not in found.records
    assert [one.code for one in found.skipped] == ["walk-too-large"]


def test_a_folder_that_may_not_be_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refusing(path: Path) -> object:
        if Path(path).name == "records":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    found = gather([folder])
    assert list(found.bundles) == ["small"]
    assert [(Path(one.path).name, one.code) for one in found.skipped] == [("records", "file-unreadable")]
