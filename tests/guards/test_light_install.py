"""`pip install edgekit` without extras: from a built wheel, in a virtual environment of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.tiny_tflite import tiny_tflite

ROOT = Path(__file__).parents[2]
HEAVY = ("tensorflow", "keras", "tf_keras", "onnx", "onnxruntime", "sklearn")


@pytest.fixture(scope="module")
def bin_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONPATH", raising=False)  # a checkout on it would be installed already
        yield installed(tmp_path_factory)


def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of programs of an environment that holds the light install."""
    folder = tmp_path_factory.mktemp("light") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt"]
    wheels = folder.parent / "wheels"
    build = [folder / "bin" / "python", "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, ROOT]
    done = subprocess.run(build, capture_output=True, text=True)
    if done.returncode == 0:
        done = subprocess.run([*pip, next(wheels.glob("edgekit-*.whl"))], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"packages cannot be installed here: {done.stderr[-300:]}")
    return folder / "bin"


def run(bin_folder: Path, cwd: Path, *args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([bin_folder / "edgekit", *map(str, args)], cwd=cwd, capture_output=True, text=True)


@pytest.mark.e2e
def test_bench_inspect_and_report_work(bin_folder: Path, tmp_path: Path) -> None:
    script = f"import importlib.util as u; print([n for n in {HEAVY} if u.find_spec(n)])"
    found = subprocess.run([bin_folder / "python", "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
    tiny_tflite(tmp_path / "a.tflite")
    done = run(bin_folder, tmp_path, "bench", "a.tflite", "--processes", 2, "--min-seconds", 0.01)
    assert done.returncode == 0, done.stderr
    [record] = (tmp_path / "edgekit-records").iterdir()
    table = done.stdout.partition("\n\nrecord: ")[0]
    assert f"\n\n{table}\n" in run(bin_folder, tmp_path, "report", record).stdout
    assert "CONV_2D" in run(bin_folder, tmp_path, "inspect", "a.tflite").stdout
    assert "int8" in run(bin_folder, tmp_path, "recipes").stdout
    assert "rpi-zero-2w" in run(bin_folder, tmp_path, "targets", "list").stdout
    for name in ("ondevice/keeper.sh", "devices/smoke.tflite", "reporting/html/vendor/vega.min.js"):
        script = f"import edgekit, pathlib; print((pathlib.Path(edgekit.__file__).parent / {name!r}).is_file())"
        found = subprocess.run([bin_folder / "python", "-c", script], capture_output=True, text=True, check=True)
        assert found.stdout.strip() == "True", name


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("args", "extra"),
    [
        (("compress", "--data", "digits"), "compress"),
        (("train", "digits-cnn", "--data", "digits", "-o", "m.keras"), "compress"),
        (("inspect", "m.onnx"), "onnx"),
    ],
)
def test_what_needs_an_extra_says_which(bin_folder: Path, tmp_path: Path, args: tuple[str, ...], extra: str) -> None:
    from tests.support.tiny_onnx import tiny_onnx

    tiny_onnx(tmp_path / "m.onnx")
    done = run(bin_folder, tmp_path, *args)
    assert done.returncode == 1
    assert f"hint: install it with: pip install 'edgekit[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr
