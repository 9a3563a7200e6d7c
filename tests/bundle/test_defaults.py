"""`[tool.edgekit]` of pyproject.toml: defaults of options, typed, checked, and never run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgekit.bundle.defaults import TYPED, Commands, Defaults, Option, read_defaults
from tests.support.raised import raised

COMMANDS: Commands = {
    "bench": {
        "threads": Option(str),
        "target": Option(str, several=True),
        "min_samples": Option(int),
        "latency": Option(bool),
        "margin": Option(float),
        "out": Option(Path),
        "runtime": Option(str, choices=("ai-edge-litert", "tflite-runtime")),
        "data": Option(str),
        **{name: Option(str) for name in TYPED},
    },
    "targets": {"check": {"host": Option(str)}},
}


def given(folder: Path, text: str) -> Defaults:
    (folder / "pyproject.toml").write_text(text)
    return read_defaults(folder, COMMANDS)


def test_values_as_they_are_typed(tmp_path: Path) -> None:
    found = given(
        tmp_path,
        """
        [project]
        name = "x"
        [tool.edgekit.bench]
        threads = [1, 4]
        target = ["rpi4", "desktop"]
        min-samples = 200
        latency = false
        margin = 1
        out = "records"
        runtime = "tflite-runtime"
        data = "mnist"
        [tool.edgekit.targets.check]
        host = "pi@10.0.0.7"
        """,
    )
    assert found.path == tmp_path / "pyproject.toml"
    assert found.options == {
        "bench": {
            "threads": "1,4", "target": ["rpi4", "desktop"], "min_samples": 200, "latency": False, "margin": 1.0,
            "out": tmp_path / "records", "runtime": "tflite-runtime", "data": "mnist",
        },
        "targets": {"check": {"host": "pi@10.0.0.7"}},
    }  # fmt: skip


@pytest.mark.parametrize(("text", "value"), [("4", "4"), ("0.5", "0.5"), ("'a,b'", "a,b"), ("[0.5, 1]", "0.5,1")])
def test_text_options_take_numbers(tmp_path: Path, text: str, value: str) -> None:
    assert given(tmp_path, f"tool.edgekit.bench.threads = {text}").options == {"bench": {"threads": value}}
    assert given(tmp_path, f"tool.edgekit.bench.target = {text}").options["bench"]


def test_absolute_paths_and_homes_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    for text, path in (("/var/records", "/var/records"), ("~/records", "/home/somebody/records")):
        assert given(tmp_path, f"tool.edgekit.bench.out = '{text}'").options == {"bench": {"out": Path(path)}}


def test_the_nearest_file_is_read_and_no_other(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    given(tmp_path, "tool.edgekit.bench.min-samples = 1")
    assert read_defaults(inner, COMMANDS).options == {"bench": {"min_samples": 1}}
    (tmp_path / "a" / "pyproject.toml").write_text("[project]\nname = 'inner'\n")
    assert read_defaults(inner, COMMANDS) == Defaults()


@pytest.mark.parametrize("text", ["", "[tool.ruff]\nline-length = 1", "broken = [", "\x00", "tool = 3"])
def test_files_that_say_nothing_of_edgekit_are_left_alone(tmp_path: Path, text: str) -> None:
    assert given(tmp_path, text) == Defaults()


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    given(tmp_path, "tool.edgekit.bench.min-samples = 1")
    for name, make in (("pipe", os.mkfifo), ("folder", os.mkdir)):
        (tmp_path / name).mkdir()
        make(tmp_path / name / "pyproject.toml")
        assert read_defaults(tmp_path / name, COMMANDS).path == tmp_path / "pyproject.toml"


@pytest.mark.parametrize(
    ("text", "code", "names"),
    [
        ("tool.edgekit = 3", "value-wrong-type", ("`tool.edgekit` is 3", "a table")),
        ("tool.edgekit.bench = []", "value-wrong-type", ("`tool.edgekit.bench`",)),
        ("tool.edgekit.bnech.threads = 1", "key-unknown", ("`tool.edgekit.bnech`", "`bench`")),
        ("tool.edgekit.bench.min-sample = 1", "key-unknown", ("`tool.edgekit.bench.min-sample`", "`min-samples`")),
        ("tool.edgekit.threads = 1", "key-unknown", ("`tool.edgekit.threads`",)),
        ("tool.edgekit.bench.min-samples = 1\ntool.edgekit.bench.min_samples = 2", "key-twice", ("min_samples",)),
        ("tool.edgekit.bench.min-samples = '200'", "value-wrong-type", ('"200"', "an integer")),
        ("tool.edgekit.bench.min-samples = true", "value-wrong-type", ("true", "an integer")),
        ("tool.edgekit.bench.min-samples = 99999999999999999999999", "value-wrong-type", ("min-samples",)),
        ("tool.edgekit.bench.latency = 1", "value-wrong-type", ("`tool.edgekit.bench.latency` is 1", "true or false")),
        ("tool.edgekit.bench.margin = nan", "value-wrong-type", ("nan", "a number")),
        ("tool.edgekit.bench.threads = ['1']", "value-wrong-type", ("threads",)),
        ("tool.edgekit.bench.threads = {a = 1}", "value-wrong-type", ("threads",)),
        ("tool.edgekit.bench.out = 3", "value-wrong-type", ("out", "a path")),
        ("tool.edgekit.bench.out = ''", "value-wrong-type", ("out", "a path")),
        ("tool.edgekit.bench.target = [true]", "value-wrong-type", ("target", "true")),
        (f"tool.edgekit.bench.target = [{'1,' * 1001}]", "value-out-of-range", ("1001", "1000")),
        ('tool.edgekit.bench.threads = "\\u001b[31m"', "text-not-printable", (r"\x1b",)),
        ("tool.edgekit.bench.runtime = 'tflite'", "unknown-name", ('"tflite"', "`tflite-runtime`")),
    ],
)
def test_what_is_no_default(tmp_path: Path, text: str, code: str, names: tuple[str, ...]) -> None:
    with raised(code, *names) as caught:
        given(tmp_path, text)
    assert caught.value.message.startswith(f"{tmp_path}/pyproject.toml: ")


@pytest.mark.parametrize("name", sorted(TYPED))
def test_what_runs_code_or_trusts_is_typed(tmp_path: Path, name: str) -> None:
    option = name.replace("_", "-")
    with raised("default-only-typed", f"`tool.edgekit.bench.{option}`", f"--{option}"):
        given(tmp_path, f"tool.edgekit.bench.{option} = true")


@pytest.mark.parametrize("text", ["data.py:load", "./a/data.py:load", "package.module:load"])
def test_functions_are_typed(tmp_path: Path, text: str) -> None:
    with raised("default-only-typed", "`tool.edgekit.bench.data`", text, "--data"):
        given(tmp_path, f"tool.edgekit.bench.data = '{text}'")


def test_hostile_files(tmp_path: Path) -> None:
    with raised("not-toml", "pyproject.toml"):
        given(tmp_path, "edgekit = [")
    with raised("file-too-large", "1 MiB"):
        given(tmp_path, "# edgekit" + "x" * (1 << 20))
    with raised("nested-too-deep", "64"):
        given(tmp_path, f"tool.edgekit = {'[' * 70}{']' * 70}")
    with raised("nested-too-deep", "64"):
        given(tmp_path, "tool.edgekit" + ".a" * 100 + " = 1")
