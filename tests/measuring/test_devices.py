"""Sessions on boards: what they add to a session here. The boards are shells of this machine."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.bundle.facts import Unavailable
from edgekit.bundle.records import Throttled
from edgekit.devices.device import open_device
from edgekit.devices.interpreter import Interpreter
from edgekit.devices.provision import Provision
from edgekit.devices.target import DESKTOP, Target, parse
from edgekit.errors import ConnectionFailed, InputError, TargetError
from edgekit.measuring import passes as passes_module
from edgekit.measuring.agreement import compare_stored
from edgekit.measuring.candidates import candidates
from edgekit.measuring.host import disagreement
from edgekit.measuring.plan import Plan
from edgekit.measuring.prepare import prepare
from edgekit.measuring.several import Named, Stopped, measure
from edgekit.measuring.verdict import judge
from edgekit.reporting.bench_table import bench_table
from tests.support import vendor_onnx
from tests.support.heard import Heard
from tests.support.pretended import pretend
from tests.support.raised import raised
from tests.support.tiny_onnx import tiny_onnx
from tests.support.tiny_tflite import tiny_tflite
from tests.support.toy import toy

QUICK = Plan(threads=(1,), processes=2, min_samples=20, min_seconds=0.01, warmup_seconds=0.01)


@pytest.fixture
def board(home: Path) -> Target:
    return target("pi", home)


def target(name: str, home: Path) -> Target:
    """A target whose health is told by files and by a program `vcgencmd`."""
    text = f"""
