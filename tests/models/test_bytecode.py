"""Bytecode of Lambda layers: which Python wrote it."""

from __future__ import annotations

import base64
import marshal
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.frameworks.tensorflow import keras3, tf_keras
from edgekit.models.files import bytecode
from edgekit.models.files.bytecode import foreign_python, versions
from edgekit.models.files.loader import load_model
from tests.support.heard import Heard
from tests.support.raised import raised

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
SCALE = 3


def marshalled(numbers: int, body: bytes) -> bytes:
    """Return the beginning of a code object, as far as it is read."""
    return b"\xe3" + struct.pack(f"<{numbers}I", *range(1, numbers + 1)) + b"s" + struct.pack("<I", len(body)) + body


OLD = bytes([124, 0, 100, 1, 20, 0, 83, 0])  # LOAD_FAST, LOAD_CONST, BINARY_MULTIPLY, RETURN_VALUE


def called(empty: tuple[int, int, int], resume: int, extra: bytes = b"") -> bytes:
    """LOAD_GLOBAL, LOAD_FAST, CALL, RETURN_VALUE with so many empty places."""
    glob, call, _ = empty
    return (
        bytes([resume, 0, 116, 1])
        + bytes(2 * glob)
        + bytes([124, 0])
        + extra
        + bytes([171, 1])
        + bytes(2 * call)
        + bytes([83, 0])
    )


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (marshalled(5, OLD), ("3.6", "3.7")),
        (marshalled(6, OLD), ("3.8", "3.9", "3.10")),
        (marshalled(5, called((5, 4, 0), 151, bytes([166, 1, 0, 0]))), ("3.11",)),
        (marshalled(5, called((4, 3, 0), 151)), ("3.12",)),
        (marshalled(5, bytes([149, 1, 151, 0, 124, 0, 83, 0])), ("3.11", "3.12")),  # a closure
        (marshalled(5, bytes([149, 0, 85, 0, 35, 0])), ("3.13",)),
        (marshalled(5, bytes([128, 0, 86, 0, 35, 0])), ("3.14",)),
        (b"", ()),
        (b"\xe3\0\0", ()),
        (marshalled(5, OLD)[:-1], ()),
        (b"x" * 64, ()),
    ],
)
def test_versions(code: bytes, expected: tuple[str, ...]) -> None:
    assert versions(code) == expected


def functions() -> list[Any]:
    return [
        lambda x: x * 2,
        lambda x: (x[..., ::-1] - 1) / SCALE,
        lambda x: np.maximum(x, 0) if x.ndim > 2 else max(x, key=lambda y: y * SCALE),
        lambda a, *b, c=3, **d: [e.f for e in b if e is not a and c < d["g"]],
    ]


@pytest.mark.parametrize("index", range(4))
def test_what_this_python_writes_it_may_read(index: int) -> None:
    assert HERE in versions(marshal.dumps(functions()[index].__code__))


def lambda_config(code: bytes, form: str) -> dict[str, Any]:
    text = base64.b64encode(code).decode()
    if form == "list":
        return {
            "layers": [{"class_name": "Lambda", "config": {"function": [text, None, None], "function_type": "lambda"}}]
        }
    return {"layers": [{"config": {"function": {"class_name": "__lambda__", "config": {form: text}}}}]}


@pytest.mark.parametrize("form", ["list", "value", "code"])
def test_where_models_keep_it(form: str) -> None:
    assert foreign_python(lambda_config(marshalled(6, OLD), form)) == "3.8 to 3.10"
    assert foreign_python(lambda_config(marshal.dumps((lambda x: x).__code__), form)) == ""
    assert foreign_python(lambda_config(b"\xff", form)) == ""
    assert foreign_python({"config": {"function": "relu", "function_type": "function"}}) == ""


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("generation", "suffix"), [(2, ".keras"), (2, ".h5"), (3, ".keras"), (3, ".h5")])
def test_a_file_of_another_python_is_refused_by_its_name(
    generation: int, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keras = tf_keras() if generation == 2 else keras3()
    double = keras.layers.Lambda(lambda x: x * 2, output_shape=(4,))
    keras.Sequential([keras.Input((4,)), double, keras.layers.Dense(2)]).save(str(tmp_path / f"m{suffix}"))
    load_model(tmp_path / f"m{suffix}", allow_unsafe=True, progress=Heard())
    monkeypatch.setattr(bytecode, "versions", lambda _: ("3.8", "3.9", "3.10"))
    with raised("lambda-of-other-python", "3.8 to 3.10", "run edgekit with Python 3.8 to 3.10"):
        load_model(tmp_path / f"m{suffix}", allow_unsafe=True, progress=Heard())
