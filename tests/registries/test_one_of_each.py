"""One stage, one scheme and one layer more: where each is found without anything else being changed."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.bundle.recipe import StageSpec, parse
from edgekit.bundle.schemes import SCHEMES, SchemeRow, Source
from edgekit.bundle.stages import STAGES, StageRow
from edgekit.frameworks.layers.register import LAYERS
from edgekit.models import supported
from edgekit.techniques import page
from edgekit.techniques.registry import options_of, resolve
from tests.support.raised import raised

TECHNIQUE = '''
from dataclasses import dataclass

from edgekit.techniques.stage import Trained


@dataclass(frozen=True)
class Shake(Trained):
    """Shake.

    Attributes:
        strength: how much, from 0.
    """

    strength: float = 0.25
'''
SCHEME = "def shaken(converter):\n    pass\n"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of a technique and a scheme, and their rows."""
    (tmp_path / "extra_techniques").mkdir()
    (tmp_path / "extra_techniques" / "__init__.py").write_text("")
    (tmp_path / "extra_techniques" / "shake.py").write_text(TECHNIQUE)
    (tmp_path / "extra_techniques" / "scheme.py").write_text(SCHEME)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(STAGES, "shake", StageRow("extra_techniques.shake:Shake", "weights are shaken", "nothing"))
    row = SchemeRow("extra_techniques.scheme:shaken", Source.FLOAT, "weights shaken")
    monkeypatch.setitem(SCHEMES, "shaken", row)
    return tmp_path


@pytest.mark.usefixtures("package")
def test_a_stage_is_found_by_recipes_and_docs() -> None:
    stage = resolve(StageSpec("shake", {"strength": 1}), "mine")
    assert stage.strength == 1  # type: ignore[attr-defined]
    with raised("key-unknown", "strenth", "strength"):
        resolve(StageSpec("shake", {"strenth": 1}), "mine")
    assert "| `strength` | `0.25` | how much, from 0. |" in page.markdown()


def test_a_stage_is_found_in_the_help() -> None:
    script = (
        "from edgekit.bundle.stages import STAGES; STAGES['shake'] = STAGES['prune'];"
        "from edgekit.cli import compress; import inspect;"
        "print(inspect.signature(compress.command, eval_str=True).parameters['stage'].annotation.__metadata__[0].help)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("finetune, shake.")


@pytest.mark.usefixtures("package")
def test_a_scheme_is_found_by_recipes_exporter_and_docs() -> None:
    from edgekit.export.exporter import plan

    recipe = parse('schema = 1\n[export]\nschemes = ["shaken", "float32"]\nformats = ["tflite"]\n', "mine", "mine.toml")
    assert plan(recipe) == [("tflite", "shaken"), ("tflite", "float32")]
    assert "| `shaken` | weights shaken | tflite | the float model |" in page.markdown()


def test_a_layer_is_found_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    row = dataclasses.replace(LAYERS["Flatten"], channels="keep")
    monkeypatch.setitem(LAYERS, "Shaken", row)
    assert "`Shaken`" in supported.markdown()


def test_every_option_of_every_stage_is_explained() -> None:
    assert not [f"{use}.{option.name}" for use in STAGES for option in options_of(use) if not option.help]
