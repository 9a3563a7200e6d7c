"""Compressing and measuring from Python, as the documentation says."""

from __future__ import annotations

import doctest
import logging
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import edgekit
from edgekit.api.reporting import working
from edgekit.errors import InputError
from edgekit.frameworks.tensorflow import keras3, seed_everything
from edgekit.measuring import plan
from edgekit.progress import Counted, Event, Notice, Warned
from tests.support.raised import raised

ROOT = Path(__file__).parents[2]
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture
def data(rng: np.random.Generator) -> Arrays:
    x = rng.normal(0, 1, (200, 6)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    return x[:150], y[:150], x[150:], y[150:]


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.e2e
@pytest.mark.tensorflow
@pytest.mark.usefixtures("one_latency_round")
def test_a_model_in_memory_becomes_a_bundle_and_is_measured(
    data: Arrays, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    seed_everything(0)
    keras = keras3()
    model = keras.Sequential(
        [
            keras.layers.Input((6,)),
            keras.layers.Dense(4, activation="relu"),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    capfd.readouterr()
    caplog.set_level(logging.INFO, "edgekit")
    before, events = open_files(), list[Event]()
    bundle = edgekit.compress(
        model,
        data,
        edgekit.load_recipe("int8"),
        tmp_path / "out",
        stages=[edgekit.Stage("finetune", epochs=1)],
        seed=3,
        anyway=True,
        progress=events.append,
    )
    assert open_files() == before
    assert capfd.readouterr() == ("", "")
    assert {Notice, Counted} <= {type(event) for event in events}
    assert bundle.warnings == tuple(event for event in events if isinstance(event, Warned))
    assert [event.message for event in events if isinstance(event, Notice)] == [
        record.message for record in caplog.records if record.levelno == logging.INFO
    ]
    assert bundle.path == tmp_path / "out"
    assert bundle.manifest.seed == 3
    assert bundle.manifest.lineage[-1]["step"] == "finetune"
    best = bundle.best("int8")
    assert best.path == tmp_path / "out" / best.name
    assert edgekit.inspect(best).parameters == 6 * 4 + 4 + 4 * 2 + 2
    assert list(bundle.ledger.to_pandas()["stage"]) == ["source", "finetune"]
    assert list(bundle.to_pandas()["name"]) == [file.name for file in bundle.files]
    assert "int8.tflite" in repr(bundle)
    assert bundle._repr_html_().startswith("<pre>Bundle(")
    again = edgekit.load_bundle(bundle.path)
    assert again.files == bundle.files

    before = open_files()  # one child that reads model files stays for the next
    record = edgekit.bench(bundle, only=["int8"], data=data, latency=False, memory=False, out=tmp_path / "records")
    assert open_files() == before
    assert capfd.readouterr() == ("", "")
    assert len(record.rows) == 2
    assert record["int8", 1].accuracy.samples == 50
    assert "accuracy [95 %]" in repr(record)
    [path] = (tmp_path / "records").iterdir()
    assert edgekit.load_record(path).measurements == record.measurements

    with raised("output-exists", "out", kind=edgekit.OutputError) as caught:
        edgekit.compress(model, data, "int8", tmp_path / "out")
    assert "force=True" in caught.value.hint
    assert "--" not in "".join(caught.value.__notes__)


@pytest.mark.e2e
@pytest.mark.tensorflow
def test_examples_of_the_page_and_docstrings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    [example] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(encoding="utf-8"), re.DOTALL)
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
    with raised("model-wrong-type", "int", kind=InputError):
        edgekit.compress(5, "digits")
    with pytest.raises(InputError, match="data: returned tuple of 3"):
        edgekit.compress(tmp_path / "m.keras", (1, 2, 3))
    with raised("argument-wrong-type", kind=InputError):
        edgekit.compress(tmp_path / "m.keras", "digits", input_values={"x": float("nan")})
    with raised("value-wrong-type", "`scale`", '"a"', kind=InputError):
        edgekit.compress(tmp_path / "m.keras", "digits", scale="a")
    with raised("value-out-of-range", "recipe int8", "`seed`", "-1", kind=InputError):
        edgekit.compress(tmp_path / "m.keras", "digits", seed=-1)


def test_no_message_names_the_folder_of_a_call() -> None:
    events: list[Event] = []
    with raised("file-missing") as caught, working(events.append) as (folder, receiver):
        receiver(Notice(f"{folder}/data.npz has no test part"))
        raise InputError(f"{folder}/data.npz: no such file", f"look at {folder}/data.npz", code="file-missing")
    assert events == [Notice("data.npz has no test part")]
    assert (caught.value.message, caught.value.hint) == ("data.npz: no such file", "look at data.npz")
