"""The samples that the files of a session are evaluated on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.bench.first_outputs import FEW
from edgekit.bench.ports import output_order
from edgekit.bench.subjects import Candidate
from edgekit.data.dataset import Dataset
from edgekit.data.fitting import coded, ports_of
from edgekit.data.stored import read_samples, write_samples
from edgekit.errors import InputError
from edgekit.files.whole import sha256


@dataclass(frozen=True)
class Evaluation:
    """The samples that every file answers.

    Attributes:
        path: an `.npz` with them.
        first: another with the first of them, so that timed processes do not hold the whole set in memory.
        few: another with a few, to look at before all else.
        x, y: what it holds.
        described: for the record.
    """

    path: Path
    first: Path
    few: Path
    x: Any
    y: Any
    described: dict[str, Any]


def evaluation(subjects: list[Candidate], data: Dataset | None, folder: Path) -> Evaluation | None:
    """Return the samples that every file is evaluated on: of the data, else of the bundles, else None."""
    carried = {sha256(c.samples): c.samples for c in subjects if c.samples is not None and data is None}
    if len(carried) > 1:
        raise InputError(
            "the bundles carry different evaluation samples, so their accuracies do not compare",
            "give --data, bench them one by one, or switch accuracy off with --no-accuracy",
        )
    if data is not None:
        path, source = folder / "test.npz", f"{data.name}, the whole test part"
        x, y = data.x_test, _coded(data.y_test, subjects)
        write_samples(path, x, y)
    elif carried:
        [path], source = carried.values(), "the bundle's evaluation samples"
        x, y = read_samples(path)
    else:
        return None
    first, few = folder / "first.npz", folder / "few.npz"
    write_samples(first, x[:1])
    write_samples(few, x[:FEW])
    return Evaluation(path, first, few, x, y, {"source": source, "samples": len(x), "sha256": sha256(path)})


def _coded(y: Any, subjects: Sequence[Candidate]) -> Any:
    """Return the labels of a data set as the first file whose task is known takes them."""
    first = next((c for c in subjects if c.task is not None), None)
    if first is None or first.task is None or y is None:
        return y
    ports = ports_of([first.outputs[i] for i in output_order(first.outputs, first.task)])
    return coded(y, first.task, ports)
