"""What commands print: nothing from a file moves the cursor or makes a line of its own."""

from __future__ import annotations

import ast
import io
import json
import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import edgekit.cli
import edgekit.reporting
from benchmarks.hostile.mutations import replaced
from edgekit.api.console import Console
from edgekit.api.rows import Record as ShownRecord
from edgekit.bundle.records import Record, read_record
from edgekit.cli import OVERVIEW, app, overview
from edgekit.cli.entry import run
from edgekit.cli.terminal import Guard, guarded
from edgekit.errors import InputError
from edgekit.errors.printable import lines, name_fault, plain_name, quoted, visible
from edgekit.export.c_header import write_header
from edgekit.progress import SILENT
from edgekit.schema.toml import to_toml
from edgekit.text.tables import table

HOSTILE = "a\x1b[31mb\x07\x9b2J\u202ec\nedgekit: done\r\u2028\ud800\x7f\t"
SEEN = r"a\x1b[31mb\x07\x9b2J\u202ec\nedgekit: done\r\u2028\ud800\x7f\t"
SESSION = Path(__file__).parents[1] / "report" / "session.json"


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def texts(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, str):
        yield path
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from texts(item, (*path, key))


def test_controls_become_escapes_and_everything_else_stays() -> None:
    assert visible(HOSTILE) == SEEN
    assert visible("naïve 模型 x × 2 → 3 µs\u00a0é\u0301 🙂") == "naïve 模型 x × 2 → 3 µs\u00a0é\u0301 🙂"
    assert lines(["one\ntwo", "three"]) == "one\\ntwo\nthree"
    assert quoted("x" * 1000) == '"' + "x" * 60 + '…"'
    assert len(quoted(10**10000)) < 60


def test_a_cell_makes_no_row() -> None:
    assert len(table(["a", HOSTILE], [[HOSTILE, "x"], ["y", "z"]]).split("\n")) == 4


def before_drawings(out: str) -> list[str]:
    """Return the lines of a report up to its drawings, whose legends have more lines where names are longer."""
    return out.partition("against size, capitals")[0].splitlines()


def test_hostile_texts_everywhere_in_a_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    value = json.loads(SESSION.read_text())
    assert run(app, "edgekit", ["report", str(SESSION)]) == 0
    expected = len(before_drawings(capsys.readouterr().out))
    assert expected > len(SESSION.with_suffix(".txt").read_text().splitlines())
    rows = 0
    path = tmp_path / "run.json"
    text = HOSTILE.replace("\ud800", "")
    kinds = {tuple(key for key in place if isinstance(key, str)): place for place in texts(value)}
    for place in kinds.values():
        changed = replaced(value, place, text)
        path.write_text(json.dumps(changed))
        try:
            read_record(path)
        except InputError:
            continue  # names, kinds and the like
        assert run(app, "edgekit", ["report", str(path)]) == 0
        out = capsys.readouterr().out
        assert visible(out, "\n") == out
        assert len(before_drawings(out)) == expected
        rows += 1
        if rows % 5:
            continue
        record = ShownRecord.of(Record.from_dict(changed, "x"))
        assert visible(repr(record), "\n") == repr(record)
    assert rows > 20


def test_an_error_is_one_line_and_its_hint_another(capsys: pytest.CaptureFixture[str]) -> None:
    def failing(arguments: object) -> None:
        raise InputError(HOSTILE, HOSTILE)

    assert run(failing, "edgekit") == 1
    assert capsys.readouterr().err == f"edgekit: {SEEN}\n  hint: {SEEN}\n"


def test_what_others_print_is_guarded(capsys: pytest.CaptureFixture[str]) -> None:
    with guarded():
        print(HOSTILE)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            sys.stderr.write(f"{HOSTILE}\n")
    captured = capsys.readouterr()
    assert captured.out == captured.err == SEEN.replace(r"\n", "\n").replace(r"\t", "\t") + "\n"


def test_an_encoding_that_lacks_a_character() -> None:
    inner = io.TextIOWrapper(io.BytesIO(), "ascii")
    Guard(inner).write("→ é\n")
    inner.flush()
    assert inner.buffer.getvalue() == b"\\u2192 \\xe9\n"  # type: ignore[attr-defined]


