"""A runtime on a board: the board's own, or one that is copied there. The board is a shell of this machine."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgekit.devices.device import Device, open_device
from edgekit.devices.interpreter import Interpreter, probe
from edgekit.devices.provision import SMOKE, Provision, provision, smoke
from edgekit.devices.targets import find_target
from edgekit.devices.wheels import wheel_set
from edgekit.errors import TargetError
from tests.devices.test_wheels import wheel
from tests.support.heard import Heard
from tests.support.raised import raised
from tests.support.tiny_onnx import tiny_onnx
from tests.support.tiny_tflite import tiny_tflite


@pytest.fixture
def board(home: Path) -> Iterator[Device]:
    with open_device(find_target("rpi4").at("pi@board"), sys.executable) as device:
        yield device


@pytest.fixture
def machine(board: Device) -> Interpreter:
    return probe(board.transport, board.python)


def without(machine: Interpreter, **modules: str | None) -> Interpreter:
    return dataclasses.replace(
        machine, modules={**machine.modules, **{k.replace("_", "-"): v for k, v in modules.items()}}
    )


def test_the_smoke_model_is_made_by_code(tmp_path: Path) -> None:
    assert tiny_tflite(tmp_path / "smoke.tflite").read_bytes() == SMOKE["tflite"].read_bytes()
    assert tiny_onnx(tmp_path / "smoke.onnx").read_bytes() == SMOKE["onnx"].read_bytes()


def test_the_board_s_own_runtime_comes_first(board: Device, machine: Interpreter) -> None:
    found = provision(board, machine, ("tflite-runtime", "ai-edge-litert"))
    assert (found.runtime, found.source, found.folders) == ("ai-edge-litert", "the device's own", ())
    assert board.work.sent_bytes < 100_000
    assert provision(board, machine, ("onnxruntime",)).runtime == "onnxruntime"


def test_wheels_are_copied_once(board: Device, machine: Interpreter, tmp_path: Path) -> None:
    """The wheel's module is a link to the real one, so that it runs here."""
    import ai_edge_litert

    real = Path(ai_edge_litert.__file__).parent.parent
    shelf = tmp_path / "shelf"
    bridge = {"ai_edge_litert/__init__.py": f"__path__ = [{str(real / 'ai_edge_litert')!r}]\n__version__ = '9.9'\n"}
    tag = f"cp311-cp311-manylinux_2_17_{machine.machine}"
    wheel(shelf, "ai_edge_litert", "9.9", tag, bridge)
    heard = Heard()
    bare = without(machine, ai_edge_litert=None)
    found = provision(board, bare, ("ai-edge-litert",), wheels=shelf, progress=heard)
    assert found.source == "wheels from here"
    assert [(w["name"], w["version"]) for w in found.wheels] == [("ai-edge-litert", "9.9")]
    assert any("copying ai-edge-litert there" in line for line in heard.lines)
    sent = board.work.sent_bytes
    heard.lines.clear()
    again = provision(board, bare, ("ai-edge-litert",), wheels=shelf, progress=heard)
    assert again == found
    assert not heard.lines
    assert board.work.sent_bytes - sent < 1000  # the job of the smoke test
    base = Path(board.work.base)  # type: ignore[attr-defined]
    assert not list((base / "files").glob("*.gz"))
    (compiled,) = (base / "runtimes").rglob("*.pyc")
    assert compiled.name == f"__init__.{sys.implementation.cache_tag}.pyc"
    assert compiled.read_bytes()[4:8] == b"\1\0\0\0"  # not checked against its source
    compiled.parent.parent.joinpath("__init__.py").write_text("1/0")  # so that it is seen to be used
    assert smoke(board, again) == ""


@pytest.mark.parametrize("value", [np.nan, np.inf, 7])
def test_what_computes_something_else_is_not_used(board: Device, monkeypatch: pytest.MonkeyPatch, value: float) -> None:
    wrong = {"0": np.full((1, 3), value, np.float32)}
    monkeypatch.setattr("edgekit.devices.provision.run_job", lambda *_, outputs, **__: np.savez(outputs, **wrong))
    assert "where -128, 120, 27 is right" in smoke(board, Provision("ai-edge-litert", ""))


def test_what_crashes_is_not_used(board: Device, machine: Interpreter, home: Path) -> None:
    python = home / "python"
    python.write_text(f'#!/bin/sh\ncase "$3" in *.py) kill -ILL $$;; esac\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    broken = dataclasses.replace(board, python=str(python))
    assert "killed by SIGILL" in smoke(broken, Provision("ai-edge-litert", ""))
    with raised("runtime-missing", "SIGILL", kind=TargetError) as caught:
        provision(broken, machine, ("ai-edge-litert",), wheels=home)
    assert "no runtime works with" in caught.value.message
    assert "this CPU has none of " in caught.value.message
    assert "older version" in caught.value.hint


@pytest.mark.parametrize(
    ("modules", "why"),
    [
        ({"tflite_runtime": "2.14.0", "numpy": "2.1.0"}, "runtime-missing 2.1.0"),
        ({"tflite_runtime": "2.14.0", "numpy": None}, "runtime-missing NumPy"),
        ({"tflite_runtime": None}, "runtime-missing installed"),
    ],
)
def test_modules_that_do_not_serve(
    board: Device, machine: Interpreter, modules: dict[str, str | None], why: str, tmp_path: Path
) -> None:
    with raised(*why.split(), kind=TargetError):
        provision(board, without(machine, **modules), ("tflite-runtime",), wheels=tmp_path)


@pytest.mark.parametrize(("numpy", "why"), [(None, "runtime-missing NumPy"), ("2.0.1", "runtime-missing 2.0.1")])
def test_32_bit_boards_need_their_own_numpy(
    board: Device, machine: Interpreter, tmp_path: Path, numpy: str | None, why: str
) -> None:
    shelf = tmp_path / "shelf"
    wheel(shelf, "tflite_runtime", "2.14.0", "cp311-cp311-manylinux_2_34_armv7l", {})
    pi32 = Interpreter((3, 11, 2), "CPython", "armv7l", 32, (2, 36), {"numpy": numpy, "tflite-runtime": None})
    with raised(*why.split(), kind=TargetError) as caught:
        provision(board, pi32, ("tflite-runtime",), wheels=shelf)
    assert "apt install python3-numpy" in caught.value.hint
    assert "ERROR" not in caught.value.message
    new = dataclasses.replace(pi32, version=(3, 13, 5))
    with raised("runtime-missing", "tflite-runtime", kind=TargetError) as caught:
        provision(board, new, ("tflite-runtime",), wheels=shelf)
    assert "up to Python 3.11" in caught.value.hint
    assert wheel_set("tflite-runtime", pi32, shelf).wheels
