"""Wheels for other machines: which tags, what is taken from them, and what is refused. pip itself runs, offline."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from edgekit.devices import wheels as module
from edgekit.devices.interpreter import Interpreter
from edgekit.devices.wheels import NoWheels, platforms, wheel_set
from edgekit.errors import TargetError
from tests.support.raised import raised

PI = Interpreter((3, 11, 2), "CPython", "aarch64", 64, (2, 36), {})
PI32 = Interpreter((3, 11, 2), "CPython", "armv7l", 32, (2, 36), {})


def wheel(folder: Path, name: str, version: str, tag: str, files: dict[str, str], requires: str = "") -> Path:
    """Make a wheel (PEP 427) that pip takes."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    content = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: {tag}\n",
    }
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},\n"
        for path, text in content.items()
    )
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in {**content, f"{info}/RECORD": record}.items():
            archive.writestr(member, text)
    return path


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder with a runtime for a Pi 4, and one for a machine with a newer glibc."""
    folder = tmp_path / "my wheels"
    runtime = {
        "ai_edge_litert/interpreter.py": "pass",
        "ai_edge_litert/tests/test_x.py": "pass",
        "ai_edge_litert/libLiteRtWebGpuAccelerator.so": "big",
        "ai_edge_litert-2.3.0.data/purelib/pure.py": "pass",
        "ai_edge_litert-2.3.0.data/scripts/tool": "#!python",
    }
    tag = "cp311-cp311-manylinux_2_27_aarch64"
    wheel(folder, "ai_edge_litert", "2.3.0", tag, runtime, "Requires-Dist: numpy\n")
    wheel(folder, "ai_edge_litert", "9.0.0", "cp311-cp311-manylinux_2_99_aarch64", runtime)
    wheel(folder, "numpy", "2.4.0", tag, {"numpy/__init__.py": "pass"})
    return folder


def test_platforms() -> None:
    found = platforms(PI)
    assert found[0] == "manylinux_2_36_aarch64"
    assert {"manylinux_2_27_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64", "linux_aarch64"} <= set(found)
    assert not any("2_37" in tag for tag in found)
    assert platforms(PI32)[0] == "manylinux_2_36_armv7l"


def test_the_newest_wheels_that_fit(shelf: Path) -> None:
    found = wheel_set("ai-edge-litert", PI, shelf)
    assert [(w["name"], w["version"]) for w in found.wheels] == [("ai-edge-litert", "2.3.0"), ("numpy", "2.4.0")]
    assert found.wheels[0]["sha256"] == hashlib.sha256(next(shelf.glob("ai*2.3.0*")).read_bytes()).hexdigest()
    with tarfile.open(found.archive) as tar:
        names = tar.getnames()
        assert all((m.mtime, m.uid) == (0, 0) for m in tar)
    assert {"ai_edge_litert/interpreter.py", "pure.py", "numpy/__init__.py"} <= set(names)
    assert not [n for n in names if "tests" in n or "WebGpu" in n or "tool" in n]


def test_the_same_wheels_give_the_same_bytes_and_are_kept(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = wheel_set("ai-edge-litert", PI, shelf)
    data = first.archive.read_bytes()
    shutil.rmtree(first.archive.parent)
    again = wheel_set("ai-edge-litert", PI, shelf)
    assert again.archive.read_bytes() == data
    monkeypatch.setattr(module, "_download", lambda *_: pytest.fail("must come from the cache"))
    assert wheel_set("ai-edge-litert", PI, shelf) == again


def test_no_wheels(shelf: Path, tmp_path: Path) -> None:
    with raised("wheels-unavailable", "tflite-runtime", "3.11.2", "aarch64", kind=NoWheels):
        wheel_set("tflite-runtime", PI, shelf)
    with raised("wheels-unavailable", kind=NoWheels):
        wheel_set("ai-edge-litert", Interpreter((3, 9, 2), "CPython", "aarch64", 64, (2, 31), {}), shelf)
    for other in (
        Interpreter((3, 11, 2), "PyPy", "aarch64", 64, (2, 36), {}),
        Interpreter((3, 11, 2), "CPython", "aarch64", 64, None, {}),
    ):
        with raised("wheels-unavailable", kind=NoWheels):
            wheel_set("ai-edge-litert", other, shelf)
    with raised("file-missing"):
        wheel_set("ai-edge-litert", PI, tmp_path / "none")


def test_32_bit_boards_use_their_own_numpy(shelf: Path) -> None:
    wheel(shelf, "tflite_runtime", "2.14.0", "cp311-cp311-manylinux_2_34_armv7l", {}, "Requires-Dist: numpy\n")
    assert [w["name"] for w in wheel_set("tflite-runtime", PI32, shelf).wheels] == ["tflite-runtime"]


def test_an_index_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_RETRIES": "1",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TargetError) as caught:
        wheel_set("ai-edge-litert", PI)
    assert not isinstance(caught.value, NoWheels)
    assert "cannot be reached" in caught.value.message
    assert "--runtime-wheels" in caught.value.hint


@pytest.mark.parametrize("name", ["../evil.py", "/etc/evil.py", "a/../../evil.py"])
def test_a_wheel_that_reaches_outside(shelf: Path, name: str) -> None:
    wheel(shelf, "numpy", "2.4.1", "cp311-cp311-manylinux_2_27_aarch64", {name: "boo"})
    with raised("wheel-damaged"):
        wheel_set("ai-edge-litert", PI, shelf)


def test_wheels_that_are_none(tmp_path: Path) -> None:
    folder = tmp_path / "wheels"
    folder.mkdir()
    (folder / "ai_edge_litert-2.3.0-cp311-cp311-manylinux_2_27_aarch64.whl").write_bytes(b"not a zip")
    with pytest.raises(TargetError):
        wheel_set("ai-edge-litert", PI, folder)
    assert json.dumps(PI.modules) == "{}"


@pytest.mark.parametrize(
    "name",
    ["x.data/purelib//etc/cron.d/x", "x.data/platlib/../../x", "a/../../x", "/x", "a\x1b[2J"],
)
def test_wheels_that_reach_outside_their_folder(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a-1-b.whl", "w") as archive:
        archive.writestr(name, "x")
    with raised("wheel-damaged"):
        module._pack([tmp_path / "a-1-b.whl"], tmp_path / "set")


def test_wheels_with_links_bombs_and_garbage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a-1-b.whl"
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with raised("wheel-damaged"):
        module._pack([path], tmp_path / "set")
    monkeypatch.setattr(module, "UNPACKED_BYTES", 1 << 20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(2 << 20))
    with raised("wheel-damaged", "1"):
        module._pack([path], tmp_path / "set")
    path.write_bytes(path.read_bytes()[:100] + b"garbage")
    with raised("wheel-damaged"):
        module._pack([path], tmp_path / "set")


@pytest.mark.parametrize("kind", ["link", "up", "root", "device"])
def test_an_archive_on_the_board_holds_files_only(tmp_path: Path, kind: str) -> None:
    from edgekit.devices.provision import UNPACK

    entry = tarfile.TarInfo({"up": "../x", "root": f"{tmp_path}/x"}.get(kind, "x"))
    if kind in ("link", "device"):
        entry.type, entry.linkname = (tarfile.SYMTYPE, "/etc/passwd") if kind == "link" else (tarfile.FIFOTYPE, "")
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        tar.addfile(entry)
    (tmp_path / "runtimes").mkdir()
    argv = [sys.executable, "-c", UNPACK, str(tmp_path / "set.tar"), str(tmp_path / "runtimes" / "r")]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 1 and "the archive holds more than files" in done.stderr
    assert list((tmp_path / "runtimes").iterdir()) == []
    assert not (tmp_path / "x").exists()
