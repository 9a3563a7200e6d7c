"""Run records: one JSON file per `edgekit bench`, holding every raw sample and what the machine was like.

Statistics are computed when a record is read, never stored. Units stand in the names: ns, kib, khz, c.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NotRequired, TypedDict

from edgekit.bundle.answers import AccuracyForm, LatencyForm, MemoryForm
from edgekit.errors import OutputError
from edgekit.files.whole import Exists, atomic_file, work_base
from edgekit.schema.document import LARGE
from edgekit.schema.gate import read, read_json
from edgekit.schema.mixups import recognised
from edgekit.schema.rules import (
    AnyFloat,
    Choosing,
    Count,
    Holding,
    Matching,
    Natural,
    PlainName,
    Range,
    Seconds,
    Sized,
    Wrong,
)
from edgekit.schema.versions import Versions
from edgekit.text.printable import plain_name, quoted

VERSIONS = Versions("record", 1)
MOST_THREADS = 1024
CPUS = re.compile(r"\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?){0,63}")
"""What `taskset -c` takes, as far as there are such machines."""


class Unavailable(TypedDict):
    """A fact that could not be read."""

    unavailable: str


class Host(TypedDict):
    """The facts that a report reads; there are more."""

    cpu_model: NotRequired[str | Unavailable]
    cores: NotRequired[Natural | Unavailable]
    os: NotRequired[str | Unavailable]
    governor: NotRequired[str | Unavailable]
    virtualization: NotRequired[str | Unavailable]
    emulated: NotRequired[str | bool | Unavailable]


class PlanForm(TypedDict):
    """The settings of a session, as `edgekit.bench.plan.Plan`."""

    latency: bool
    memory: bool
    accuracy: bool
    processes: Natural
    min_samples: Natural
    min_seconds: Seconds
    threads: NotRequired[list[Natural]]
    max_samples: NotRequired[Natural]
    warmup_seconds: NotRequired[Seconds]
    timeout: NotRequired[Seconds]
    pin: NotRequired[Annotated[str, Matching(lambda text: not text or bool(CPUS.fullmatch(text)), "CPUs such as 0-3")]]
    governor: NotRequired[str]
    cool_below_c: NotRequired[float | None]
    cool_timeout: NotRequired[Seconds]
    input_shapes: NotRequired[dict[str, list[Natural]]]
    input_values: NotRequired[dict[str, AnyFloat]]


class Evaluation(TypedDict):
    """The samples of the accuracy pass."""

    source: str
    samples: Count
    sha256: str


class Brought(TypedDict):
    """A runtime and how it came to the device."""

    runtime: str
    source: str


class Throttled(TypedDict):
    """Bits of `get_throttled`."""

    before: Count
    during: list[Count]


class DeviceForm(TypedDict):
    """How a device was reached and prepared; this machine has no more than the times."""

    prepare_seconds: NotRequired[Seconds]
    seconds: NotRequired[Seconds]
    sent_bytes: NotRequired[Count]
    throttled: NotRequired[Throttled | None]


class Reached(DeviceForm):
    """A device that files were copied to."""

    address: str
    python: str
    runtimes: list[Brought]


class Agreed(TypedDict):
    """How far a device's outputs are from this machine's (`edgekit.bench.agreement`)."""

    samples: Natural
    same_class: Count | None
    equal: Count
    largest_difference: AnyFloat
    unit: str
    other_class: NotRequired[Count]
    far: NotRequired[Count]
    rms: NotRequired[AnyFloat]
    span: NotRequired[AnyFloat]
    why: NotRequired[str]
    host_runtime: NotRequired[str]
    same_runtime: NotRequired[bool]


@dataclass(frozen=True)
class Subject:
    """A file that was measured.

    Attributes:
        name: what the table calls it; unique in the record.
        path: as given on the command line.
        model: the model's name, where the bundle knows it.
        scheme: `int8` and so on, where the bundle knows it.
        input_shapes: sizes that its inputs were given, where some are dynamic or were chosen; None: as in the file.
        input_values: the numbers that some of its inputs held at every inference, in place of samples; None: none did.
        companions: SHA-256 by name of the files that it needs beside it; `bytes` and `gzip_bytes` count them, too.
    """

    name: str
    path: str
    format: str
    runtime: str
    sha256: str
    bytes: Natural
    gzip_bytes: Natural
    model: str | None = None
    scheme: str | None = None
    input_shapes: dict[str, list[Natural]] | None = None
    input_values: dict[str, AnyFloat] | None = None
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

    subject: Count
    threads: Annotated[int, Range(1, MOST_THREADS)]
    latency: list[LatencyForm] = field(default_factory=list)
    memory: MemoryForm | None = None
    accuracy: AccuracyForm | None = None
    failures: list[str] = field(default_factory=list)
    agreement: Annotated[dict[str, Any], Choosing((("unavailable", Unavailable), ("", Agreed)))] | None = None


@dataclass(frozen=True)
class Record:
    """One session of measurements."""

    created: str
    edgekit: str
    command: list[str]
    target: PlainName
    host: Annotated[dict[str, Any], Holding(Host)]
    plan: Annotated[dict[str, Any], Holding(PlanForm)]
    evaluation: Annotated[dict[str, Any], Holding(Evaluation)] | None
    """The samples of the accuracy pass, or None."""
    subjects: Annotated[tuple[Subject, ...], Sized(1)]
    measurements: tuple[Measurement, ...]
    device: Annotated[dict[str, Any], Choosing((("runtimes", Reached), ("", DeviceForm)))] = field(default_factory=dict)
    """How it was reached and prepared: address, runtimes, what was copied, throttling; empty in older records."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"schema": VERSIONS.newest, **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any], source: str) -> Record:
        """Read the JSON form.

        Raises:
            InputError: it is no record, or from a newer edgekit.
        """
        return read(cls, value, source, "record", "the record is damaged: measure again", VERSIONS)

    def check_consistent(self) -> None:
        """Raise `Wrong` where a measurement and the files do not fit each other."""
        names = [subject.name for subject in self.subjects]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise Wrong(f"is {quoted(name)}, a name that another file has", path=("subjects", index, "name"))
        baselines = {m.threads for m in self.measurements if m.subject == 0}
        for index, measurement in enumerate(self.measurements):
            if measurement.subject >= len(names):
                said = f"is {measurement.subject}, expected 0 to {len(names) - 1}: the record lists no other files"
                raise Wrong(said, path=("measurements", index, "subject"))
            if measurement.threads not in baselines:
                said = f"is {measurement.threads}, with which the first file was not measured"
                raise Wrong(said, path=("measurements", index, "threads"))