schema = 1
transport = "ssh"
host = "{name}@board"
work = ".cache/edgekit-{name}"
threads = [1]
python = "{sys.executable}"
"""
    return parse(text, name, "test")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return [tiny_tflite(tmp_path / "a.tflite"), tiny_onnx(tmp_path / "b.onnx")]


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"data": toy(), "preprocessing": {"scale": 0.1}}


def test_a_session_on_a_board(board: Target, files: list[Path], settings: dict[str, Any], home: Path) -> None:
    (record,) = measure([board], candidates(files), QUICK, **settings).records
    for m in record.measurements:
        assert (len(m.latency), m.failures) == (2, ())
        assert m.memory and m.accuracy
        assert m.agreement is not None
        assert m.agreement.by_sample.equal == m.agreement.samples == 40
    assert record.device.address == "pi@board"
    assert {r.runtime for r in record.device.runtimes} == {"ai-edge-litert", "onnxruntime"}
    assert record.device.sent_bytes > sum(path.stat().st_size for path in files)
    table = bench_table(record)
    assert "vs host" in table
    assert "equal" in table
    assert "pi@board" in table
    left = sorted(p.name for p in (home / board.work).iterdir())
    assert left == [".edgekit", "files", "runtimes"]

    (again,) = measure([board], candidates(files), QUICK, **settings).records
    jobs = 2 * (1 + 1 + 2 + 1) + 2  # of every file, and of the smoke tests
    assert again.device.sent_bytes < 700 * jobs
    short = dataclasses.replace(QUICK, latency=False, memory=False)
    (_,) = measure([board], candidates(files[:1]), short, clean=True, **settings).records
    assert not (home / board.work).exists()


def test_throttling_that_appears_makes_a_session_suspect(
    board: Target, files: list[Path], settings: dict[str, Any], tmp_path: Path, home: Path
) -> None:
    script = 'echo throttled=$([ -e "$HOME/asked" ] && echo 0xd0008 || echo 0x50000); : >"$HOME/asked"'
    pretend(tmp_path / "bin", "vcgencmd", f"#!/bin/sh\n{script}\n")
    (record,) = measure([board], candidates(files[:1]), QUICK, **settings).records
    assert record.device.throttled == Throttled(0x50000, (0xD0008, 0xD0008))
    reasons = {reason.code: reason.sentence for reason in judge(record.measurements[0], record).reasons}
    assert "soft temperature limit" in reasons["throttled"]
    assert "under-voltage, throttled" in reasons["throttled-since-boot"]


def test_pinning_and_cooling(board: Target, files: list[Path], settings: dict[str, Any], tmp_path: Path) -> None:
    zone = tmp_path / "temp"
    zone.write_text("45000\n")
    cool = dataclasses.replace(board, health=dataclasses.replace(board.health, temperature=str(zone)))
    plan = dataclasses.replace(QUICK, pin="0", cool_below_c=60, accuracy=False, memory=False)
    (record,) = measure([cool], candidates(files[:1]), plan, **settings).records
    assert len(record.measurements[0].latency) == 2
    assert record.plan.pin == "0"
    impatient = dataclasses.replace(plan, cool_below_c=40, cool_timeout=0.01)
    (record,) = measure([cool], candidates(files[:1]), impatient, **settings).records
    assert "still 45.0 C" in str(record.measurements[0].failures[0])
    with pytest.raises(TargetError, match="cannot be read"):
        hot = dataclasses.replace(board, health=dataclasses.replace(board.health, temperature="/none"))
        measure([hot], candidates(files[:1]), plan, **settings)


def test_the_governor_of_a_session(board: Target, files: list[Path], settings: dict[str, Any], home: Path) -> None:
    governor = home / "governor"
    governor.write_text("ondemand\n")
    ours = dataclasses.replace(board, health=dataclasses.replace(board.health, governor="governor"))
    plan = dataclasses.replace(QUICK, governor="performance", memory=False, accuracy=False)
    heard = Heard()
    measure([ours], candidates(files[:1]), plan, progress=heard, **settings)
    assert "governor-not-set" not in heard.codes
    assert governor.read_text() == "ondemand\n"
    none = dataclasses.replace(board, health=dataclasses.replace(board.health, governor="/no/such/governor"))
    measure([none], candidates(files[:1]), plan, progress=heard, **settings)
    assert "governor-not-set" in heard.codes


def test_nothing_that_runs_there(
    board: Target, files: list[Path], settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise TargetError("no runtime works")

    monkeypatch.setattr("edgekit.measuring.prepare.provision", refuse)
    with raised("runtime-missing", "no runtime works; no runtime works", kind=TargetError):
        measure([board], candidates(files), QUICK, **settings)


def test_a_32_bit_board_skips_onnx_files_in_one_sentence(
    board: Target, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pi32 = Interpreter((3, 11, 2), "CPython", "armv7l", 32, (2, 36), {"numpy": "1.24.2"})
    monkeypatch.setattr("edgekit.measuring.prepare.probe_device", lambda *_: pi32)
    monkeypatch.setattr("edgekit.measuring.prepare.provision", lambda *_, **__: Provision("tflite-runtime", ""))
    heard = Heard()
    with open_device(board) as device:
        found = prepare(device, candidates(files), progress=heard)
        assert [c.subject.name for c in found.candidates] == ["a.tflite"]
        assert found.refusals == {}
        assert heard.codes == ["runtime-missing"]
        assert "b.onnx" in heard.warned[0]
        with raised("runtime-missing", "32-bit", "b.onnx", kind=TargetError):
            prepare(device, candidates(files[1:]), progress=heard)


def test_what_a_runtime_lacks_is_said_once_with_its_hint(
    board: Target, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(device: Any, machine: Any, wanted: Any, **_: Any) -> Provision:
        if "onnxruntime" in wanted:
            return Provision("onnxruntime", "")
        raise TargetError("no runtime works: NumPy is missing", "on the board: sudo apt install python3-numpy")

    monkeypatch.setattr("edgekit.measuring.prepare.provision", refuse)
    heard = Heard()
    with open_device(board) as device:
        found = prepare(device, candidates(files), progress=heard)
        assert heard.warned == ["no runtime works: NumPy is missing (on the board: sudo apt install python3-numpy)"]
        assert "NumPy" not in found.refusals["ai-edge-litert"]
        monkeypatch.setattr("edgekit.measuring.prepare.provision", lambda *a, **k: refuse(a[0], a[1], ()))
        with pytest.raises(TargetError, match="NumPy is missing") as caught:
            prepare(device, candidates(files), progress=heard)
    assert "python3-numpy" in caught.value.hint


def test_emulated_latency_is_compared_with_nothing(
    board: Target, files: list[Path], settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (record,) = measure([board], candidates(files), QUICK, **settings).records
    emulated = dataclasses.replace(
        record, host=dataclasses.replace(record.host, emulated="QEMU translates aarch64 programs")
    )
    header, _, *rows = (re.split(r"  +", line) for line in bench_table(emulated).splitlines()[:4])
    for row in rows:
        cells = dict(zip(header, row, strict=True))
        assert cells["median [95 %]"].endswith("(emulated)")
        assert [cells[name] for name in ("vs baseline [95 %]", "p90", "p99", "init", "first inference")] == ["-"] * 5
        assert cells["verdict"] == "emulated"
        assert cells["vs host"] == "equal"
    unknown = dataclasses.replace(record, host=dataclasses.replace(record.host, emulated=Unavailable("no answer")))
    assert "emulation-unknown" in [reason.code for reason in judge(unknown.measurements[0], unknown).reasons]


def test_a_broken_connection_is_mended(
    board: Target, files: list[Path], settings: dict[str, Any], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, broken = passes_module.run_job, []

    def unplug(*args: Any, **kwargs: Any) -> Any:
        if not broken:
            broken.append(True)
            (home.parent / "unplugged").touch()
            threading.Timer(0.2, (home.parent / "unplugged").unlink).start()
            raise ConnectionFailed("pulled the plug")
        return real(*args, **kwargs)

    monkeypatch.setattr(passes_module, "run_job", unplug)
    monkeypatch.setattr("edgekit.devices.transports.base.PAUSE", 0.3)
    (record,) = measure([board], candidates(files[:1]), QUICK, **settings).records
    assert broken
    assert record.measurements[0].failures == ()


def test_several_devices_side_by_side(files: list[Path], settings: dict[str, Any], home: Path) -> None:
    lost = parse('schema = 1\ntransport = "ssh"\nhost = "x@board"\npython = "no-such-python"\n', "lost", "test")
    heard = Heard()
    found = measure([target("one", home), lost, DESKTOP], candidates(files), QUICK, progress=heard, **settings)
    assert [record.target for record in found.records] == ["one", "desktop"]
    assert "there is no `no-such-python`" in found.errors["lost"].message
    table = bench_table(*found.records)
    assert table.splitlines()[0].startswith("target ")
    assert any(line.startswith("one: measuring on one") for line in heard.notified)
    with pytest.raises(TargetError, match="no-such-python"):
        measure([lost], candidates(files), QUICK, **settings)


def test_two_runs_on_one_board(board: Target, files: list[Path], settings: dict[str, Any], home: Path) -> None:
    with open_device(board), raised("device-busy", kind=TargetError):
        measure([board], candidates(files), QUICK, **settings)
    measure([board], candidates(files[:1]), QUICK, **settings)


def test_a_full_board(board: Target, files: list[Path], settings: dict[str, Any], home: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small file system")
    cache = home / ".cache"
    cache.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(cache)], check=True)
    try:
        with pytest.raises(TargetError, match="no space left"):
            measure([board], candidates(files), QUICK, **settings)
        assert not list((home / board.work).glob("run-*"))
        subprocess.run(["mount", "-o", "remount,size=8m", str(cache)], check=True)
        measure([board], candidates(files[:1]), QUICK, **settings)
    finally:
        subprocess.run(["umount", "-l", str(cache)], check=True)


@pytest.mark.parametrize(
    ("here", "there", "expected"),
    [
        ([[1, 5], [7, 2]], [[1, 5], [7, 2]], (2, 2, 0, "steps")),
        ([[1, 5], [7, 2]], [[2, 5], [2, 7]], (1, 0, 5, "steps")),
        ([[-128, 127]], [[127, -128]], (0, 0, 255, "steps")),  # int8 differences do not fit int8
        ([[0.5, 0.25]], [[0.5, 0.5]], (1, 0, 0.25, "value")),
    ],
)
def test_agreement(here: list[Any], there: list[Any], expected: tuple[Any, ...]) -> None:
    dtype = np.int8 if isinstance(here[0][0], int) else np.float32
    found = compare_stored(np.asarray(here, dtype), np.asarray(there, dtype))
    counted, largest = found.by_sample, found.max_abs if found.max_steps is None else found.max_steps
    assert counted is not None
    assert (found.same_class, counted.equal, largest, "value" if found.max_steps is None else "steps") == expected
    assert found.samples == len(here)


def test_outputs_that_do_not_compare() -> None:
    for here, there in ((np.zeros((2, 3)), np.zeros((2, 4))), (np.zeros(2, np.int8), np.zeros(2, np.uint8))):
        found = compare_stored(here, there)
        assert found.by_sample is not None and "shape" in found.by_sample.mismatch
        word, reason = disagreement(found, True)
        assert word == "invalid" and reason is not None and reason.sentence.endswith(found.by_sample.mismatch)


@pytest.mark.parametrize(
    "plan",
    [
        {"pin": "a"},
        {"pin": "0;reboot"},
        {"governor": "x y"},
        {"governor": "$(id)"},
        {"cool_below_c": 200},
        {"cool_below_c": -1},
    ],
)
def test_settings_that_are_none(plan: dict[str, Any]) -> None:
    [(name, value)] = plan.items()
    code = "value-not-valid" if isinstance(value, str) else "value-out-of-range"
    with raised(code, f"--{name.removesuffix('_c').replace('_', '-')}", kind=InputError):
        Plan(**plan)


def test_progress_of_one_among_several() -> None:
    heard = Heard()
    stop = threading.Event()
    named = Named("pi", heard, stop)
    named.notify("pi: hello")
    named.warn("hot")
    with named.task("work", 20) as task:
        for _ in range(20):
            task.advance("x")
        task.advance("note only", units=0)
    assert heard.lines[:2] == ["pi: hello", "warning: pi: hot"]
    assert heard.lines[2] == "pi: work 2/20  x"
    assert len(heard.lines) == 12
    stop.set()
    with pytest.raises(Stopped):
        named.notify("more")
    with pytest.raises(Stopped), named.task("work", 20) as task:
        task.advance("x")


def test_dynamic_sizes_and_external_data_on_a_board(board: Target, tmp_path: Path, home: Path) -> None:
    paths = [vendor_onnx.external(tmp_path / "v.onnx", "weights/v.bin"), vendor_onnx.image(tmp_path / "image.onnx")]
    plan = dataclasses.replace(QUICK, processes=1, input_shapes={"image": (1, 1, 8, 8)})
    (record,) = measure([board], candidates(paths), plan).records
    for found in record.measurements:
        assert found.failures == ()
        assert found.memory is not None and len(found.latency) == 1
    assert record.subjects[1].input_shapes == {"image": [1, 1, 8, 8]}
    assert "image.onnx: measured with image 1×1×8×8" in bench_table(record)
