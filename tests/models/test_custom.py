"""`--custom module:NAME`: importing, registering, refusing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.models.files.custom import register
from tests.support.raised import raised

pytestmark = pytest.mark.tensorflow

LAYERS = """
import {keras} as keras

@keras.saving.register_keras_serializable(package="mine")
class Twice(keras.layers.Layer):
    def call(self, x):
        return x * 2

class Half(keras.layers.Layer):
    def call(self, x):
        return x / 2

def bent(x):
    return keras.activations.relu(x) + x

class Whole(keras.Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.dense = keras.layers.Dense(3)

    def call(self, x):
        return self.dense(x)
"""

BUILD = """
import os, sys
os.environ["TF_USE_LEGACY_KERAS"] = "1"
import importlib
import numpy as np

x = np.linspace(0, 1, 8, dtype=np.float32).reshape(2, 4)
for generation in sys.argv[1:]:
    own, keras = importlib.import_module(f"{generation}_layers"), importlib.import_module(generation)
    for name, layers in dict(
        twice=[own.Twice()], half=[own.Half()], bent=[keras.layers.Dense(3, activation=own.bent)], plain=[]
    ).items():
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), *layers])
        model.save(f"{generation}-{name}.keras")
        np.save(f"{generation}-{name}.npy", model(x))
    model = own.Whole()
    np.save(f"{generation}-whole.npy", model(x))
    model.save(f"{generation}-whole.keras")
"""

LOAD = """
import sys
from pathlib import Path
import numpy as np
from edgekit.models.files.loader import load_model
from edgekit.progress import SILENT

x = np.linspace(0, 1, 8, dtype=np.float32).reshape(2, 4)
for text in sys.argv[1:]:
    name, custom = text.split("=")
    loaded = load_model(Path(f"{name}.keras"), custom=[custom], progress=SILENT)
    difference = abs(loaded.model.predict(x, verbose=0) - np.load(f"{name}.npy")).max()
    print(name, loaded.trainable, bool(difference < 1e-6), type(loaded.model).__name__)
"""


def run(script: str, folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=folder, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.e2e
def test_own_layers_of_both_generations(tmp_path: Path) -> None:
    """In processes of their own: one where the classes were defined, one that knows nothing of them."""
    generations = {"keras": False, "tf_keras": True}
    for keras in generations:
        (tmp_path / f"{keras}_layers.py").write_text(LAYERS.format(keras=keras))
    run(BUILD, tmp_path, *generations)
    (tmp_path / "elsewhere").mkdir()
    asked = []
    for keras in generations:
        file = tmp_path / "elsewhere" / f"{keras}_moved.py"
        (tmp_path / f"{keras}_layers.py").rename(file)
        shutil.copy(file, tmp_path / f"{keras}_copied.py")
        asked += [f"{keras}-{name}={file}:{name.title()}" for name in ("twice", "half", "whole")]
        asked += [f"{keras}-bent={keras}_copied:bent"]
    printed = run(LOAD, tmp_path, *asked).splitlines()
    for keras, trainable in generations.items():
        kind = "Sequential" if trainable else "PlainModel"
        expected = [f"{keras}-{name} {trainable} True {kind}" for name in ("twice", "half")]
        assert printed[:3] == [*expected, f"{keras}-whole False True PlainModel"]
        assert printed[3].split()[2] == "True"
        del printed[:4]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("no_colon", "expected a module and a name"),
        (":Layer", "expected a module and a name"),
        ("module:", "expected a module and a name"),
        ("edgekit_has_no_such_module:Layer", "no module `edgekit_has_no_such_module`"),
        ("json.nowhere:Layer", "no module `json.nowhere`"),
        ("missing.py:Layer", "missing.py"),
        ("json:Layer", "`json` has no `Layer`"),
        ("math:pi", "`pi` is a float"),
        ("broken.py:Layer", "SyntaxError"),
        ("raising.py:Layer", "RuntimeError: no"),
        ("needs.py:Layer", "`edgekit_has_no_such_module`"),
    ],
)
def test_what_cannot_be_imported(text: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "broken.py").write_text("def")
    (tmp_path / "raising.py").write_text("raise RuntimeError('no')")
    (tmp_path / "needs.py").write_text("import edgekit_has_no_such_module")
    with raised("custom-invalid", f"`--custom {text}`", what):
        register([text])


def test_nothing_to_register() -> None:
    register(())
