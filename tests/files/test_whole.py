from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.errors import InputError
from edgekit.files import whole as files
from edgekit.files.placing import replace_folder
from edgekit.schema.gate import read_json
from tests.support.raised import raised

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
    with raised("output-exists"), files.atomic_folder(out, marker=M):
        pytest.fail("must not be entered")
    with files.atomic_folder(out, force=True, marker=M) as folder:
        (folder / M).write_text("new")
    assert (out / M).read_text() == "new"
    assert entries(tmp_path) == ["out"]


def test_force_never_replaces_what_edgekit_did_not_make(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    with raised("output-not-ours"), files.atomic_folder(out, force=True, marker=M):
        pytest.fail("must not be entered")
    assert (out / "thesis.tex").read_text() == "years of work"


def test_a_file_or_link_in_the_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link"):
        with raised("output-not-writable"):
            files.check_free(tmp_path / name, force=True, marker=M)


LEAVE = """
import os, sys
from pathlib import Path
from edgekit.files import whole as files
with files.atomic_file(Path(sys.argv[1]) / "record.json") as file, \
     files.atomic_folder(Path(sys.argv[1]) / "out", force=True, marker="manifest.json") as folder:
    file.write_text("half"), (folder / "half").write_text("half")
    if sys.argv[2] == "between":
        os.rename(Path(sys.argv[1]) / "out", folder.parents[1] / "old" / "out")
    print("ready", flush=True)
    os.kill(os.getpid(), 9) if sys.argv[2] != "live" else sys.stdin.read()
"""


def left(folder: Path, how: str) -> subprocess.Popen[bytes]:
    """Let a process write into a folder, and die there, or live on."""
    child = subprocess.Popen([sys.executable, "-c", LEAVE, folder, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    if how != "live":
        child.communicate()
    return child


def test_what_a_killed_run_left_is_swept_and_what_lives_is_not(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / M).write_text("old")
    left(tmp_path, "dead")
    assert len(entries(tmp_path)) == 3
    live = left(tmp_path, "live")
    with files.atomic_folder(tmp_path / "out", force=True, marker=M) as folder:
        (folder / M).write_text("new")
        assert len(entries(tmp_path)) == 4, "two of the live process, and ours"
    assert (tmp_path / "out" / M).read_text() == "new"
    live.communicate()
    assert entries(tmp_path) == ["out", "record.json"]


def test_a_result_caught_in_its_replacement_comes_back(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / M).write_text("the only copy")
    left(tmp_path, "between")
    assert not (tmp_path / "out").exists()
    with raised("output-exists"):
        files.check_free(tmp_path / "out", force=False, marker=M)
    assert (tmp_path / "out" / M).read_text() == "the only copy"
    assert entries(tmp_path) == ["out"]


@pytest.mark.parametrize("exchange", [True, False])
def test_a_folder_is_replaced_in_one_step_where_that_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    if not exchange:
        monkeypatch.setattr("edgekit.files.placing._exchanged", lambda *_: False)
    for name in ("new", "out"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    replace_folder(tmp_path / "new", tmp_path / "out", tmp_path / "aside")
    assert entries(tmp_path / "out") == ["new"]
    assert entries(tmp_path) == (["new", "out"] if exchange else ["aside", "out"])
    with pytest.raises(OSError):
        replace_folder(tmp_path / "nothing", tmp_path / "out", tmp_path / "elsewhere")
    assert entries(tmp_path / "out") == ["new"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_becomes_a_sentence(tmp_path: Path, code: int) -> None:
    with raised("disk-full"), files.atomic_folder(tmp_path / "out", marker=M):
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
        with raised("disk-full"), files.atomic_folder(tmp_path / "o", marker=M) as folder:
            (folder / "big").write_bytes(bytes(1 << 20))
        assert entries(tmp_path) == []
        with raised("disk-full"), files.atomic_file(tmp_path / "f") as path:
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
    with raised("output-not-writable"), files.atomic_folder(tmp_path / "file" / "out", marker=M):
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

    with files.locked(tmp_path / "lock", "nobody is"), raised("already-running"):
        again()
    with pytest.raises(KeyboardInterrupt), files.locked(tmp_path / "lock", ""):
        raise KeyboardInterrupt
    assert entries(tmp_path) == []
    (tmp_path / "file").touch()
    with raised("output-not-writable"), files.locked(tmp_path / "file" / "lock", ""):
        pytest.fail("must not be entered")


def test_a_lock_file_replaced_while_we_opened_it_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(stream: object, how: int) -> None:
        (tmp_path / "lock").unlink()
        if replaced:
            (tmp_path / "lock").touch()

    monkeypatch.setattr(files.fcntl, "flock", late)
    for replaced in (True, False):
        with raised("already-running"), files.locked(tmp_path / "lock", "somebody is at it"):
            pytest.fail("must not be entered")
        assert (tmp_path / "lock").exists() == replaced  # another's lock file is left alone


def test_what_may_be_needed_again_lies_in_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/c")
    assert files.work_base() == Path(os.environ["EDGEKIT_WORK"])
    monkeypatch.setenv("EDGEKIT_WORK", "")
    assert files.work_base() == Path("/c/edgekit")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert files.work_base() == Path.home() / ".cache" / "edgekit"
