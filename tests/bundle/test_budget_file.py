"""What a budget holds files to, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.bundle.budget_file import BudgetFile, read_budget
from tests.support.raised import raised

GOLDEN = Path(__file__).parents[1] / "golden" / "budget.1.toml"
INT8 = ("m-int8.tflite", "tflite", "int8")


def written(folder: Path, text: str) -> Path:
    path = folder / "budget.toml"
    path.write_text(text)
    return path


def test_units_are_read() -> None:
    budget = read_budget(GOLDEN)
    assert budget.limits() == {"max_size": 100_000, "min_accuracy": pytest.approx(0.985)}
    assert budget.limits_of(INT8, "rpi4") == {
        "max_size": 100_000, "min_accuracy": pytest.approx(0.985), "max_drop": 0.5, "max_growth": 0.02,
        "max_latency": 15, "max_latency_p90": 20, "max_slowdown": 0.05, "max_memory": 8_000_000, "max_error": 3,
    }  # fmt: skip
    assert set(budget.limits_of(("m.onnx", "onnx"), "desktop")) == {"max_size", "min_accuracy"}
    assert set(budget.limits_of(("m.onnx", "onnx"), None)) == {"max_size", "min_accuracy"}


def test_what_wins(tmp_path: Path) -> None:
    text = """schema = 1
max_size = 1
[file."m-*"]
max_size = 3
[file.int8]
max_size = 4
[target.rpi4]
max_size = 2
[target.rpi4.file.tflite]
max_size = 5
"""
    budget = read_budget(written(tmp_path, text))
    for names, target, size in (
        (("x.tflite", "tflite"), "desktop", 1), (("x.onnx", "onnx"), "rpi4", 2), (("m-a.onnx", "onnx"), "rpi4", 3),
        (INT8, "desktop", 4), (INT8, "rpi4", 5),
    ):  # fmt: skip
        assert budget.limits_of(names, target) == {"max_size": size}


def test_tables_that_hold_for_nothing(tmp_path: Path) -> None:
    budget = read_budget(GOLDEN)
    assert budget.unused({INT8: {"rpi4"}}) == []
    assert budget.unused({("m.onnx", "onnx", "int8"): {"rpi4"}}) == ['[file."*-int8.tflite"]']
    assert budget.unused({INT8: {"desktop"}}) == ["[target.rpi4]", "[target.rpi4.file.int8]"]
    assert BudgetFile().unused({}) == []


@pytest.mark.parametrize(
    ("text", "code", "names"),
    [
        ("max_size = 1", "schema-missing", ["begin the file with: schema = 1"]),
        ("schema = 1\nmax_sise = 1", "key-unknown", ["`max_sise`", "did you mean `max_size`?"]),
        ("schema = 1\n[target.rpi4]\nmax_latnecy = 1", "key-unknown", ["`target.rpi4.max_latnecy`", "`max_latency`"]),
        ('schema = 1\nmax_size = "60 kilo"', "value-not-valid", ["`max_size`", '"60 kilo"', "60kB"]),
        ('schema = 1\nmax_latency = "5kB"', "value-not-valid", ["`max_latency`", "a latency"]),
        ("schema = 1\nmax_size = 0", "value-out-of-range", ["`max_size` is 0", "above 0"]),
        ("schema = 1\nmax_drop = -0.5", "value-out-of-range", ["`max_drop` is -0.5", "of at least 0"]),
        ("schema = 1\nmax_latency = nan", "value-out-of-range", ["`max_latency`"]),
        ("schema = 1\nmax_size = true", "value-wrong-type", ["`max_size` is true"]),
        ("schema = 1\n[target.\"../x\"]\nmax_size = 1", "value-not-valid", ["`target`", "../x"]),
        ("schema = 1\n[file.\"a\\nb\"]\nmax_size = 1", "text-not-printable", ["`file`", "a\\nb"]),
        ("schema = 1\nmax_size = [", "not-toml", ["budget.toml"]),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path: Path, text: str, code: str, names: list[str]) -> None:
    with raised(code, *names):
        read_budget(written(tmp_path, text))


def test_no_file() -> None:
    with raised("file-missing", "none.toml"):
        read_budget(Path("none.toml"))


def test_zero_is_a_limit_of_differences_only(tmp_path: Path) -> None:
    text = "schema = 1\nmax_drop = 0\nmax_slowdown = 0\nmax_growth = 0\n"
    assert read_budget(written(tmp_path, text)).limits() == {"max_drop": 0, "max_slowdown": 0, "max_growth": 0}
