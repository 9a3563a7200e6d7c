"""The entry point in process: how exceptions become exit codes."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from edgekit import cli
from edgekit.errors import ConversionError


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    cli._interrupted.clear()
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_native_code_may_wrap_an_interruption(monkeypatch: pytest.MonkeyPatch, number: int, code: int) -> None:
    def app() -> None:
        try:
            signal.raise_signal(number)
        except BaseException as error:
            raise ConversionError("the converter failed") from error

    monkeypatch.setattr(cli, "app", app)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == code


def test_an_explained_failure(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def app() -> None:
        raise ConversionError("it failed", "try again")

    monkeypatch.setattr(cli, "app", app)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 1
    assert capsys.readouterr().err == "edgekit: it failed\n  hint: try again\n"


def test_a_fault_of_edgekit_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def app() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "app", app)
    with pytest.raises(ZeroDivisionError):
        cli.main()
