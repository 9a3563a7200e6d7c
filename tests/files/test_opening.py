"""What is opened, what is not, and names that can be printed."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from edgekit.files.opening import check_readable, exists, expanded, inside, kind, open_file, plain
from tests.support.raised import raised


def test_files_are_opened(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"hello")
    (tmp_path / "link").symlink_to("a")
    for name in ("a", "link"):
        with open_file(tmp_path / name, tmp_path) as stream:
            assert stream.read() == b"hello"
    with raised("path-invalid"):
        open_file(tmp_path / "link", follow=False)


def test_pipes_sockets_and_devices_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the address of a socket is short
    os.mkfifo("pipe")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind("socket")
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("opened"))
    for path, what in (("pipe", "a named pipe"), ("socket", "a socket"), ("/dev/zero", "a device")):
        for look in (open_file, check_readable):
            with raised("not-a-file", str(path), str(what)) as caught:
                look(Path(path))
            assert "into a file" in caught.value.hint
    with raised("not-a-file"):
        open_file(tmp_path)
    with raised("file-missing") as caught:
        open_file(Path("none"), hint="look again")
    assert caught.value.hint == "look again"
    check_readable(tmp_path)
    check_readable(Path("none"))
    listening.close()


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for path, name in (
        (tmp_path / "a", "leads back to itself"),
        (tmp_path / ("n" * 300), "too long"),
        (tmp_path / ("n/" * 3000), "too long"),
        (Path("a\0b"), r"a\x00b"),
    ):
        with raised("path-invalid", name):
            kind(path)
        assert not exists(path)
    assert (kind(tmp_path / "none"), kind(tmp_path), kind(Path(__file__))) == ("", "a folder", "a file")
    for typed in ("~no-such-user-here/x", "a\0b"):
        with raised("path-invalid"):
            expanded(typed)


def test_links_that_leave(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (tmp_path / "root-beside").mkdir()
    (tmp_path / "outside").write_text("x")
    (root / "file").write_text("x")
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "hop").symlink_to("out")
    (root / "up").symlink_to("..")
    (root / "beside").symlink_to("../root-beside")
    (root / "in").symlink_to("sub/../file")
    (tmp_path / "typed").symlink_to("root")
    for path in ("out", "hop", "up", "up/outside", "beside", "sub/../../outside"):
        with raised("link-leaves-folder") as caught:
            inside(root / path, root)
        assert "outside the folder" in caught.value.hint
    assert inside(tmp_path / "typed" / "in", tmp_path / "typed") == (root / "file").resolve()
    assert inside(root, root) == root.resolve()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Grüße 猫 \u00a0 👩\u200d🚀", "Grüße 猫 \u00a0 👩\u200d🚀"),
        ("a\nb\t\x1b[31m\x7f\x9b", r"a\nb\t\x1b[31m\x7f\x9b"),
        ("\u202egnp\u2066\u200e\ufeff", r"\u202egnp\u2066\u200e\ufeff"),
        ("\u2028\u2029", r"\u2028\u2029"),
        (os.fsdecode(b"\xff\xfe"), r"\xff\xfe"),
        ("\ud800", r"\ud800"),
    ],
)
def test_plain_text(text: str, shown: str) -> None:
    assert plain(text) == shown
    assert plain(shown) == shown
    shown.encode()
