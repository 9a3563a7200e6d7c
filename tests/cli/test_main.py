"""The entry point in process: how exceptions become exit codes."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from edgekit.cli.entry import run
from edgekit.errors import ConversionError


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_native_code_may_wrap_an_interruption(number: int, code: int) -> None:
    def app(arguments: object) -> None:
        try:
            signal.raise_signal(number)
        except BaseException as error:
            raise ConversionError("the converter failed") from error

    assert run(app, "edgekit") == code


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
