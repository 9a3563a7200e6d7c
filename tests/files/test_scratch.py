"""What dead processes left is removed, and nothing else: by lock, owner and name, never through a link."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from edgekit.files import scratch, temporary
from edgekit.files.scratch import DIGITS, LOCK, Scratch, sweep
from edgekit.files.temporary import STEM, Temporary, claim, own_process, temporary_folder
from tests.support.raised import raised

NAME = STEM + "0123456789ab"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder."""
    path = tmp_path / "tmp"
    path.mkdir()
    monkeypatch.setattr(temporary, "_process", temporary._Process())
    monkeypatch.setenv("TMPDIR", str(path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return path


def dead(path: Path) -> Path:
    """Make what a dead process leaves."""
    (path / "job1" / "deep").mkdir(parents=True)
    (path / "job1" / "deep" / "file").write_text("x")
    (path / LOCK).touch()
    return path


def swept() -> None:
    with temporary_folder("any"):
        pass


def test_a_process_has_one_folder_and_it_goes(place: Path) -> None:
    with temporary_folder("one") as one, temporary_folder("two") as two:
        (two / "file").touch()
        assert one.parent == two.parent
        assert one.parent.parent == place
        assert one.parent.stat().st_mode & 0o777 == 0o700
        assert len(one.parent.name) == len(STEM) + DIGITS
    assert not list(place.iterdir())
    held = Temporary("ssh")
    held.close()
    held.close()
    assert not list(place.iterdir())


def test_the_next_start_sweeps_what_a_killed_process_left(place: Path) -> None:
    script = "import os; from edgekit.files.temporary import Temporary; Temporary('job'); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", script], check=False)
    [left] = place.iterdir()
    assert (left / "job1").is_dir()
    swept()
    assert not list(place.iterdir())


