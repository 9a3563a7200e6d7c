"""The entry point in process: how exceptions become exit codes."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer

from edgekit.cli.entry import run
from edgekit.errors import ConversionError
from edgekit.files import temporary
from edgekit.processes import interruptions


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_native_code_may_wrap_an_interruption(capsys: pytest.CaptureFixture[str], number: int, code: int) -> None:
    def app(arguments: object) -> None:
        try:
            signal.raise_signal(number)
        except BaseException as error:
            raise ConversionError("the converter failed") from error

    before = [signal.getsignal(name) for name in interruptions.SIGNALS]
    assert run(app, "edgekit") == code
    assert [signal.getsignal(name) for name in interruptions.SIGNALS] == before
    name = signal.Signals(number).name
    assert capsys.readouterr().err == f"edgekit: interrupted by {name}; nothing was left half-written\n"


def test_an_interruption_that_a_library_swallows_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruptions, "AGAIN_SECONDS", 0.02)
    reached = []

    def app(arguments: object) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except BaseException:  # as in `try: import something; except: pass`
            reached.append("swallowed")
        time.sleep(20)
        reached.append("went on")

    assert run(app, "edgekit") == 143
    assert reached == ["swallowed"]


def test_an_interruption_in_a_destructor_comes_again_and_is_not_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interruptions, "AGAIN_SECONDS", 0.02)

    class Thing:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    def app(arguments: object) -> None:
        things = [Thing()]
        things.clear()
        time.sleep(20)

    before = sys.unraisablehook
    assert run(app, "edgekit") == 130
    assert capsys.readouterr().err.splitlines() == ["edgekit: interrupted by SIGINT; nothing was left half-written"]
    assert sys.unraisablehook is before


def test_tidying_up_is_not_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruptions, "AGAIN_SECONDS", 0.02)
    tidied = []

    @contextmanager
    def folder() -> Iterator[None]:
        try:
            yield
        finally:
            signal.raise_signal(signal.SIGTERM)
            try:
                raise OSError
            except OSError:
                time.sleep(0.1)
            tidied.append(True)

    def app(arguments: object) -> None:
        with folder():
            signal.raise_signal(signal.SIGINT)

    assert run(app, "edgekit") == 130
    assert tidied
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_who_insists_need_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = []
    monkeypatch.setattr(interruptions, "IMPATIENT_SECONDS", -1)
    monkeypatch.setattr(os, "_exit", codes.append)

    def app(arguments: object) -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)

    assert run(app, "edgekit") == 130
    assert codes == [130]


def test_nohup_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run(lambda _: signal.raise_signal(signal.SIGHUP), "edgekit") == 0
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_temporaries_of_libraries_go_with_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(temporary, "_process", temporary._Process())

    def app(arguments: object) -> None:
        temporary.claim()
        Path(tempfile.mkdtemp(), "saved_model").touch()
        assert list(tmp_path.iterdir())
        signal.raise_signal(signal.SIGHUP)

    assert run(app, "edgekit") == 129
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("how", ["write", "flush"])
@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (errno.EPIPE, 141, ""),
        (errno.ENOSPC, 1, "edgekit: stdout: the output cannot be written: No space left on device\n"),
    ],
)
def test_an_output_that_nobody_takes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, how: str, number: int, code: int, said: str
) -> None:
    class Stream(io.StringIO):
        pass

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    setattr(Stream, how, fail)
    stream = Stream()
    monkeypatch.setattr(sys, "stdout", stream)
    app = typer.Typer()
    app.command()(lambda: typer.echo("result"))
    assert run(lambda _: app([]), "edgekit") == code
    assert sys.stdout is stream
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("redirection", "code"),
    [
        ("| true", 141),
        (">&-", 0),
        (">&- 2>&-", 0),
        ("<&- >&- 2>&-", 0),
        (">/dev/full", 1),
        (">/dev/full 2>/dev/full", 1),
    ],
)
def test_standard_streams_that_are_not_there(tmp_path: Path, redirection: str, code: int) -> None:
    script = f'"$0" -m edgekit recipes {redirection}; exit ${{PIPESTATUS[0]}}'
    env = {**os.environ, "PYTHONWARNINGS": "default"}
    done = subprocess.run(["bash", "-c", script, sys.executable], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_the_next_file_is_not_taken_for_a_closed_stream(tmp_path: Path) -> None:
    script = (
        "import os, sys; from edgekit.__main__ import open_streams; open_streams(); f = open(sys.argv[1], 'w'); "
        "print('not for the file'); print('nor this', file=sys.stderr); os.write(1, b'x'), os.write(2, b'y'); f.close()"
    )
    subprocess.run(
        ["sh", "-c", '"$0" -c "$1" "$2" <&- >&- 2>&-', sys.executable, script, tmp_path / "file"], check=True
    )
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_before_anything_is_imported(number: signal.Signals) -> None:
    script = f"""
import signal, sys
from edgekit.__main__ import start
class Finder:
    def find_spec(self, name, *rest):
        if name == "typer":
            signal.raise_signal({int(number)})
sys.meta_path.insert(0, Finder())
start()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 128 + number
    assert done.stderr == f"edgekit: interrupted by {number.name}\n"


def test_an_explained_failure(capsys: pytest.CaptureFixture[str]) -> None:
    def app(arguments: object) -> None:
        raise ConversionError("it failed", "try again")

    assert run(app, "study") == 1
    assert capsys.readouterr().err == "study: it failed\n  hint: try again\n"


@pytest.mark.parametrize(("code", "returned"), [(None, 0), (0, 0), (3, 3)])
def test_an_exit_code_is_passed_on(code: int | None, returned: int) -> None:
    def app(arguments: object) -> None:
        raise SystemExit(code)

    assert run(app, "edgekit") == returned


def test_a_fault_of_edgekit_is_not_hidden() -> None:
    def app(arguments: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(app, "edgekit")
