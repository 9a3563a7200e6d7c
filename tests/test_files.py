from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit import files
from edgekit.errors import InputError, OutputError
from edgekit.schema import read_json

M = "manifest.json"


def entries(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_atomic_folder_appears_whole(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    with files.atomic_folder(out, marker=M) as folder:
        (folder / M).write_text("{}")
        assert not out.exists()
    assert entries(out) == [M]
    assert entries(out.parent) == ["out"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_atomic_folder_leaves_nothing_after_a_failure(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), files.atomic_folder(tmp_path / "out", marker=M) as folder:
        (folder / "half").write_text("x")
        raise error
    assert entries(tmp_path) == []


def test_a_failed_replacement_keeps_the_old_result(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / M).write_text("old")
    with pytest.raises(RuntimeError), files.atomic_folder(out, force=True, marker=M) as folder:
        (folder / M).write_text("new")
        raise RuntimeError
    assert (out / M).read_text() == "old"
    assert entries(tmp_path) == ["out"]


def test_an_existing_result_needs_force(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / M).write_text("old")
    with pytest.raises(OutputError, match="exists already"), files.atomic_folder(out, marker=M):
        pytest.fail("must not be entered")
    with files.atomic_folder(out, force=True, marker=M) as folder:
        (folder / M).write_text("new")
    assert (out / M).read_text() == "new"
    assert entries(tmp_path) == ["out"]


def test_force_never_replaces_what_edgekit_did_not_make(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match="did not make it"), files.atomic_folder(out, force=True, marker=M):
        pytest.fail("must not be entered")
    assert (out / "thesis.tex").read_text() == "years of work"


def test_a_file_or_link_in_the_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link"):
        with pytest.raises(OutputError, match="not a folder"):
            files.check_free(tmp_path / name, force=True, marker=M)


def test_what_a_killed_run_left_is_swept(tmp_path: Path) -> None:
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    pid = dead.stdout.strip()
    (tmp_path / f".out.tmp-{pid}").mkdir()
    (tmp_path / f".out.old-{pid}").mkdir()
    (tmp_path / f".out.old-{pid}" / M).write_text("the only copy")
    (tmp_path / f".out.tmp-{os.getppid()}").mkdir()  # somebody is still at work
    with pytest.raises(RuntimeError), files.atomic_folder(tmp_path / "out", force=True, marker=M):
        raise RuntimeError
    assert (tmp_path / "out" / M).read_text() == "the only copy"
    assert entries(tmp_path) == [f".out.tmp-{os.getppid()}", "out"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_becomes_a_sentence(tmp_path: Path, code: int) -> None:
    with pytest.raises(OutputError, match="no space left"), files.atomic_folder(tmp_path / "out", marker=M):
        raise OSError(code, os.strerror(code))
    assert entries(tmp_path) == []


@pytest.mark.root
def test_a_really_full_disk(tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small file system needs root")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"mount is not permitted here: {mounted.stderr.decode()}")
    try:
        with pytest.raises(OutputError, match="no space left"), files.atomic_folder(tmp_path / "o", marker=M) as folder:
            (folder / "big").write_bytes(bytes(1 << 20))
        assert entries(tmp_path) == []
        with pytest.raises(OutputError, match="no space left"), files.atomic_file(tmp_path / "f") as path:
            path.write_bytes(bytes(1 << 20))
        assert entries(tmp_path) == []
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_atomic_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(KeyboardInterrupt), files.atomic_file(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert read_json(path, "thing") == {"a": 1}
    assert entries(tmp_path) == ["a.json"]


def test_a_parent_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError), files.atomic_folder(tmp_path / "file" / "out", marker=M):
        pytest.fail("must not be entered")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000])
def test_read_json_explains(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.json: not a thing"):
        read_json(path, "thing")
    with pytest.raises(InputError, match="no such thing"):
        read_json(tmp_path / "y.json", "thing")
    with pytest.raises(InputError, match="cannot read"):
        read_json(tmp_path, "thing")


def test_gzip_size_does_not_depend_on_name_or_time(tmp_path: Path) -> None:
    for name in ("a", "much-longer-name"):
        (tmp_path / name).write_bytes(b"edge" * 1000)
    assert files.gzip_bytes(tmp_path / "a") == files.gzip_bytes(tmp_path / "much-longer-name") < 100


def test_a_lock_is_held_by_one_and_goes_with_it(tmp_path: Path) -> None:
    def again() -> None:
        with files.locked(tmp_path / "lock", "somebody is at it"):
            pytest.fail("must not be entered")

    with files.locked(tmp_path / "lock", "nobody is"), pytest.raises(InputError, match="somebody is at it"):
        again()
    with pytest.raises(KeyboardInterrupt), files.locked(tmp_path / "lock", ""):
        raise KeyboardInterrupt
    assert entries(tmp_path) == []
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="a file is in the way"), files.locked(tmp_path / "file" / "lock", ""):
        pytest.fail("must not be entered")


def test_a_lock_file_replaced_while_we_opened_it_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(stream: object, how: int) -> None:
        (tmp_path / "lock").unlink()
        if replaced:
            (tmp_path / "lock").touch()

    monkeypatch.setattr(files.fcntl, "flock", late)
    for replaced in (True, False):
        with pytest.raises(InputError, match="somebody is at it"), files.locked(tmp_path / "lock", "somebody is at it"):
            pytest.fail("must not be entered")
        assert (tmp_path / "lock").exists() == replaced  # another's lock file is left alone


def test_what_may_be_needed_again_lies_in_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/c")
    assert files.work_base() == Path(os.environ["EDGEKIT_WORK"])
    monkeypatch.setenv("EDGEKIT_WORK", "")
    assert files.work_base() == Path("/c/edgekit")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert files.work_base() == Path.home() / ".cache" / "edgekit"
