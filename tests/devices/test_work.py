"""edgekit's folder on a board: what is copied, what stays, what goes, and who may use it; by a real POSIX shell."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgekit.devices import work as module
from edgekit.devices.transports.ssh import SshTransport
from edgekit.devices.work import RemoteWork
from edgekit.errors import TargetError
from edgekit.files.whole import sha256
from tests.support.raised import raised

BASE = ".cache/edgekit"


@contextmanager
def session(base: str = BASE) -> Iterator[RemoteWork]:
    transport = SshTransport("pi@board")
    try:
        work = RemoteWork(transport, base)
        try:
            yield work
        finally:
            work.close()
    finally:
        transport.close()


def names(folder: Path) -> list[str]:
    found = (p for p in folder.rglob("*") if p.name != ".edgekit" and (not p.is_dir() or p.is_symlink()))
    return sorted(str(p.relative_to(folder)) for p in found)


def keeper(home: Path) -> int:
    return int(str((home / BASE / "busy").readlink()).split()[0])


def test_a_session_leaves_what_serves_again_and_nothing_else(home: Path, tmp_path: Path) -> None:
    model, job = tmp_path / "model.tflite", tmp_path / "job.json"
    model.write_bytes(b"m" * 1000)
    job.write_bytes(b"{}")
    with session() as work:
        assert Path(work.base) == home / BASE
        assert (home / BASE).stat().st_mode & 0o777 == 0o700
        there = work.push(model)
        assert (Path(there).read_bytes(), Path(there).suffix) == (b"m" * 1000, ".tflite")
        assert Path(work.send(job)).read_bytes() == b"{}"
        Path(work.scratch("result.json")).write_text("answer")
        work.pull(work.scratch("result.json"), tmp_path / "answer")
        assert (tmp_path / "answer").read_text() == "answer"
        assert work.sent_bytes == 1002
    assert names(home / BASE) == [f"files/{Path(there).name}"]
    with session() as work:
        assert work.push(model) == there
        assert work.sent_bytes == 0
    with session() as work:
        Path(there).write_bytes(b"rotten")
        assert work.push(model) == there
        assert Path(there).read_bytes() == b"m" * 1000


def test_copies_that_nobody_goes_on_with_go(home: Path) -> None:
    files = home / BASE / "files"
    with session():
        pass
    for name, days in (("a.tflite.0123.part", 8), ("b.tflite.0123.part", 1), ("c.tflite", 8)):
        (files / name).touch()
        os.utime(files / name, (time.time() - days * 86400,) * 2)
    with session():
        pass
    assert names(files) == ["b.tflite.0123.part", "c.tflite"]


def test_one_session_at_a_time(home: Path) -> None:
    message = "device-busy @ since 20"
    with session(), raised(*message.split(), kind=TargetError) as caught, session():
        pytest.fail("must not be entered")
    assert caught.value.hint
    with session():
        pass


def test_a_lock_of_the_dead_does_not_hold(home: Path) -> None:
    base = home / BASE
    with session():
        pass
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    for left in (f"999999 {boot} token someone", f"{os.getpid()} another-boot token someone", "nonsense", ""):
        if left:
            (base / "busy").symlink_to(left)
        (base / "run-999999").mkdir(exist_ok=True)
        with session():
            assert keeper(home) != 999999
        assert not (base / "busy").is_symlink()
    assert not (base / "run-999999").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_board_is_left_clean_when_the_keeper_is_killed(home: Path, tmp_path: Path, number: int) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # `nohup` hands down that it is ignored
    job = tmp_path / "job.json"
    job.write_bytes(b"{}")
    with session() as work:
        work.send(job)
        first = keeper(home)
        os.kill(first, number)
        _until(lambda: names(home / BASE) == [])
        work.renew()
        assert keeper(home) != first
        assert Path(work.send(job)).read_bytes() == b"{}"
    assert names(home / BASE) == []


def test_our_own_lost_session_is_taken_over(home: Path) -> None:
    """The network went without a word: the old keeper waits for lines that never come."""
    with session() as work:
        old = keeper(home)
        work._keeper, lost = None, work._keeper  # type: ignore[assignment]
        work._keeper, work._session = work._open()
        assert keeper(home) != old
        assert lost.close(5) != 0
    assert names(home / BASE) == []


def test_a_keeper_that_hears_nothing_ends(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = module.KEEPER
    monkeypatch.setattr(module, "KEEPER", keeper.replace("sleep 10", "sleep 0.1"))
    with session():
        _until(lambda: names(home / BASE) == [])
    monkeypatch.setattr(module, "KEEPER", keeper.replace("sleep 10", "sleep 0.5"))  # a busy machine beats late
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.05)
    with session():
        time.sleep(4.5)
        assert (home / BASE / "busy").is_symlink()


def test_nothing_of_a_keeper_outlives_its_session(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = f"60.{os.getpid()}"
    monkeypatch.setattr(module, "KEEPER", module.KEEPER.replace("sleep 10", f"sleep {seconds}"))

    def sleeping() -> bool:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if path.read_bytes() == f"sleep\0{seconds}\0".encode():
                    return True
        return False

    with session():
        _until(sleeping)
    _until(lambda: not sleeping())
    for _ in range(3):
        with session():
            pass  # it ends before its watch has begun to wait
    _until(lambda: not sleeping())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a folder away")
def test_a_folder_of_another_user(home: Path) -> None:
    (home / BASE).mkdir(parents=True)
    os.chown(home / BASE, 12345, 12345)
    with raised("device-path-refused", kind=TargetError), session():
        pytest.fail("must not be entered")


def test_a_folder_that_cannot_be_made(home: Path) -> None:
    (home / ".cache").write_text("a file")
    with raised("device-path-refused", kind=TargetError), session():
        pytest.fail("must not be entered")


def test_the_governor_is_set_and_put_back(home: Path) -> None:
    governors = [home / f"cpu {n}" for n in range(2)]
    for path, value in zip(governors, ("ondemand", "powersave"), strict=True):
        path.write_text(f"{value}\n")
    pattern = f"{home}/cpu?[01]"
    with session() as work:
        assert work.set_governor("performance", "/no/such/cpu*") == "none"
        if " " in pattern:  # a pattern of sysfs has no spaces; this one is a test of that
            pattern = "cpu*"
            for path in governors:
                path.rename(home / path.name.replace(" ", ""))
            governors = [home / path.name.replace(" ", "") for path in governors]
        assert work.set_governor("performance", pattern) == "ok"
        assert [path.read_text() for path in governors] == ["performance\n"] * 2
    _until(lambda: [path.read_text() for path in governors] == ["ondemand\n", "powersave\n"])


def test_everything_can_be_removed(home: Path, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"x")
    (home / "mine").write_text("stays")
    with session() as work:
        work.clean()
        work.push(tmp_path / "m")
    assert names(home) == ["mine"]
    assert not (home / BASE).exists()


@pytest.mark.parametrize("name", ["letter", ".hidden", "files/letter", "run-1/letter", "runtimes/x"])
def test_a_folder_with_other_things_in_it_is_not_edgekits(home: Path, name: str) -> None:
    (home / "Documents").mkdir(mode=0o755)
    (home / "Documents" / name).parent.mkdir(exist_ok=True)
    (home / "Documents" / name).write_text("stays, whatever a target calls its folder")
    with raised("device-path-refused", kind=TargetError), session("Documents"):
        pytest.fail("must not be entered")
    assert names(home) == [f"Documents/{name}"]
    assert (home / "Documents").stat().st_mode & 0o777 == 0o755


def test_a_folder_of_an_edgekit_that_knew_no_marks(home: Path, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"x")
    with session() as work:
        there = work.push(tmp_path / "m")
    (home / BASE / ".edgekit").unlink()
    with session() as work:
        assert work.push(tmp_path / "m") == there
        assert work.sent_bytes == 0
        work.clean()
    assert not (home / BASE).exists()


@pytest.mark.parametrize("name", ["files", "runtimes", ".edgekit", "governors"])
def test_links_in_the_folder_are_not_followed(home: Path, tmp_path: Path, name: str) -> None:
    with session():
        pass
    place, elsewhere = home / BASE / name, home / "elsewhere"
    if place.is_dir():
        place.rmdir()
    place.unlink(missing_ok=True)
    elsewhere.mkdir() if name in ("files", "runtimes") else elsewhere.write_text("mine 1\n")
    place.symlink_to(elsewhere)
    with raised("device-path-refused", kind=TargetError), session():
        pytest.fail("must not be entered")
    assert elsewhere.is_dir() or elsewhere.read_text() == "mine 1\n"


def test_what_a_lost_session_left_running_is_ended(home: Path) -> None:
    with session() as work:
        running = subprocess.Popen(["sleep", "60", work.scratch("job.json")], stderr=subprocess.DEVNULL)
    assert running.wait(10) != 0
    with session() as work:
        other = subprocess.Popen(["sh", "-c", "sleep 60; :", f"{home}/elsewhere"])
    assert other.poll() is None
    other.kill()
    other.wait()


def test_governors_that_cannot_be_put_back_are_not_forgotten(home: Path) -> None:
    (home / "cpu0").write_text("ondemand\n")
    with session() as work:
        assert work.set_governor("performance", "cpu[0]") == "ok"
        (home / "cpu0").unlink()
        (home / "cpu0").mkdir()
    assert (home / BASE / "governors").read_text() == "cpu0 ondemand\n"
    (home / "cpu0").rmdir()
    (home / "cpu0").write_text("performance\n")
    with session():
        assert (home / "cpu0").read_text() == "ondemand\n"
    assert not (home / BASE / "governors").exists()


def _until(condition: object) -> None:
    deadline = time.monotonic() + 10
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_model_and_its_data_get_a_folder_of_their_own(home: Path, tmp_path: Path) -> None:
    model, data = tmp_path / "v.onnx", tmp_path / "weights.bin"
    model.write_bytes(b"model")
    data.write_bytes(b"weights")
    beside = {"deep/er/weights.bin": data}
    with session() as work:
        there = Path(work.push(model, beside))
        assert there.name == "v.onnx" and there.read_bytes() == b"model"
        assert (there.parent / "deep/er/weights.bin").read_bytes() == b"weights"
        assert work.sent_bytes == 12
        assert work.push(model, beside) == str(there)
        assert Path(work.push(model)).parent != there.parent
    with session() as work:
        assert work.push(model, beside) == str(there)
        assert work.sent_bytes == 0
        data.write_bytes(b"others!")
        other = Path(work.push(model, beside))
        assert other != there
        assert (other.parent / "deep/er/weights.bin").read_bytes() == b"others!"
        work.clean()
    assert not (home / BASE / "files").exists()


@pytest.mark.parametrize("link", ["files/{key}", "files/{key}/deep", "files/{key}/deep/w.bin"])
def test_no_link_on_the_way_of_a_file_is_followed(home: Path, tmp_path: Path, link: str) -> None:
    model, data, elsewhere = tmp_path / "v.onnx", tmp_path / "w.bin", home / "elsewhere"
    model.write_bytes(b"model")
    data.write_bytes(b"weights")
    elsewhere.mkdir()
    with session() as work:
        key = Path(work.push(model, {"deep/w.bin": data})).parent
    place = home / BASE / link.format(key=key.name)
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink()
    place.symlink_to(elsewhere)
    with session() as work, raised("device-path-refused", kind=TargetError):
        work.push(model, {"deep/w.bin": data})
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", ".bashrc", "-rf", "a//b", "", "a\nb", "a/" * 17 + "x"])
def test_names_that_are_not_plain_are_not_copied(home: Path, tmp_path: Path, name: str) -> None:
    local = tmp_path / "m"
    local.write_bytes(b"x")
    with session() as work:
        with raised("path-invalid"):
            work.push(local, {name: local})
        with raised("path-invalid"):
            work._transport.put(local, work.base, name, sha256(local), timeout=9)
        assert all(found.startswith(("busy", "files/", "run-")) for found in names(home / BASE))
    assert not (home / "x").exists() and not (home / ".bashrc").exists()


@pytest.mark.parametrize("answer", ["relative", "/a/../b", "/a\tb", "", "/" + "x" * 2000])
def test_a_device_that_names_other_folders(home: Path, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    with raised("device-answer-invalid", kind=TargetError):
        module.device_path(answer, "pi@board", "its folder")
    monkeypatch.setattr(module, "KEEPER", 'echo "session $HOME"; cat >/dev/null')
    with raised("device-answer-invalid", kind=TargetError), session():
        pytest.fail("must not be entered")
