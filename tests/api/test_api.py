"""The Python interface, as its documentation says."""

from __future__ import annotations

import doctest
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import edgekit
from edgekit.bench import plan
from edgekit.bundle.recipe import load_recipe
from edgekit.errors import InputError
from edgekit.frameworks.tensorflow import keras3, seed_everything
from tests.support.raised import raised

ROOT = Path(__file__).parents[2]
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture
def data() -> Arrays:
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (200, 6)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    return x[:150], y[:150], x[150:], y[150:]


@pytest.mark.tensorflow
def test_a_model_in_memory_becomes_a_bundle_and_is_measured(data: Arrays, tmp_path: Path) -> None:
    seed_everything(0)
    keras = keras3()
    model = keras.Sequential(
        [
            keras.layers.Input((6,)),
            keras.layers.Dense(4, activation="relu"),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    bundle = edgekit.compress(model, data, load_recipe("int8"), tmp_path / "out", seed=3, verbose=False, anyway=True)
    assert bundle.path == tmp_path / "out"
    assert bundle.manifest.seed == 3
    assert bundle.manifest.lineage[-1]["generation"] == 3
    assert "int8.tflite" in repr(bundle)
    assert bundle._repr_html_().startswith("<pre>Bundle(")
    record = edgekit.bench(bundle, only=["int8"], latency=False, memory=False, out=tmp_path / "records")
    assert len(record.measurements) == 2
    assert "accuracy [95 %]" in repr(record)
    assert len(list((tmp_path / "records").iterdir())) == 1
    with raised("output-exists") as caught:
        edgekit.compress(model, data, "int8", tmp_path / "out", verbose=False)
    assert "--force" in caught.value.hint


@pytest.mark.e2e
@pytest.mark.tensorflow
def test_examples_of_readme_and_docstrings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    [example] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    with monkeypatch.context() as patch:
        patch.setattr(plan, "Plan", partial(plan.Plan, min_seconds=0.05))  # the numbers are not looked at
        exec(example, names)
    shown = capsys.readouterr().out
    assert "digits-int8.tflite" in shown
    assert "359 samples" in shown
    for function in (edgekit.compress, edgekit.bench):  # in this order: one's result is the other's subject
        [found] = doctest.DocTestFinder(recurse=False).find(function, globs=names)
        assert found.examples
        assert doctest.DocTestRunner().run(found).failed == 0, capsys.readouterr().out


def test_what_cannot_be_a_model_or_data(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="model: is a int"):
        edgekit.compress(5, "digits")
    with pytest.raises(InputError, match="data: returned tuple of 3"):
        edgekit.compress(tmp_path / "m.keras", (1, 2, 3))


def test_only_what_is_there_can_be_asked_for() -> None:
    with pytest.raises(AttributeError, match="no attribute 'compres'"):
        edgekit.compres  # noqa: B018