def record_path(folder: Path, record: Record) -> Path:
    """Return a new file name in `folder`: time, target and first file, e.g. `20261122T205817Z-desktop-m-int8.json`."""
    return next(path for path in _names(folder, record) if not os.path.lexists(path))


def _names(folder: Path, record: Record) -> Iterator[Path]:
    stamp = re.sub(r"[-:]", "", record.created)[:15]
    subject = plain_name(Path(record.subjects[0].name).stem, 60)
    base = f"{plain_name(stamp)}Z-{plain_name(record.target, 60)}-{subject}"
    yield folder / f"{base}.json"
    yield from (folder / f"{base}-{number}.json" for number in itertools.count(2))


def add_record(folder: Path, record: Record) -> Path:
    """Write a record into a folder under a name that nothing has, also if others write there; return its path.

    Raises:
        OutputError: it cannot be written there.
    """
    for path in _names(folder, record):
        if not os.path.lexists(path):
            with contextlib.suppress(Exists):
                write_record(path, record, replace=False)
                return path
    raise AssertionError("names do not end")


def save_record(folder: Path, record: Record) -> tuple[Path | None, str]:
    """Write a record into a folder, or, where that fails, to where it is not lost.

    Returns:
        Its path and an empty text; or the path in edgekit's cache, or None if that cannot be written either, and a
        sentence for the user.
    """
    try:
        return add_record(folder, record), ""
    except (OutputError, OSError) as error:
        trouble = str(error)
    other = work_base() / "records"
    try:
        path = add_record(other, record)
    except (OutputError, OSError) as error:
        return None, f"the record cannot be written: {trouble}; {error}"
    return path, f"{trouble}; the record is kept as {path}"


def record_text(record: Record, *, ascii_only: bool = False) -> str:
    """Return a record as JSON; one measurement a line, so that a diff and a glance stay possible."""
    import json

    value = record.to_dict()
    measurements = value.pop("measurements")
    head = json.dumps(value, indent=1, ensure_ascii=ascii_only)[:-2]
    rows = ",\n  ".join(json.dumps(m, separators=(",", ":"), ensure_ascii=ascii_only) for m in measurements)
    return f'{head},\n "measurements": [\n  {rows}\n ]\n}}\n'


def write_record(path: Path, record: Record, *, replace: bool = True) -> None:
    """Write a record (see `record_text`); without `replace` only where nothing is."""
    with atomic_file(path, replace=replace) as temporary:
        temporary.write_text(record_text(record), encoding="utf-8")


def read_record(path: Path) -> Record:
    """Read a record.

    Raises:
        InputError: the file is missing, or no record.
    """
    with recognised(path, "record"):
        return Record.from_dict(read_json(path, "record", LARGE), str(path))
