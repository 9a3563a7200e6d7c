"""The command line: what it says, its exit codes, and, in processes of its own, what an interruption leaves."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit.version import __version__
from tests.conftest import Edgekit, Inside
from tests.support import vendor_tflite
from tests.support.tiny_onnx import tiny_onnx
from tests.support.tiny_tflite import tiny_tflite

QUICK = ("--processes", "2", "--min-samples", "20", "--min-seconds", "0.01")


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def files_below(folder: Path) -> set[str]:
    """As `rglob`, which fails where a folder goes away meanwhile."""
    return {
        str(Path(place, name).relative_to(folder))
        for place, folders, files in os.walk(folder)
        for name in (*folders, *files)
    }


def test_version_and_help(edgekit: Edgekit, inside: Inside) -> None:
    assert edgekit("--version").stdout.strip() == __version__
    text = edgekit("--help").stdout
    for command in ("train", "compress", "bench", "inspect", "report", "recipes"):
        assert "Example" in inside(command, "--help").stdout, command
        assert command in text


@pytest.mark.parametrize("args", [("compres",), ("bench",), ("bench", "x", "--threads"), ("train", "a", "b")])
def test_wrong_usage_is_exit_code_2(inside: Inside, args: tuple[str, ...]) -> None:
    inside(*args, check=2)


def test_recipes(inside: Inside, tmp_path: Path) -> None:
    assert "int8" in inside("recipes").stdout
    (tmp_path / "mine.toml").write_text(inside("recipes", "int8").stdout)
    from edgekit.bundle.recipe import load_recipe

    assert load_recipe(str(tmp_path / "mine.toml")).schemes == ("float32", "int8")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("compress", "none.keras"), "none.keras"),
        (("compress", "--recipe", "itn8"), "no recipe `itn8`"),
        (("compress", "--data", "mist"), "[data-not-found]"),
        (("compress", "--data", "none.npz"), "none.npz: no such file"),
        (("compress", "--scale", "a/b"), "`--scale a/b`: expected a number"),
        (("compress", "--scale", "1/0"), "`--scale 1/0`: expected a number"),
        (("compress", "--layout", "HWCN"), "unknown layout"),
        (("bench", "none"), "none"),
        (("bench", ".", "--target", "desktop"), "not an edgekit bundle"),
        (("bench", "x.tflite", "--threads", "one"), "`--threads one`: expected integers"),
        (("bench", "x.tflite", "--input-shape", "1,2"), "`--input-shape 1,2`: expected NAME=SIZES"),
        (("bench", "x.tflite", "--input-shape", "a=1,x"), "`--input-shape of a: 1,x`: expected integers"),
        (("bench", "x.tflite", "--input-shape", "a=1,0"), "--input-shape a=1,0: expected up to 8 sizes"),
        (("bench", "x.tflite", "--input-shape", "a=1", "--input-shape", "a=2"), "option-twice"),
        (("inspect", "none.tflite"), "none.tflite"),
        (("report", "none.json"), "none.json: no such record"),
        (("train", "resnet", "--data", "digits", "-o", "m.keras"), "did you mean `resnet8`"),
        (("train", "digits-cnn", "--data", "digits", "-o", "m.h5"), "m.keras"),
        (("train", "digits-cnn", "--data", "digits", "-o", "m.keras", "--epochs", "0"), "training-option-invalid"),
    ],
)
def test_explained_failures_are_exit_code_1(inside: Inside, args: tuple[str, ...], message: str) -> None:
    done = inside(*args, check=1)
    assert message in done.stderr
    assert "edgekit: " in done.stderr
    assert done.stdout == ""
    assert list(inside.cwd.iterdir()) == []


def test_refusals_that_need_no_tensorflow_do_not_load_it(edgekit: Edgekit, tmp_path: Path) -> None:
    stub = tmp_path / "stubs" / "tensorflow"
    stub.mkdir(parents=True)
    (stub / "__init__.py").write_text("raise SystemExit('TensorFlow was imported')")
    edgekit.env["PYTHONPATH"] = str(stub.parent)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis").write_text("x")
    done = edgekit("compress", "-o", "taken", check=1)
    assert "not made by edgekit" in done.stderr
    edgekit("compress", "--data", "none.npz", check=1)


def test_without_the_compress_extra(edgekit: Edgekit, tmp_path: Path) -> None:
    stub = tmp_path / "stubs" / "tensorflow"
    stub.mkdir(parents=True)
    (stub / "__init__.py").write_text("raise ImportError('not here')")
    edgekit.env["PYTHONPATH"] = str(stub.parent)
    for args in (("compress",), ("train", "digits-cnn", "--data", "digits", "-o", "m.keras")):
        done = edgekit(*args, check=1)
        assert "hint: install it with: pip install 'edgekit[compress]'" in done.stderr


@pytest.mark.processes
def test_dynamic_sizes(inside: Inside, tmp_path: Path) -> None:
    (tmp_path / "v.tflite").write_bytes(vendor_tflite.dynamic_image())
    done = inside("bench", "v.tflite", *QUICK, check=1)
    assert "input `image` has the shape 1×?×?×1" in done.stderr and "[input-shape-open]" in done.stderr
    assert "--input-shape image=1,N,N,1" in done.stderr
    done = inside("bench", "v.tflite", "--input-shape", "image=1,9,8,1", *QUICK)
    assert "v.tflite: measured with image 1×9×8×1" in done.stdout
    [record] = (tmp_path / "edgekit-records").iterdir()
    assert json.loads(record.read_text())["subjects"][0]["input_shapes"] == {"image": [1, 9, 8, 1]}
    assert "v.tflite: measured with image 1×9×8×1" in inside("report", record).stdout


@pytest.mark.processes
def test_a_missing_operator_is_in_the_table(inside: Inside, tmp_path: Path) -> None:
    (tmp_path / "v.tflite").write_bytes(vendor_tflite.unary("Mine"))
    assert "CUSTOM:Mine" in inside("inspect", "v.tflite").stdout
    done = inside("bench", "v.tflite", *QUICK, check=3)
    assert "v.tflite: ai-edge-litert lacks the custom operator `Mine`" in done.stdout


def test_bench_and_report(edgekit: Edgekit, tmp_path: Path) -> None:
    tiny_tflite(tmp_path / "a.tflite")
    tiny_onnx(tmp_path / "b.onnx")
    done = edgekit("bench", "a.tflite", "b.onnx", "--threads", "1,2", *QUICK, "--out", "records")
    [record] = (tmp_path / "records").iterdir()
    assert f"record: {record.relative_to(tmp_path)}" in done.stdout
    table = done.stdout.rpartition("\nrecord:")[0].strip()
    assert f"\n\n{table}\n" in edgekit("report", record).stdout
    rows = table.splitlines()[2:6]
    assert [row.split()[:2] for row in rows] == [
        ["a.tflite", "1"], ["b.onnx", "1"], ["a.tflite", "2"], ["b.onnx", "2"],
    ]  # fmt: skip
    value = json.loads(record.read_text())
    assert value["schema"] == 2
    assert value["command"][:3] == ["bench", "a.tflite", "b.onnx"]
    assert all(len(m["latency"]) == 2 for m in value["measurements"])


@pytest.mark.processes
def test_bench_on_a_test_set(inside: Inside, tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).integers(0, 256, (60, 4, 4), dtype=np.uint8), np.arange(60) % 3
    np.savez(tmp_path / "d.npz", x_train=x, y_train=y, x_test=x[:30], y_test=y[:30])
    tiny_tflite(tmp_path / "a.tflite")
    done = inside("bench", "a.tflite", "--data", "d.npz", "--scale", "0.1", "--no-latency", "--no-memory")
    assert "accuracy: 30 samples, d, the whole test part" in done.stdout


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x1c\0\0\0TFL3\xff\xff\xff\xff"])
def test_files_that_are_no_models(inside: Inside, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.tflite").write_bytes(content)
    for command in ("bench", "inspect"):
        assert "bad.tflite" in inside(command, "bad.tflite", check=1).stderr


def test_a_runner_that_crashes_is_a_failed_record_and_exit_code_3(edgekit: Edgekit, tmp_path: Path) -> None:
    tiny_tflite(tmp_path / "a.tflite")
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'edgekit-runner: load' >&2\nkill -ILL $$\n")
    python.chmod(0o755)
    done = edgekit("bench", "a.tflite", "--python", python, *QUICK, check=3)
    assert "invalid" in done.stdout
    assert "killed by SIGILL during load" in done.stdout and "[runner-killed]" in done.stdout
    [record] = (tmp_path / "edgekit-records").iterdir()
    assert json.loads(record.read_text())["measurements"][0]["failures"][0]["code"] == "runner-killed"


def test_a_runner_that_hangs(edgekit: Edgekit, tmp_path: Path) -> None:
    tiny_tflite(tmp_path / "a.tflite")
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexec sleep 60\n")
    python.chmod(0o755)
    done = edgekit("bench", "a.tflite", "--python", python, "--timeout", "0.2", "--processes", "1", check=3)
    assert "after 0.2 s" in done.stdout and "[runner-timeout]" in done.stdout


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_bench_leaves_nothing(edgekit: Edgekit, tmp_path: Path, number: int, code: int) -> None:
    tiny_tflite(tmp_path / "a.tflite")
    edgekit.env["TMPDIR"] = str(tmp_path / "temp")
    (tmp_path / "temp").mkdir()
    running = edgekit.start("bench", "a.tflite", "--min-seconds", "60", "--no-memory", "--out", "records")
    wait_for(lambda: any("/job" in name for name in files_below(tmp_path / "temp")))
    time.sleep(1)
    running.send_signal(number)
    _, stderr = running.communicate(timeout=30)
    assert running.returncode == code
    assert "Traceback" not in stderr
    assert files_below(tmp_path) == {"a.tflite", "temp"}


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained digits model."""
    from edgekit.models.reference.reference import build

    path = tmp_path_factory.mktemp("untrained") / "small.keras"
    build("digits-cnn", (8, 8, 1), 10, 0.25).save(path)
    return path


