"""The files of the first seed as a record of edgekit's, and so as the page that `edgekit report` makes of one.

Latency is left out: every file of the study was timed against rounds of the baseline of its own, and a record has one
baseline for all. The Markdown page has those ratios.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.bundle.collection import Collection
from edgekit.bundle.records import VERSIONS
from edgekit.bundle.records import Record as EdgekitRecord
from edgekit.reporting.html.page import html_page

from .records import File, Record

FIRST_SEED = 0
RUNTIME = {"name": "ai-edge-litert", "version": "not noted", "delegate": "not noted"}


def page(document: Mapping[str, Any], records: Sequence[Record]) -> str:
    """Return the HTML page of a result.

    Args:
        document: as `report.write_results` writes it.
        records: those in it.
    """
    data = document["data"]["name"]
    return html_page(Collection({f"study-{data}": as_edgekit(document, records)}))


def as_edgekit(document: Mapping[str, Any], records: Sequence[Record]) -> EdgekitRecord:
    """Return a record with the size and the accuracy of every file of the first seed; the baseline's is its first."""
    data, budget = document["data"], document["budget"]
    files = [(record.row, file) for record in records if record.seed == FIRST_SEED for file in record.files]
    form = {
        "schema": VERSIONS.newest,
        "created": document["created"],
        "edgekit": document["edgekit"],
        "command": ["python", "-m", "benchmarks.study", data["name"]],
        "target": "desktop",
        "host": document["host"],
        "plan": {
            "latency": False, "memory": False, "accuracy": True, "processes": 1, "min_samples": 1, "min_seconds": 0,
        },
        "evaluation": {"source": data["name"], "samples": data["test_samples"], "sha256": data["sha256"]},
        "subjects": [_subject(row, file, budget["model"]) for row, file in files],
        "measurements": [
            {"subject": index, "threads": 1, "accuracy": _accuracy(file)} for index, (_, file) in enumerate(files)
        ],
    }  # fmt: skip
    return EdgekitRecord.from_dict(form, data["name"])


def _subject(row: str, file: File, model: str) -> dict[str, Any]:
    name = f"{row.removesuffix(f'-{file.scheme}')}-{file.scheme}.tflite"
    return {
        "name": name, "path": name, "format": "tflite", "runtime": RUNTIME["name"], "sha256": file.sha256,
        "bytes": file.bytes, "gzip_bytes": file.gzip_bytes, "model": model, "scheme": file.scheme,
    }  # fmt: skip


def _accuracy(file: File) -> dict[str, Any]:
    score = {"metric": "accuracy", "correct": file.correct, "samples": file.samples}
    return {"runtime": RUNTIME, "mode": "accuracy", "threads": 1, "right": file.hits, **score}