def test_progress_is_lines(capfd: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.notify(HOSTILE)
    console.warn(HOSTILE)
    with console.task(HOSTILE, 1) as task:
        task.advance(HOSTILE)
    assert capfd.readouterr().err == f"{SEEN}\nwarning: {SEEN}\n  {SEEN} 1/1  {SEEN}\n"


@pytest.mark.parametrize(
    "argv",
    [
        ["report", "--\x1b[31m"], ["\x1b[31m"], ["report", "\x1b[31m"], ["recipes", "\x1b[31m"], ["push", "\x1b"],
        ["inspect", "\u202e"], ["targets", "show", "\x9b"], ["bench", "x", "--threads", "\x1b"], ["report", "\udcff"],
    ],
)  # fmt: skip
def test_arguments_are_shown_with_escapes(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, "edgekit", argv) in (1, 2)
    captured = capsys.readouterr()
    assert visible(captured.err, "\n") == captured.err != ""


LONG = "n" * 300


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["report", LONG], 2), (["push", LONG, "--target", "desktop"], 2), (["bench", LONG], 2), (["inspect", LONG], 2),
        (["compress", LONG], 2), (["compress", "x.keras", "-o", LONG], 2), (["bench", "x", "--out", LONG], 2),
        (["init", LONG], 2), (["report", "/".join(["d" * 200] * 30)], 2), (["recipes", LONG], 1),
        (["targets", "show", f"{LONG}.toml"], 1), (["report", "a\0b"], 1),
    ],
)  # fmt: skip
def test_paths_that_no_system_takes(argv: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, "edgekit", argv) == code
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "option",
    [
        ("--pin", "0-9999999999"), ("--pin", "1" * 5000), ("--threads", "9" * 5000), ("--threads", "²"),
        ("--processes", "9" * 30), ("--min-samples", "20000"), ("--min-seconds", "nan"), ("--timeout", "inf"),
        ("--timeout", "1e300"), ("--cool-timeout", "1e300h"), ("--cool-timeout", "inf"), ("--cool-below", "nan"),
        ("--input-shape", "x=" + "9" * 5000), ("--input-shape", "x=1" + ",1" * 100), ("--scale", "1e-320"),
    ],
)  # fmt: skip
def test_numbers_out_of_all_proportion(option: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, "edgekit", ["bench", "none.tflite", *option]) in (1, 2)
    said = capsys.readouterr().err
    assert "none.tflite" not in said, "looked for the file first"
    assert len(said) < 400


def test_the_commands_print_in_one_place() -> None:
    for path in Path(edgekit.cli.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and path.name not in ("terminal.py", "console.py"):
                called = ast.unparse(node.func)
                assert called not in ("print", "typer.echo", "typer.secho", "sys.stdout.write"), (
                    f"{path.name}: {called}"
                )


def test_pages_join_their_lines_in_one_place() -> None:
    pages = list(Path(edgekit.reporting.__file__).parent.glob("*.py"))
    assert len(pages) > 1
    for path in pages:
        assert '"\\n".join' not in path.read_text(), f"{path.name}: use edgekit.errors.printable.lines"


@pytest.mark.parametrize("text", [HOSTILE, "../x", "", "-rf", ".ssh", "é" * 300, 'a"b', "a b"])
def test_made_names_are_plain(text: str) -> None:
    assert name_fault(plain_name(text)) is None


def test_a_name_cannot_leave_a_comment_or_a_string(tmp_path: Path) -> None:
    import tomllib

    model = tmp_path / "a\n#define X \\"
    model.write_bytes(b"12")
    write_header(tmp_path / "h", model, "a*/\nint x;", SILENT)
    text = (tmp_path / "h").read_text()
    assert (
        text.splitlines()[0]
        == "/* a/n#define X / (2 bytes) as an array, made by edgekit. Include it in one source file. */"
    )
    assert "int x" not in text
    hostile = HOSTILE.replace("\ud800", "") + '"""\\'
    assert tomllib.loads(f"a = {to_toml(hostile)}")["a"] == hostile


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], []])
def test_the_quick_overview_is_the_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert arguments in OVERVIEW
    run(app, "edgekit", arguments)
    whole = capsys.readouterr()
    run(overview(), "edgekit", arguments)
    assert capsys.readouterr() == whole
    assert "compress" in whole.out + whole.err