def test_the_folder_of_a_live_process_stays_however_old_it_is(place: Path) -> None:
    script = (
        "import sys; from edgekit.files.temporary import Temporary; t = Temporary('job'); print(t.path, flush=True); "
        "sys.stdin.read(); t.close()"
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    path = Path(child.stdout.readline().strip())
    for old in (path, path.parent, path.parent / LOCK):
        os.utime(old, (0, 0))
    swept()
    assert path.is_dir()
    child.communicate()
    assert not list(place.iterdir())


def test_links_are_not_followed(place: Path, tmp_path: Path) -> None:
    precious = dead(tmp_path / "precious")
    (place / NAME).symlink_to(precious)
    inside = dead(place / (STEM + "a" * DIGITS))
    (inside / "link").symlink_to(precious)
    (inside / "job1" / "link").symlink_to(precious)
    lock_is_link = dead(place / (STEM + "b" * DIGITS))
    (lock_is_link / LOCK).unlink()
    (lock_is_link / LOCK).symlink_to(precious / LOCK)
    swept()
    assert (precious / "job1" / "deep" / "file").read_text() == "x"
    assert not inside.exists()
    assert lock_is_link.exists()
    assert (place / NAME).is_symlink()


@pytest.mark.parametrize(
    "name",
    ["edgekit-x", "edgekit-ssh-abcdefgh", "edgekit-work", STEM + "0123456789a", NAME + "c", NAME + ".d", "x" + NAME],
)
def test_other_names_are_left_alone(place: Path, name: str) -> None:
    dead(place / name)
    swept()
    assert (place / name / "job1" / "deep" / "file").exists()


def test_what_holds_no_lock_of_ours_is_left_alone(place: Path) -> None:
    for name, lock in (("a", None), ("b", b"text"), ("c", "folder"), ("d", "fifo")):
        path = dead(place / (STEM + name * DIGITS))
        (path / LOCK).unlink()
        if isinstance(lock, bytes):
            (path / LOCK).write_bytes(lock)
        elif lock == "folder":
            (path / LOCK).mkdir()
        elif lock == "fifo":
            os.mkfifo(path / LOCK)
    (place / (STEM + "e" * DIGITS)).write_text("a file")
    (place / (STEM + "f" * DIGITS)).mkdir()  # killed before the lock was there
    swept()
    assert sorted(path.name[-1] for path in place.iterdir()) == ["a", "b", "c", "d", "e"]


@pytest.mark.root
@pytest.mark.parametrize("what", ["folder", "lock"])
def test_what_belongs_to_another_user_is_left_alone(place: Path, what: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("making files of another user needs root")
    path = dead(place / NAME)
    os.chown(path if what == "folder" else path / LOCK, 12345, 12345)
    swept()
    assert (path / "job1").is_dir()


def test_an_interrupted_sweep_is_done_by_the_next(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dead(place / NAME)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            sweep(place, STEM)
    assert (place / NAME / LOCK).exists()
    sweep(place, STEM)
    assert not list(place.iterdir())


def test_a_sweep_between_the_two_steps_of_making(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process takes the folder for one that was left: before the lock is there, and before it is held."""
    make, lock, interferences = Path.mkdir, fcntl.flock, iter([True, False])

    def mkdir(self: Path, *arguments: object, **options: object) -> None:
        make(self, *arguments, **options)  # type: ignore[arg-type]
        if next(interferences, False):
            sweep(place, STEM)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with Scratch(place, STEM, 0o700) as path:
        assert path.is_dir()
    calls = iter([True])

    def flock(handle: int, how: int) -> None:
        if next(calls, False):
            shutil.rmtree(next(place.iterdir()))
        lock(handle, how)

    monkeypatch.setattr(scratch.fcntl, "flock", flock)
    with Scratch(place, STEM, 0o700) as path:
        assert (path / LOCK).exists()
    assert not list(place.iterdir())


def test_many_start_at_once(place: Path) -> None:
    for number in range(8):
        dead(place / f"{STEM}{number:012x}")
    troubles: list[BaseException] = []

    def start() -> None:
        try:
            for _ in range(20):
                sweep(place, STEM)
                with Scratch(place, STEM) as path:
                    (path / "file").write_text("mine")
                    assert (path / "file").read_text() == "mine"
        except BaseException as error:
            troubles.append(error)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not troubles
    assert not list(place.iterdir())


def test_a_fork_leaves_the_folder_to_its_parent(place: Path) -> None:
    script = """
import os
from edgekit.files.temporary import temporary_folder
with temporary_folder("one") as one:
    child = os.fork()
    if child == 0:
        with temporary_folder("two") as two:
            assert two.parent != one.parent
    else:
        assert os.waitpid(child, 0)[1] == 0
        assert one.is_dir()
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    assert not list(place.iterdir())


def test_libraries_use_the_folder_of_edgekits_own_process(place: Path) -> None:
    claim()
    assert tempfile.gettempdir() == str(place), "a process that is not edgekit's own is left as it is"
    with own_process():
        assert not list(place.iterdir())
        claim()
        library = Path(tempfile.mkdtemp())
        assert library.parent.parent == place
        assert os.environ["TMPDIR"] == str(library.parent)
        with temporary_folder("one"), own_process():
            pass
        assert library.is_dir()
    assert not list(place.iterdir())
    assert os.environ["TMPDIR"] == tempfile.gettempdir() == str(place)


def test_a_full_or_closed_temporary_folder_is_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporary, "_full", lambda _: True)
    with raised("disk-full", str(place)), temporary_folder("one"):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(temporary, "_full", lambda _: False)
    with pytest.raises(OSError, match="of another disk"), temporary_folder("one"):
        raise OSError(28, "of another disk")
    monkeypatch.setattr(Path, "mkdir", lambda self, *_: (_ for _ in ()).throw(PermissionError(13, "no", str(self))))
    with raised("temporary-folder-unusable", str(place)), temporary_folder("one"):
        pytest.fail("must not be entered")
