"""What TensorFlow Lite Micro lacks, on made-up files; the answers are those of its own interpreter (0.dev20261023)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edgekit.export.c_header import write_header
from edgekit.formats.tflite.microcontrollers import lacking
from tests.support.heard import Heard
from tests.support.tiny_tflite import Op, T, model, tiny_tflite


def one(
    name: str, dtype: str = "INT8", shape: tuple[int, ...] = (1, 8), to: str | None = None, inputs: int = 1
) -> bytes:
    """Return a file with one operator."""
    tensors = [T("x", shape, dtype) for _ in range(inputs)] + [T("y", shape, to or dtype)]
    return model(tensors, [Op(name, list(range(inputs)), [inputs])], list(range(inputs)), [inputs])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (one("GELU"), ["GELU"]),
        (one("TILE"), ["TILE"]),
        (one("POW"), ["POW"]),
        (one("SELECT"), ["SELECT"]),
        (one("SELECT_V2"), []),
        (one("DIV"), []),
        (one("EXP"), ["EXP of int8 values"]),
        (one("EXP", "FLOAT32"), []),
        (one("LOG"), ["LOG of int8 values"]),
        (one("RSQRT"), []),
        (one("TRANSPOSE", shape=(1, 2, 1, 2, 1, 2)), ["TRANSPOSE of 6 axes"]),
        (one("TRANSPOSE", shape=(1, 2, 1, 2, 2)), []),
        (one("ADD", shape=(1, 2, 1, 2, 1, 2)), []),
        (one("ADD", shape=(1, 2, 1, 2, 1, 2, 1)), ["ADD of 7 axes"]),
        (one("ARG_MAX", to="INT64"), ["ARG_MAX with int64 results"]),
        (one("ARG_MAX", to="INT32"), []),
        (one("CONCATENATION", inputs=10), []),
        (one("CONCATENATION", inputs=11), ["CONCATENATION of 11 parts"]),
        (b"no such file", []),
    ],
)
def test_what_it_lacks(data: bytes, expected: list[str]) -> None:
    assert lacking(data) == expected


def test_weights_of_another_type_than_the_values() -> None:
    tensors = [T("x", (1, 4), "FLOAT32"), T("w", (2, 4), data=bytes(8)), T("y", (1, 2), "FLOAT32")]
    data = model(tensors, [Op("FULLY_CONNECTED", [0, 1, -1], [2])], [0], [2])
    assert lacking(data) == ["FULLY_CONNECTED with int8 weights for float32 values"]


@pytest.mark.parametrize(("scales", "expected"), [([0.1], []), ([0.1, 0.2], ["DEQUANTIZE with a scale a channel"])])
def test_weights_that_are_made_float(scales: list[float], expected: list[str]) -> None:
    weights = T("w8", (2, 4), data=bytes(8), scale=scales, zero_point=[0] * len(scales))
    tensors = [T("x", (1, 4), "FLOAT32"), weights, T("w", (2, 4), "FLOAT32"), T("y", (1, 2), "FLOAT32")]
    operators = [Op("DEQUANTIZE", [1], [2]), Op("FULLY_CONNECTED", [0, 2, -1], [3])]
    assert lacking(model(tensors, operators, [0], [3])) == expected


def test_the_header_says_so(tmp_path: Path) -> None:
    (tmp_path / "g.tflite").write_bytes(one("GELU"))
    heard = Heard()
    write_header(tmp_path / "model_data.h", tmp_path / "g.tflite", "g", heard)
    [warning] = heard.warned
    assert warning.startswith("model_data.h: TensorFlow Lite Micro does not run this model: no kernel for GELU (")
    text = (tmp_path / "model_data.h").read_text()
    assert "does not run it: no kernel for GELU" in text.partition("#ifndef")[0]
    if shutil.which("gcc"):
        check = ["gcc", "-x", "c", "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
        subprocess.run([*check, tmp_path / "model_data.h", "-Wno-unused"], check=True)
    heard = Heard()
    write_header(tmp_path / "h", tiny_tflite(tmp_path / "t.tflite"), "t", heard)
    assert not heard.warned
    assert "Micro" not in (tmp_path / "h").read_text()