@pytest.fixture
def small_model(untrained: Path, tmp_path: Path) -> Path:
    """The untrained model in the current folder."""
    return Path(shutil.copy(untrained, tmp_path))


@pytest.mark.e2e
@pytest.mark.tensorflow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_an_interrupted_compress_leaves_no_bundle(
    edgekit: Edgekit, small_model: Path, tmp_path: Path, number: int, code: int
) -> None:
    running = edgekit.start("compress", small_model, "--data", "digits", "--anyway", "-o", "out")
    wait_for(lambda: any(name.startswith(".out.tmp-") for name in files_below(tmp_path)))
    running.send_signal(number)
    _, stderr = running.communicate(timeout=60)
    assert running.returncode == code
    assert "Traceback" not in stderr
    assert not (tmp_path / "out").exists()
    if number != signal.SIGKILL:
        assert {p.name for p in tmp_path.iterdir()} == {small_model.name}
    else:  # nobody could clean up; the next run does
        edgekit("compress", small_model, "--data", "digits", "--anyway", "-o", "out", "--recipe", "float32")
        assert {p.name for p in tmp_path.iterdir()} == {small_model.name, "out"}


@pytest.mark.tensorflow
@pytest.mark.root
def test_a_full_disk_during_compress(inside: Inside, small_model: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small file system needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", disk], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"mount is not permitted here: {mounted.stderr.decode()}")
    try:
        done = inside("compress", small_model, "--data", "digits", "--anyway", "-o", "disk/out", check=1)
        assert "no space left" in done.stderr
        assert "hint: free some space" in done.stderr
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.e2e
@pytest.mark.tensorflow
def test_the_main_job(edgekit: Edgekit, tmp_path: Path) -> None:
    """Train, compress, bench, as the README says, with the numbers read back from what was written."""
    edgekit("train", "digits-cnn", "--data", "digits", "--epochs", 8, "-o", "my model.keras")
    card = json.loads((tmp_path / "my model.keras.json").read_text())
    assert card["preprocessing"]["scale"] == 1 / 16
    assert len(card["lineage"][0]["epochs"]["val_accuracy"]) == 8
    assert edgekit("train", "digits-cnn", "--data", "digits", "-o", "my model.keras", check=1).stdout == ""
    text = edgekit("compress", "my model.keras", "--data", "digits", "-o", "a bundle", "--eval-samples", 0).stdout
    assert "my-model-int8.tflite" in text
    manifest = json.loads((tmp_path / "a bundle" / "manifest.json").read_text())
    assert [step["step"] for step in manifest["lineage"]] == ["train", "load"]
    done = edgekit("bench", "a bundle", "--only", "int8", *QUICK)
    assert "accuracy: 355 samples" in done.stdout
    [record] = (tmp_path / "edgekit-records").iterdir()
    found = json.loads(record.read_text())
    assert [s["name"] for s in found["subjects"]] == ["my-model-int8.tflite", "my-model-int8.onnx"]
    for m in found["measurements"]:
        assert m["accuracy"]["correct"] / 355 > 0.8
    assert len({m["accuracy"]["predictions_sha256"] for m in found["measurements"]}) == 1
    page = edgekit("inspect", "a bundle/my-model-int8.tflite", "a bundle/my-model-int8.onnx").stdout
    assert page.count("MACs") >= 2
    assert tempfile.gettempdir() not in page
