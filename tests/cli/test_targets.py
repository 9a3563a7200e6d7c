"""The commands that reach devices, as typed; the board is a shell of this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Edgekit, Inside
from tests.support.tiny_tflite import tiny_tflite

QUICK = ["--processes", "1", "--min-samples", "5", "--min-seconds", "0"]


@pytest.fixture
def at_board(edgekit: Edgekit, home: Path) -> Edgekit:
    edgekit.env |= {"PATH": os.environ["PATH"], "EDGEKIT_TEST_HOME": str(home), "EDGEKIT_RPI4_HOST": "pi@board"}
    return edgekit


def test_list_show_and_init(inside: Inside, tmp_path: Path) -> None:
    assert "pi@raspberrypi.local" in inside("targets", "list").stdout
    shown = inside("targets", "show", "rpi5").stdout
    assert 'cpu = "Cortex-A76"' in shown
    inside("targets", "init", "rpi5", "--as", "mine", "--host", "me@10.0.0.9:2200")
    assert "port = 2200" in (tmp_path / "targets" / "mine.toml").read_text()
    assert "me@10.0.0.9" in inside("targets", "list").stdout
    again = inside("targets", "init", "rpi5", "--as", "mine", check=1)
    assert "exists" in again.stderr


def test_a_check(at_board: Edgekit) -> None:
    done = at_board("targets", "check", "rpi4", "--python", sys.executable)
    assert "a tiny model ran" in done.stdout
    done = at_board("targets", "check", "rpi4", "--python", "no-such-python", check=1)
    assert "   error  device: pi@board: there is no `no-such-python`" in done.stdout
    assert "→ install it there" in done.stdout


@pytest.mark.e2e
def test_measuring_on_a_board(at_board: Edgekit, tmp_path: Path, home: Path) -> None:
    tiny_tflite(tmp_path / "m.tflite")
    x = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 1), dtype=np.uint8)
    np.savez(tmp_path / "toy.npz", x_train=x[:6], y_train=np.arange(6) % 3, x_test=x, y_test=np.arange(40) % 3)
    argv = ["bench", "m.tflite", "--target", "rpi4", "--data", "toy.npz", "--python", sys.executable, *QUICK]
    done = at_board(*argv, "--clean")
    assert "equal" in done.stdout
    assert "rpi4 expects" in done.stderr or "should be aarch64" in done.stderr
    assert not (home / ".cache" / "edgekit").exists()
    (record,) = (tmp_path / "edgekit-records").iterdir()
    assert "vs host" in at_board("report", record).stdout
    both = at_board(*argv, "--target", "desktop")
    assert both.stdout.startswith("target")
    assert both.stdout.count("\nrecord: ") == 2


def test_pushing(at_board: Edgekit, tmp_path: Path, home: Path) -> None:
    model = tiny_tflite(tmp_path / "m.tflite")
    done = at_board("push", "m.tflite", "--target", "rpi4", "--dest", "models/now")
    assert str(home / "models" / "now" / "m.tflite") in done.stdout
    assert (home / "models" / "now" / "m.tflite").read_bytes() == model.read_bytes()
    assert "already there" in at_board("push", "m.tflite", "--target", "rpi4", "--dest", "models/now").stdout


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["bench", "m.tflite", "--target", "rpi9"], "unknown target `rpi9`"),
        (["bench", "m.tflite", "--target", "rpi4", "--target", "rpi4"], "--target rpi4` is given twice"),
        (["bench", "m.tflite", "--target", "rpi4", "--target", "rpi5", "--host", "x"], "are for one target"),
        (["bench", "m.tflite", "--host", "pi@board"], "[option-not-for-target]"),
        (["bench", "m.tflite", "--target", "ssh"], "has no address"),
        (["bench", "m.tflite", "--cool-below", "warm"], "--cool-below warm`: expected degrees Celsius"),
        (["bench", "m.tflite", "--cool-timeout", "-5m"], "--cool-timeout -5m`: expected a time"),
        (["bench", "m.tflite", "--target", "rpi4-emulated"], "the emulated board is not running"),
        (["push", "none", "--target", "desktop"], "none"),
        (["targets", "show", "rpi9"], "unknown target `rpi9`"),
        (["targets", "init", "rpi4", "--as", "a/b"], "a target's name"),
    ],
)
def test_what_is_refused(inside: Inside, tmp_path: Path, argv: list[str], message: str) -> None:
    tiny_tflite(tmp_path / "m.tflite")
    done = inside(*argv, check=1)
    assert message in done.stderr


def test_the_emulated_board_is_not_up(inside: Inside) -> None:
    assert "not running" in inside("targets", "emulate", "status", check=1).stdout
    assert "was not running" in inside("targets", "emulate", "down").stdout
