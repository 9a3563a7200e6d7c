"""Options as they are typed."""

from __future__ import annotations

import pytest

from edgekit.cli import app
from edgekit.cli.entry import run
from edgekit.cli.options import parts
from edgekit.schema.units import celsius, seconds
from tests.support.raised import raised


def test_only_is_read_with_commas_and_given_again() -> None:
    assert parts(None) == ()
    assert parts(["tflite,int8"]) == parts(["tflite", "int8"]) == ("tflite", "int8")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500ms", 0.5), ("0.5", 0.5), (".5s", 0.5), ("90", 90), ("90s", 90), ("5m", 300), ("5min", 300), ("5 min", 300),
        ("1h", 3600), ("1.5h", 5400), ("0", 0),
    ],
)  # fmt: skip
def test_times(text: str, expected: float) -> None:
    assert seconds(text, "--timeout") == pytest.approx(expected)


@pytest.mark.parametrize(
    "text",
    ["5mm", "500mss", "5M", "5hours", "1h30m", "s", "", "-5", "inf", "nan", "1e3s", "1_0", "٥s", "5us", "1/2h", "5,5s"],
)
def test_what_is_no_time(text: str) -> None:
    with raised("option-malformed", f"--timeout {text}", "500ms, 90s, 5m, 1h"):
        seconds(text, "--timeout")


def test_temperatures() -> None:
    assert [celsius(text, "--cool-below") for text in ("60", "60C", "60c", "60.5 °C")] == [60, 60, 60, 60.5]
    for text in ("hotC", "60cc", "140F", "333k", "-5C", "1/2", ""):
        with raised("option-malformed", f"--cool-below {text}", "60 or 60C"):
            celsius(text, "--cool-below")


@pytest.mark.parametrize("option", ["--min-seconds", "--timeout", "--cool-timeout"])
def test_every_option_that_is_a_time_takes_units(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, "edgekit", ["bench", "nothing.tflite", option, "5mm"]) == 1
    error = capsys.readouterr().err
    assert f"{option} 5mm" in error
    assert "[option-malformed]" in error
    assert run(app, "edgekit", ["bench", "nothing.tflite", option, "1500h"]) == 1
    assert f"{option} 5400000.0 seconds: expected 0" in capsys.readouterr().err
