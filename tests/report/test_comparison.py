"""Several records in one table, from a recorded session: no clock involved."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from edgekit.bundle.facts import HostFacts
from edgekit.bundle.records import EvaluatedOn, Record, read_record, write_record
from edgekit.bundle.runs import Runtime
from edgekit.cli import app
from edgekit.cli.entry import run
from edgekit.reporting.comparison import comparison

SESSION = Path(__file__).parent / "session.json"


def quicker(run: Any, by: int) -> Any:
    return dataclasses.replace(run, samples_ns=tuple(sample // by for sample in run.samples_ns))


def faster(record: Record, by: int) -> Record:
    """Return the record of a machine on which everything takes a part of the time."""
    measurements = tuple(
        dataclasses.replace(m, latency=tuple(quicker(run, by) for run in m.latency)) for m in record.measurements
    )
    return dataclasses.replace(record, measurements=measurements)


def cells(text: str) -> list[list[str]]:
    return [[cell for cell in line.split("  ") if cell] for line in text.split("\n\n")[0].splitlines()]


def test_one_table_with_the_first_row_as_baseline() -> None:
    before = read_record(SESSION)
    text = comparison({"before": before, "after": faster(before, 2)})
    header, _, *rows = cells(text)
    assert [name.strip() for name in header[:3]] == ["record", "file", "threads"]
    assert [row[0].strip() for row in rows] == ["before"] * 3 + ["after"] * 3
    assert [row[1].strip() for row in rows[:2]] == ["m-float32.tflite", "m-int8.tflite"]
    ratios = [next(cell.strip() for cell in row[5:] if "x [" in cell or cell.strip() == "-") for row in rows]
    assert ratios[0] == "1.00x [1.00, 1.00]"
    assert ratios[3].startswith("0.50x [0.")
    assert ratios[4].startswith("0.15x [0.11, 0.21]")
    assert "before: m-int8.tflite, 1 thread: suspect: " in text
    assert "\n\nafter\ndesktop: AMD EPYC" in text
    assert "not of the same" not in text
    assert "not the same file" not in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"evaluation": EvaluatedOn("other.npz", 50, "0" * 64)},
         "accuracy: not of the same evaluation samples: a: 1,000, the bundle's evaluation samples; b: 50, other.npz"),
        ({"host": HostFacts(cpu_model="Cortex-A72")},
         "latency and memory: not of the same CPU: a: AMD EPYC; b: Cortex-A72"),
        ({"subjects": None}, "m-int8.tflite: not the same file everywhere"),
        ({"measurements": None}, "latency, memory and accuracy: not of the same version of the runtime: "
         "a: ai-edge-litert 2.3.0; b: ai-edge-litert 1.0, ai-edge-litert 2.3.0"),
    ],
)  # fmt: skip
def test_what_to_beware_of(changes: dict[str, Any], said: str) -> None:
    first = read_record(SESSION)
    if "subjects" in changes:
        subjects = [dataclasses.replace(s, sha256="1" * 64) if "int8" in s.name else s for s in first.subjects]
        changes = {"subjects": tuple(subjects)}
    if "measurements" in changes:
        older = Runtime("ai-edge-litert", "1.0", "")
        memory = dataclasses.replace(first.measurements[0].memory, runtime=older)  # type: ignore[type-var]
        changes = {"measurements": (dataclasses.replace(first.measurements[0], memory=memory), *first.measurements[1:])}
    text = comparison({"a": first, "b": dataclasses.replace(first, **changes)})
    assert said in text


def test_targets_get_a_column_where_they_differ() -> None:
    first = read_record(SESSION)
    text = comparison({"a": first, "b": dataclasses.replace(first, target="rpi4")})
    assert [cell.strip() for cell in cells(text)[0][:2]] == ["record", "target"]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = read_record(SESSION)
    (tmp_path / "x").mkdir()
    paths = [tmp_path / "one.json", tmp_path / "two.json", tmp_path / "x" / "one.json"]
    for path in paths:
        write_record(path, record)
    assert run(app, "edgekit", ["report", str(paths[0])]) == 0
    out = capsys.readouterr().out
    assert (SESSION.parent / "session.txt").read_text() in out
    assert out.startswith("On `desktop`, ship `m-int8.tflite`: ")
    assert run(app, "edgekit", ["report", *map(str, paths[:2])]) == 0
    out = capsys.readouterr().out
    assert "\n\nrecord " in out
    assert [line.split()[0] for line in out.splitlines() if line.split()[1:3] == ["m-float32.tflite", "1"]] == [
        "one",
        "two",
    ]
    assert run(app, "edgekit", ["report", *map(str, paths)]) == 0  # two of one name: their paths tell them apart
    assert f"\n{paths[2]}  " in capsys.readouterr().out
