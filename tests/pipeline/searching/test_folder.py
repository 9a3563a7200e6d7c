"""The folder of a search: recognised, cleared, and nothing of others touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.bundle.manifest import MANIFEST
from edgekit.bundle.recipe import Recipe, load_recipe
from edgekit.bundle.search_result import Point, SearchResult
from edgekit.bundle.trials import Trial
from edgekit.errors import OutputError
from edgekit.pipeline.searching.folder import JOURNAL, Folder
from edgekit.schema.gate import read_json
from tests.pipeline.searching.made_up import trial
from tests.support.raised import raised


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path / "found")
    folder.prove([])
    folder.begin({"schema": 1})
    return folder


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Folder(tmp_path / "photos").prove([])
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"x")
    with raised("output-not-ours", "search.json", kind=OutputError):
        Folder(tmp_path / "photos").prove([])
    with raised("output-overlaps-input", kind=OutputError):
        Folder(tmp_path / "photos").prove([tmp_path / "photos"])


def test_a_search_that_hardly_began_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "found" / f"{JOURNAL}.locks").mkdir(parents=True)
    (tmp_path / "found" / JOURNAL).write_bytes(b"")
    Folder(tmp_path / "found").prove([])
    (tmp_path / "found" / "trials").mkdir()
    with raised("output-not-ours", "search.json", kind=OutputError):
        Folder(tmp_path / "found").prove([])


def test_a_trial_is_kept_whole_and_once(folder: Folder, tmp_path: Path) -> None:
    file = tmp_path / "m-int8.tflite"
    file.write_bytes(b"model")
    recipe = load_recipe("qat")
    folder.keep(trial(7), recipe, file)
    folder.keep(trial(7, 10), None, None)
    place = folder.of_trial(7)
    assert place.name == "0007"
    assert Trial.from_dict(read_json(place / "trial.json", "trial"), "x") == trial(7)
    assert load_recipe(str(place / "recipe.toml")).stages == recipe.stages
    assert (place / file.name).read_bytes() == b"model"
    assert folder.made_here(7)
    folder.keep(trial(8, state="failed", measured=None), Recipe("x"), None)
    assert not folder.made_here(8)
    assert not folder.made_here(9)


def test_only_bundles_of_the_front_stay(folder: Folder) -> None:
    kept, gone, foreign = (folder.path / "front" / name for name in ("0001-1000B", "0002-900B", "notes"))
    for place in (kept, gone, foreign):
        place.mkdir(parents=True)
        (place / MANIFEST).write_text("{}")
    assert folder.bundle(trial(1)) == kept
    folder.only_bundles([kept])
    assert sorted(p.name for p in (folder.path / "front").iterdir()) == ["0001-1000B", "notes"]


def test_starting_over_leaves_what_is_not_of_the_search(folder: Folder) -> None:
    folder.keep(trial(7), None, None)
    (folder.path / "study.journal").write_text("x")
    (folder.path / "notes.txt").write_text("mine")
    folder.clear()
    assert sorted(p.name for p in folder.path.iterdir()) == ["notes.txt", "search.json"]


def test_the_front_is_written_as_it_is_read(folder: Folder) -> None:
    result = SearchResult(
        edgekit="1", metric="accuracy", cost="macs", front=(Point(trial(7), {"correct": 5, "samples": 9}, "front/x"),),
        complete=1, met=False, nearest=7, misses={"max_bytes": 0.25},
    )  # fmt: skip
    folder.show(result)
    text = (folder.path / "front.json").read_text()
    assert SearchResult.from_dict(json.loads(text), "x") == result
