"""A file is called int8 only if its weights are: what converters leave float is left out, or stops the job."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.export.exporter import Exported
from edgekit.export.honest import kept_promises
from tests.formats.test_shares import mixed
from tests.support import foreign_tflite
from tests.support.heard import Heard
from tests.support.raised import raised
from tests.support.tiny_tflite import tiny_tflite


def exported(folder: Path, *made: tuple[str, str, str]) -> list[Exported]:
    """Files of (what they are, format, scheme)."""
    found = []
    for what, format_, scheme in made:
        path = folder / (f"m-{scheme}.{format_}" if format_ != "c" else "model_data.h")
        if what == "float":
            path.write_bytes(foreign_tflite.mlp())
        elif what == "float16":
            path.write_bytes(foreign_tflite.float16_weights())
        elif what == "mixed":
            mixed(path)
        elif what == "header":
            path.write_text("/* */")
        else:
            tiny_tflite(path)
        found.append(Exported(path, format_, scheme, "a test"))
    return found


FLOAT = ("float", "tflite", "float32")


def test_honest_files_stay(tmp_path: Path) -> None:
    made = exported(
        tmp_path, FLOAT, ("float16", "tflite", "float16"), ("int8", "tflite", "dynamic"), ("int8", "tflite", "int8"),
        ("int8", "tflite", "int16x8"), ("header", "c", "int8"),
    )  # fmt: skip
    heard = Heard()
    assert kept_promises(made, heard) == made and not heard.warned
    assert all(item.path.is_file() for item in made)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (
            ("mixed", "tflite", "int8"),
            r"only 33.3% of the bytes of its weights are quantized, expected at least",
        ),
        (("mixed", "tflite", "int4"), r"expected at least 90% of a file called int4; the largest others are `wide`"),
        (("float", "tflite", "int16x8"), r"only 0.0% of the bytes of its weights are quantized"),
        (("float", "tflite", "dynamic"), r"expected some of a file called dynamic"),
        (("float", "tflite", "float16"), r"expected some of a file called float16"),
    ],
)
def test_others_are_left_out_where_something_else_remains(tmp_path: Path, bad: tuple[str, str, str], said: str) -> None:
    good = ("int8", "tflite", "int8") if bad[2] != "int8" else ("int8", "tflite", "dynamic")
    made = exported(tmp_path, FLOAT, good, bad)
    heard = Heard()
    assert kept_promises(made, heard) == made[:2]
    [warning] = heard.warned
    assert heard.codes == ["weights-not-quantized"]
    assert said.replace("\\", "") in warning and warning.startswith(f"m-{bad[2]}.tflite: ")
    assert "the file is left out; " in warning
    assert [item.path.is_file() for item in made] == [True, True, False]


def test_the_header_goes_with_its_file(tmp_path: Path) -> None:
    made = exported(
        tmp_path, FLOAT, ("int8", "tflite", "dynamic"), ("mixed", "tflite", "int8"), ("header", "c", "int8")
    )
    assert kept_promises(made, Heard()) == made[:2]
    assert not made[3].path.exists()


def test_nothing_but_float_files_stops_the_job(tmp_path: Path) -> None:
    made = exported(tmp_path, FLOAT, ("mixed", "tflite", "int8"), ("header", "c", "int8"))
    with raised("weights-not-quantized", "m-int8.tflite", "33.3%", "`wide` (float32, 192 bytes)", "dynamic or float16"):
        kept_promises(made, Heard())


def test_the_hint_for_onnx(tmp_path: Path) -> None:
    from onnx import helper

    from tests.support.tiny_onnx import constant, save, value

    ends = [value("x", [1, 4])], [value("y", [1, 5])]
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    path = save(tmp_path / "m-int8.onnx", [node], *ends, [constant("w", [[1.0] * 5] * 4, "float32")])
    good, heard = exported(tmp_path, ("int8", "tflite", "int8")), Heard()
    assert kept_promises([*good, Exported(path, "onnx", "int8", "a test")], heard) == good
    assert 'formats = ["tflite"]' in heard.warned[0]
