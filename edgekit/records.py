"""Run records: one JSON file per `edgekit bench`, holding every raw sample and what the machine was like.

Statistics are computed when a record is read, never stored. Units stand in the names: ns, kib, khz, c.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.errors import InputError
from edgekit.files import atomic_file, read_json

SCHEMA = 1


@dataclass(frozen=True)
class Subject:
    """A file that was measured.

    Attributes:
        name: what the table calls it; unique in the record.
        path: as given on the command line.
        model: the model's name, where the bundle knows it.
        scheme: `int8` and so on, where the bundle knows it.
        input_shapes: sizes that its inputs were given, where some are dynamic or were chosen; None: as in the file.
        companions: SHA-256 by name of the files that it needs beside it; `bytes` and `gzip_bytes` count them, too.
    """

    name: str
    path: str
    format: str
    runtime: str
    sha256: str
    bytes: int
    gzip_bytes: int
    model: str | None = None
    scheme: str | None = None
    input_shapes: dict[str, list[int]] | None = None
    companions: dict[str, str] | None = None


@dataclass(frozen=True)
class Measurement:
    """What one file did with one number of threads.

    Attributes:
        subject: index into the record's subjects.
        threads: asked of the runtime.
        latency: the runner's answers, one per process, in the order of the rounds.
        memory: the runner's answer of the memory pass, or None.
        accuracy: the runner's answer of the accuracy pass, or None (no samples to evaluate).
        agreement: of the device's outputs with this machine's, sample by sample; None where that was not asked.
        failures: sentences about passes that failed; latency rounds that failed are missing above.
    """

    subject: int
    threads: int
    latency: list[dict[str, Any]] = field(default_factory=list)
    memory: dict[str, Any] | None = None
    accuracy: dict[str, Any] | None = None
    failures: list[str] = field(default_factory=list)
    agreement: dict[str, Any] | None = None


@dataclass(frozen=True)
class Record:
    """One session of measurements."""

    created: str
    edgekit: str
    command: list[str]
    target: str
    host: dict[str, Any]
    plan: dict[str, Any]
    evaluation: dict[str, Any] | None
    """The samples of the accuracy pass: {"source", "samples", "sha256"}, or None."""
    subjects: tuple[Subject, ...]
    measurements: tuple[Measurement, ...]
    device: dict[str, Any] = field(default_factory=dict)
    """How it was reached and prepared: address, runtimes, what was copied, throttling; empty in older records."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"schema": SCHEMA, **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any], source: str) -> Record:
        """Read the JSON form.

        Raises:
            InputError: it is no record, or from a newer edgekit.
        """
        try:
            if value["schema"] != SCHEMA:
                raise InputError(
                    f"{source}: schema {value['schema']}, this edgekit reads {SCHEMA}", "install a newer edgekit"
                )
            fields = {f.name: value[f.name] for f in dataclasses.fields(cls) if f.name != "device"}
            fields["device"] = dict(value.get("device", {}))
            fields["subjects"] = tuple(Subject(**s) for s in value["subjects"])
            fields["measurements"] = tuple(Measurement(**m) for m in value["measurements"])
            record = cls(**fields)
            if any(not 0 <= m.subject < len(record.subjects) for m in record.measurements):
                raise InputError(f"{source}: a measurement names a file that the record does not list")
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{source}: not an edgekit record: {error!r}") from error
        return record


def record_path(folder: Path, record: Record) -> Path:
    """Return a new file name in `folder`: time, target and first file, e.g. `20261122T205817Z-desktop-m-int8.json`."""
    stamp = re.sub(r"[-:]", "", record.created)[:15]
    subject = re.sub(r"[^\w.-]+", "-", Path(record.subjects[0].name).stem)[:60]
    base = f"{stamp}Z-{record.target}-{subject}"
    path, number = folder / f"{base}.json", 1
    while path.exists():
        number += 1
        path = folder / f"{base}-{number}.json"
    return path


def write_record(path: Path, record: Record) -> None:
    """Write a record; one measurement a line, so that a diff and a glance stay possible."""
    import json

    value = record.to_dict()
    measurements = value.pop("measurements")
    head = json.dumps(value, indent=1, ensure_ascii=False)[:-2]
    rows = ",\n  ".join(json.dumps(m, separators=(",", ":"), ensure_ascii=False) for m in measurements)
    with atomic_file(path) as temporary:
        temporary.write_text(f'{head},\n "measurements": [\n  {rows}\n ]\n}}\n', encoding="utf-8")


def read_record(path: Path) -> Record:
    """Read a record.

    Raises:
        InputError: the file is missing, or no record.
    """
    value = read_json(path, "record")
    if not isinstance(value, dict):
        raise InputError(f"{path}: not an edgekit record")
    return Record.from_dict(value, str(path))
