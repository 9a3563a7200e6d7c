"""Copying bundles to a board and to folders; the board is a shell of this machine."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.devices.push import push
from edgekit.devices.target import DESKTOP, Target, parse
from edgekit.errors import InputError, OutputError, TargetError
from edgekit.files.whole import sha256
from tests.support import vendor_onnx
from tests.support.heard import Heard
from tests.support.raised import raised
from tests.support.tiny_tflite import tiny_tflite


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
    with raised("device-path-refused", "not a file", kind=TargetError):
        push(model, board, "models")
    (home / "file").write_text("x")
    with raised("device-path-refused", "file/below", kind=TargetError):
        push(model, board, "file/below")
    assert (home / "file").read_text() == "x"


@pytest.mark.parametrize("dest", ["file", "file/below"])
def test_what_stands_in_the_way_on_this_machine(model: Path, tmp_path: Path, dest: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match=f"{dest}: cannot"):
        push(model, DESKTOP, str(tmp_path / dest))
    assert (tmp_path / "file").read_text() == "x"


@pytest.mark.parametrize("location", ["", "weights/of it/v.bin"])
def test_external_data_comes_along(board: Target, tmp_path: Path, home: Path, location: str) -> None:
    source = vendor_onnx.external(tmp_path / "v.onnx", location)
    data, main = push(source, board, "models/x")
    place = location or "v.onnx.data"
    assert Path(main.path) == home / "models/x/v.onnx"
    assert Path(data.path) == home / "models/x" / place
    assert data.sent == 64 * 32 * 4
    assert Path(data.path).read_bytes() == (tmp_path / place).read_bytes()
    assert [c.sent for c in push(source, board, "models/x")] == [0, 0]
    (tmp_path / place).write_bytes(bytes(64 * 32 * 4))
    assert [bool(c.sent) for c in push(source, board, "models/x")] == [True, False]
    local = push(source, DESKTOP, str(tmp_path / "stick"))
    assert (tmp_path / "stick" / place).is_file() and len(local) == 2


def test_without_the_onnx_package_usual_names_are_taken(
    board: Target, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = vendor_onnx.external(tmp_path / "v.onnx")
    heard = Heard()
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert [Path(c.path).name for c in push(source, board, progress=heard)] == ["v.onnx.data", "v.onnx"]
    (warning,) = heard.warned
    assert "v.onnx.data comes along" in warning


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda p: vendor_onnx.external(p / "v.onnx", write=False), "external-data-missing"),
        (lambda p: vendor_onnx.external(p / "v.onnx", "../up.bin"), "external-data-unsafe"),
        (lambda p: _bytes(p / "v.onnx", b"garbage"), "file-damaged"),
        (lambda p: _bytes(p / "v.tflite", b"garbage"), "file-damaged"),
        (lambda p: _bytes(p / "v.tflite", b""), "file-empty"),
        (lambda p: _bytes(p / "v.tflite", tiny_tflite(p / "w.tflite").read_bytes()[:900]), "file-damaged"),
        (lambda p: tiny_tflite(p / "v.onnx"), "suffix-mismatch `.onnx`"),
        (lambda p: p / "v.tflite", "file-missing"),
    ],
)
def test_damaged_models_are_not_sent(
    board: Target, tmp_path: Path, home: Path, write: Callable[[Path], Path], message: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with raised(*message.split()):
        push(write(folder), board)
    assert not (home / "models").exists()


def test_other_files_are_sent_as_they_are(board: Target, tmp_path: Path, home: Path) -> None:
    (found,) = push(_bytes(tmp_path / "model_data.h", b"const int x;"), board, "models")
    assert (home / "models" / "model_data.h").read_bytes() == b"const int x;"
    assert found.sent == 12


def _bytes(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


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


def test_without_the_onnx_package_no_link_leads_data_out_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(b"x")
    source = vendor_onnx.external(folder / "v.onnx", write=False)
    (folder / "v.onnx.data").symlink_to(tmp_path / "secret")
    monkeypatch.setattr("edgekit.formats.reading.find_spec", lambda name: None)
    with raised("link-leaves-folder"):
        push(source, DESKTOP, str(tmp_path / "there"))
    assert not (tmp_path / "there").exists()


@pytest.fixture(params=["board", "stick"])
def place(request: pytest.FixtureRequest, home: Path, tmp_path: Path) -> tuple[Target, Path]:
    """A target, and a folder there."""
    if request.param == "board":
        return request.getfixturevalue("board"), home
    (tmp_path / "stick").mkdir()
    return DESKTOP, tmp_path / "stick"


@pytest.mark.parametrize("link", ["m.onnx", "weights", "weights/of it", "weights/of it/v.bin", "PART"])
def test_links_below_the_destination_are_not_followed(place: tuple[Target, Path], tmp_path: Path, link: str) -> None:
    target, root = place
    source = vendor_onnx.external(tmp_path / "m.onnx", "weights/of it/v.bin")
    secret = root / "secret"
    secret.mkdir()
    (secret / "key").write_text("stays")
    there = root / "models" / (f"m.onnx.{sha256(source)[:16]}.part" if link == "PART" else link)
    if link == "PART" and target is DESKTOP:
        return  # a copy on this machine has no parts
    there.parent.mkdir(parents=True)
    there.symlink_to(secret if "." not in link and link != "PART" else secret / "key")
    with raised("device-path-refused", there.name, "link", kind=TargetError):
        push(source, target, str(root / "models"))
    assert [p.name for p in secret.iterdir()] == ["key"]
    assert (secret / "key").read_text() == "stays"


def test_the_destination_itself_may_be_a_link(place: tuple[Target, Path], model: Path) -> None:
    target, root = place
    (root / "disk").mkdir()
    (root / "models").symlink_to("disk")
    (found,) = push(model, target, str(root / "models"))
    assert (root / "disk" / model.name).read_bytes() == model.read_bytes()
    assert found.sent


@pytest.mark.parametrize("special", ["fifo", "folder"])
def test_what_is_no_file_there_is_not_written_to(place: tuple[Target, Path], model: Path, special: str) -> None:
    target, root = place
    (root / "models").mkdir()
    os.mkfifo(root / "models" / model.name) if special == "fifo" else (root / "models" / model.name).mkdir()
    with raised("device-path-refused", "not a file", kind=TargetError):
        push(model, target, str(root / "models"))


@pytest.mark.parametrize("name", ["../up.tflite", "a/../../up", "/etc/passwd", ".bashrc", "a/.ssh/x", "-x", "a\nb", ""])
def test_names_are_checked_whatever_a_manifest_says(
    place: tuple[Target, Path], model: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The readers of manifests and ONNX files check names; here one lets everything pass."""
    target, root = place
    monkeypatch.setattr("edgekit.devices.push._files", lambda *_: ("m", {name: model}))
    with raised("path-invalid"):
        push(model, target, str(root / "models"))
    assert list(root.iterdir()) == []
    monkeypatch.setattr("edgekit.devices.push._files", lambda *_: (name, {"m": model}))
    with raised("path-invalid"):
        push(model, target)
    assert list(root.iterdir()) == []


