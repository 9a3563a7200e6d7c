"""`edgekit doctor`: what is installed here, and what of it works."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from edgekit.cli import app
from edgekit.cli.entry import run
from edgekit.devices import this_machine
from edgekit.devices.this_machine import CHECKS, Check, examine_here


def check(what: str) -> Check:
    return next(check for function in CHECKS if (check := function()).what == what)


def test_this_machine_works(tmp_path: Path) -> None:
    machine = examine_here()
    checks = {check.what: check for check in machine.checks}
    assert checks["TFLite"].state == "ok"
    assert machine.packages["ai-edge-litert"] in checks["TFLite"].text
    assert checks["cache folder"].state in ("ok", "warning")
    assert {check.state for check in machine.checks} <= {"ok", "absent", "warning", "unknown"}
    assert "tensorflow" not in sys.modules or "tensorflow" in machine.packages
    assert not machine.broken


def test_what_is_not_installed_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(this_machine, "_version", lambda package: "")
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    machine = examine_here()
    states = {check.what: check.state for check in machine.checks}
    assert [states[what] for what in ("TFLite", "ONNX", "compress", "ssh", "adb", "emulated board")] == ["absent"] * 6
    assert all(check.mend for check in machine.checks if check.state == "absent")
    assert not machine.broken
    assert machine.packages == {}


def test_a_part_of_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(this_machine, "_version", lambda package: "" if package == "tf2onnx" else "1.0")
    assert check("compress").state == "warning"
    assert "tf2onnx" in check("compress").text


def test_a_runtime_that_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(this_machine, "smoke", lambda *_: "the runner was killed by SIGILL")
    assert check("TFLite").state == "broken"
    assert "SIGILL" in check("TFLite").text


def test_a_tool_that_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "adb").write_text("#!/bin/sh\necho no such library >&2\nexit 127\n")
    (tmp_path / "adb").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert check("adb").state == "broken"
    assert "no such library" in check("adb").text


def test_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    checks = [Check("TFLite", "ok", "ran"), Check("ONNX", "broken", "died", "install it again")]
    monkeypatch.setattr(this_machine, "CHECKS", [lambda: checks[0]])
    assert run(app, "edgekit", ["doctor"]) == 0
    text = capsys.readouterr().out
    assert all(part in text for part in ("edgekit ", "numpy ", "TFLite"))
    assert str(Path.home()) not in text
    monkeypatch.setattr(this_machine, "CHECKS", [lambda: checks[0], lambda: checks[1]])
    assert run(app, "edgekit", ["doctor"]) == 1
    assert "→ install it again" in capsys.readouterr().out
    assert run(app, "edgekit", ["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["checks"][1] == {"what": "ONNX", "state": "broken", "text": "died", "mend": "install it again"}
    assert found["packages"]["numpy"]
