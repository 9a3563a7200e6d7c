from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.study import budgets
from benchmarks.study.cli import main
from benchmarks.study.records import Record, read_record
from benchmarks.study.report import render_results, write_results
from benchmarks.study.rows import rows
from benchmarks.study.run import items
from edgekit.data.dataset import build
from edgekit.errors import InputError

from .made_up import SAMPLES, made_up

QUICK = budgets.find("mnist", quick=True)
LATENCY = {"ratio": 0.41, "low": 0.40, "high": 0.42, "file_ns": [41.0], "baseline_ns": [100.0], "load": 0.0}


def written(folder: Path, records: list[Record]) -> Path:
    document = {
        "schema": 1,
        "created": "2026-11-23T00:00:00+00:00",
        "edgekit": "0.1.0",
        "host": {"cpu_model": "a CPU", "cores": 2},
        "data": {"name": "mnist", "sha256": "0", "test_samples": SAMPLES},
        "budget": QUICK.to_dict(),
        "records": [record.to_dict() for record in records],
    }
    path = folder / "mnist-quick.json"
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def results(tmp_path: Path) -> Path:
    int8 = made_up("ptq-int8", "int8", 0.979, 25_000)
    timed = dataclasses.replace(int8, files=(dataclasses.replace(int8.files[0], latency=LATENCY),))
    failed = Record("qat", 0, "key", failure="the converter failed")
    written(tmp_path, [made_up("baseline", "float32", 0.98, 100_000), timed, failed])
    return tmp_path


def test_page_table_csv_and_plot_come_from_the_records(results: Path) -> None:
    pytest.importorskip("matplotlib")
    said = render_results(results, QUICK, quick=True)
    assert said.startswith("int8 makes files about 4x smaller: reproduced. 4.00x")
    page = (results / "mnist-quick.md").read_text()
    assert (
        "| post-training int8 | int8 | 1 | 97.90 [97.60, 98.16] | [97.60, 98.16] | 25,000 | 12,500 | 4.01 "
        "| 0.41x [0.40, 0.42] | 2,000 | 100 | 25.0% |" in page
    )
    assert "- quantization-aware training: failed: the converter failed" in page
    assert "- distill → quantize → prune: refused: `prune` after `quantize`" in page
    assert "- distil to width 0.5: not run yet" in page
    with (results / "mnist-quick.csv").open() as stream:
        lines = list(csv.DictReader(stream))
    assert [line["row"] for line in lines] == ["baseline", "ptq-int8"]
    assert lines[1]["latency_ratio"] == "0.4100"
    assert lines[0]["latency_ratio"] == ""
    assert "<svg" in (results / "mnist-quick.svg").read_text()
    html = (results / "mnist-quick.html").read_text()
    assert "of 2 files the smallest" in html
    assert "ptq-int8.tflite" in html
    assert "97.90 % [97.6, 98.2]" in html


def test_the_same_records_give_the_same_files(results: Path) -> None:
    pytest.importorskip("matplotlib")
    names = [f"mnist-quick.{end}" for end in ("md", "csv", "svg", "html")]
    render_results(results, QUICK, quick=True)
    first = [(results / name).read_bytes() for name in names]
    render_results(results, QUICK, quick=True)
    assert [(results / name).read_bytes() for name in names] == first


def test_a_latency_of_a_busy_machine_is_marked(results: Path) -> None:
    pytest.importorskip("matplotlib")
    busy = dataclasses.replace(made_up("qat", "int8", 0.97).files[0], latency={**LATENCY, "load": 1.5})
    written(results, [made_up("baseline", "float32", 0.98), Record("qat", 0, "key", (busy,))])
    render_results(results, QUICK, quick=True)
    assert "| 0.41x [0.40, 0.42] busy |" in (results / "mnist-quick.md").read_text()
    assert ",0.4200,1.50," in (results / "mnist-quick.csv").read_text()


def test_a_fuller_result_is_not_replaced(results: Path) -> None:
    pytest.importorskip("matplotlib")
    before = (results / "mnist-quick.json").read_bytes()
    x, y = np.zeros((20, 28, 28), np.uint8), np.arange(20) % 10
    dataset = build("mnist", {"x_train": x, "y_train": y, "x_test": x, "y_test": y}, "made up")
    few = [made_up("baseline", "float32", 0.98)]
    with pytest.raises(InputError, match="holds 2 results that this work folder does not, ptq-int8 of seed 0"):
        write_results(results, QUICK, True, dataset, few)
    assert (results / "mnist-quick.json").read_bytes() == before
    write_results(results, QUICK, True, dataset, [*few, made_up("ptq-int8", "int8", 0.9), made_up("qat", "int8", 0.9)])
    assert len(json.loads((results / "mnist-quick.json").read_text())["records"]) == 3


def test_results_of_other_budgets_are_not_mixed_in(results: Path) -> None:
    other = dataclasses.replace(QUICK, prune=7)
    with pytest.raises(InputError, match="other budgets"):
        render_results(results, other, quick=True)


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    record = made_up("qat", "int8", 0.9)
    path = tmp_path / "record.json"
    path.write_text(json.dumps(record.to_dict()))
    assert read_record(path) == record
    assert read_record(tmp_path / "none.json") is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "[1, 2]",
        lambda text: text.replace('"schema": 1', '"schema": 99'),
        lambda text: text.replace('"correct": 9000', '"correct": 9001'),
        lambda text: text.replace('"files"', '"filez"'),
    ],
    ids=["cut", "other", "schema", "count", "key"],
)
def test_a_damaged_record_is_named(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "record.json"
    path.write_text(damage(json.dumps(made_up("qat", "int8", 0.9).to_dict())))  # type: ignore[operator]
    with pytest.raises(InputError, match=r"record\.json"):
        read_record(path)


@pytest.mark.parametrize("seeds", [0, -1, 11])
def test_seeds_out_of_range(seeds: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected 1 to 10"):
        items(rows(QUICK), seeds, QUICK, "data", tmp_path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["svhn"], "no data set `svhn`"),
        (["mnist", "--seeds", "0"], "--seeds 0"),
        (["mnist", "--quick", "--seeds", "0"], "--seeds 0"),
        (["mnist", "--only", "nonsense"], "no row matches"),
        (["report", "mnist", "--out", "{tmp}/empty"], "mnist.json: no such result of the study"),
        (["mnist", "--work", "{tmp}/file/below"], "cannot be written"),
    ],
)
def test_bad_input_is_explained_in_one_line(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main([a.replace("{tmp}", str(tmp_path)) for a in arguments]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
