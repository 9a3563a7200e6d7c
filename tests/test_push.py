"""Copying bundles to a board and to folders; the board is a shell of this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.devices.target import DESKTOP, Target, parse
from edgekit.errors import InputError, TargetError
from edgekit.files import sha256
from edgekit.push import push
from tests.tiny_tflite import tiny_tflite


@pytest.fixture
def board(home: Path) -> Target:
    return parse('schema = 1\ntransport = "ssh"\nhost = "pi@board"\n', "pi", "test")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny_tflite(tmp_path / "my model.tflite")


def test_a_file_goes_to_the_home_folder_once(board: Target, model: Path, home: Path) -> None:
    (first,) = push(model, board)
    assert Path(first.path) == home / "models" / "my model" / "my model.tflite"
    assert (first.sha256, first.sent) == (sha256(model), model.stat().st_size)
    assert Path(first.path).read_bytes() == model.read_bytes()
    (again,) = push(model, board)
    assert again.sent == 0
    Path(first.path).write_bytes(b"old version")
    (third,) = push(model, board)
    assert third.sent == model.stat().st_size
    assert sorted(p.name for p in Path(first.path).parent.iterdir()) == [model.name]


@pytest.mark.parametrize("dest", ["a b/it's", "~/x", "~", "deep/er/folder"])
def test_folders_on_the_board(board: Target, model: Path, home: Path, dest: str) -> None:
    (found,) = push(model, board, dest)
    assert Path(found.path) == home / dest.removeprefix("~").removeprefix("/") / model.name


def test_absolute_and_local_folders(board: Target, model: Path, tmp_path: Path) -> None:
    (found,) = push(model, board, str(tmp_path / "abs"))
    assert Path(found.path) == tmp_path / "abs" / model.name
    (found,) = push(model, DESKTOP, str(tmp_path / "stick" / "models"))
    assert Path(found.path).read_bytes() == model.read_bytes()
    assert push(model, DESKTOP, str(tmp_path / "stick" / "models"))[0].sent == 0


def test_what_an_interrupted_copy_left_is_continued(board: Target, model: Path, home: Path) -> None:
    folder = home / "models" / "x"
    folder.mkdir(parents=True)
    half = model.read_bytes()[:700]
    (folder / f"{model.name}.{sha256(model)[:16]}.part").write_bytes(half)
    (found,) = push(model, board, "models/x")
    assert found.sent == model.stat().st_size - 700
    assert [p.name for p in folder.iterdir()] == [model.name]


def test_what_stands_in_the_way(board: Target, model: Path, home: Path) -> None:
    (home / "models" / model.name).mkdir(parents=True)
    with pytest.raises(TargetError, match="is there and is not a file"):
        push(model, board, "models")
    (home / "file").write_text("x")
    with pytest.raises(TargetError, match="cannot write file/below"):
        push(model, board, "file/below")
    assert (home / "file").read_text() == "x"


def test_sources_that_are_none(board: Target, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        push(tmp_path / "nothing", board)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError):
        push(tmp_path / "empty", board)
    (tmp_path / "empty" / "manifest.json").write_text(json.dumps({"schema": 99}))
    with pytest.raises(InputError):
        push(tmp_path / "empty", board)
    assert [p.name for p in (tmp_path / "empty").iterdir()] == ["manifest.json"]