def test_files_outside_the_bundle_are_not_sent(
    place: tuple[Target, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, root = place
    (tmp_path / "id_rsa").write_text("secret")
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "README.txt").symlink_to(tmp_path / "id_rsa")
    os.mkfifo(tmp_path / "bundle" / "pipe")
    for name, message in (("README.txt", "link-leaves-folder"), ("pipe", "not-a-file")):
        files = {name: tmp_path / "bundle" / name}
        monkeypatch.setattr("edgekit.devices.push._files", lambda *_, files=files: ("m", files))
        with raised(*message.split()):
            push(tmp_path / "bundle", target, str(root / "models"))
    assert list(root.iterdir()) == []


def test_external_data_that_is_a_link_is_not_sent_without_the_onnx_package(
    board: Target, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "id_rsa").write_text("secret")
    (tmp_path / "m").mkdir()
    source = vendor_onnx.external(tmp_path / "m" / "v.onnx")
    (tmp_path / "m" / "v.onnx.data").unlink()
    (tmp_path / "m" / "v.onnx.data").symlink_to(tmp_path / "id_rsa")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with raised("link-leaves-folder"):
        push(source, board)
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("dest", ["", "a\nb", "x\x1b[2J"])
def test_destinations_that_cannot_be_seen(place: tuple[Target, Path], model: Path, dest: str) -> None:
    with raised("path-invalid"):
        push(model, place[0], dest)
