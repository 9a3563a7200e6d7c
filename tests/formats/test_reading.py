from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from edgekit.cli import inspect as cli
from edgekit.cli.command import add
from edgekit.errors import EdgekitError
from edgekit.formats.reading import inspect_file
from tests.support.raised import raised
from tests.support.tiny_onnx import tiny_onnx
from tests.support.tiny_tflite import tiny_tflite


def refuse(path: Path, code: str, hint: str = "") -> None:
    with raised(code) as caught:
        inspect_file(path)
    assert caught.value.message.startswith(str(path))
    assert hint in caught.value.hint


@pytest.mark.parametrize("name", ["a.tflite", "a.TFLITE", "a.lite", "a.bin", "a"])
def test_tflite_by_content(tmp_path: Path, name: str) -> None:
    assert inspect_file(tiny_tflite(tmp_path / name)).format == "tflite"


@pytest.mark.parametrize("name", ["a.onnx", "a.bin", "a"])
def test_onnx_by_content(tmp_path: Path, name: str) -> None:
    assert inspect_file(tiny_onnx(tmp_path / name)).format == "onnx"


@pytest.mark.parametrize(
    ("write", "name", "code", "hint"),
    [
        (tiny_tflite, "a.onnx", "suffix-mismatch", "a.tflite"),
        (tiny_tflite, "a.keras", "suffix-mismatch", "a.tflite"),
        (tiny_onnx, "a.tflite", "suffix-mismatch", "a.onnx"),
    ],
)
def test_a_wrong_suffix(tmp_path: Path, write: Callable[[Path], Path], name: str, code: str, hint: str) -> None:
    refuse(write(tmp_path / name), code, f"rename it to {tmp_path / hint}")


def test_no_file_at_all(tmp_path: Path) -> None:
    refuse(tmp_path / "a.tflite", "file-missing")
    refuse(tmp_path, "not-a-file", "give the path of")
    tiny_onnx(tmp_path / "inside.onnx")
    refuse(tmp_path, "not-a-file", str(tmp_path / "inside.onnx"))
    (tmp_path / "saved_model.pb").touch()
    refuse(tmp_path, "not-a-file", "SavedModel")
    (tmp_path / "empty.tflite").touch()
    refuse(tmp_path / "empty.tflite", "file-empty")
    os.mkfifo(tmp_path / "pipe")
    refuse(tmp_path / "pipe", "not-a-file")


def test_no_permission() -> None:
    # Not in tmp_path: its parents are closed to the unprivileged user that root becomes here.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = tiny_tflite(Path(folder) / "a.tflite")
        path.chmod(0)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            refuse(path, "file-unreadable")
        finally:
            if root:
                os.seteuid(0)


@pytest.mark.parametrize(
    ("name", "content", "code", "hint"),
    [
        (
            "m.h5",
            b"\x89HDF\r\n\x1a\n" + bytes(100),
            "format-unexpected",
            "`edgekit compress {path}` makes a .tflite from it",
        ),
        ("m.tflite", b"\x89HDF\r\n\x1a\n" + bytes(100), "format-unexpected", "edgekit compress {path}"),
        ("m.onnx.gz", b"\x1f\x8b\x08" + bytes(100), "format-unexpected", "gunzip"),
        ("m.ort", b"\x1c\0\0\0ORTM" + bytes(100), "format-unexpected", ".onnx"),
        ("m.tflite", b"version https://git-lfs.github.com/spec/v1\n", "format-unexpected", "git lfs pull"),
        ("m.tflite", b"\n<!DOCTYPE html><html>", "format-unexpected", "download"),
        ("m.tflite", b"hello, this is text", "file-damaged", "again"),
        ("m.tflite", b"TFL", "file-damaged", "again"),
        ("m.onnx", b"hello, this is text", "file-damaged", "again"),
        ("m.txt", b"hello, this is text", "format-unexpected", ""),
        ("m", b"\x08\x07", "format-unexpected", ""),
    ],
)
def test_other_files(tmp_path: Path, name: str, content: bytes, code: str, hint: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    refuse(path, code, hint.format(path=path))


def test_zip_archives(tmp_path: Path) -> None:
    for name, member, hint in (
        ("m.keras", "metadata.json", "edgekit compress"),
        ("m.zip", "x.tflite", "unpack it"),
    ):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(member, "{}")
        refuse(tmp_path / name, "format-unexpected", hint)


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    add(app, cli.NAME, cli.command, help=cli.HELP)
    result = CliRunner().invoke(app, list(arguments))
    if isinstance(result.exception, EdgekitError):
        raise result.exception
    return result.exit_code, result.stdout


def test_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tiny_tflite(Path("tiny.tflite"))
    code, page = run("tiny.tflite")
    lines = page.splitlines()
    assert code == 0
    assert lines[0] == "tiny.tflite"
    # The sizes depend on the versions of flatbuffers and zlib.
    assert lines[1:2] + lines[3:] == PAGE.splitlines()
    assert lines[2].startswith("  size            1,")


PAGE = """\
  format          TensorFlow Lite
  schema version  3
  producer        made by a test
  signatures      serving_default

inputs
  image  int8  1×4×4×1  per-tensor scale 0.5 zero_point -3

outputs
  scores  int8  1×3  per-tensor scale 0.75 zero_point 1

operators (3)
    1  CONV_2D
    1  RESHAPE
    1  FULLY_CONNECTED

parameters     119
MACs           384
8-bit weights  100.0% of 114 bytes, without biases

  weights  shape    dtype  bytes  zeros  unique  quantization
  conv/w   2×3×3×1  int8      18   5.6%      18  per-channel axis 0 (2 scales 0.01..0.02)
  conv/b   2        int32      8   0.0%       2  per-channel axis 0 (2 scales 0.005..0.01)
  dense/w  3×32     int8      96   0.0%      82  per-tensor scale 0.03 zero_point 0
  dense/b  3        int32     12  33.3%       3  per-tensor scale 0.0075 zero_point 0
"""


def test_several_files_as_json(tmp_path: Path) -> None:
    files = [str(tiny_tflite(tmp_path / "a.tflite")), str(tiny_onnx(tmp_path / "b.onnx"))]
    code, text = run(*files, "--json")
    values = json.loads(text)
    assert code == 0
    assert [v["format"] for v in values] == ["tflite", "onnx"]
    assert [v["path"] for v in values] == files
    assert values[0]["macs"] == values[1]["macs"] == 384


def test_long_names_are_shortened_in_the_middle() -> None:
    from edgekit.reporting.model_page import short

    assert short("abcdefghij", 7) == "abc…hij"
    assert short("abcdefghij", 6) == "abc…ij"
    assert short("abc", 3) == "abc"
    assert short("") == "(no name)"


def test_no_tensorflow(tmp_path: Path) -> None:
    path = tiny_onnx(tmp_path / "a.onnx")
    code = (
        "import sys; from pathlib import Path; from edgekit.formats.reading import inspect_file; "
        "heavy = {'onnx', 'ai_edge_litert', 'tensorflow'}; assert not heavy & set(sys.modules); "
        "inspect_file(Path(sys.argv[1])); "
        "assert not {'tensorflow', 'keras', 'tf_keras', 'ai_edge_litert', 'onnxruntime'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, timeout=120)
