"""Run records: one JSON file per `edgekit bench`, holding every raw sample and what the machine was like.

Statistics are computed when a record is read, never stored. Units stand in the names: ns, kib, khz, c.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from edgekit.bundle.agreement import BETWEEN_MACHINES, Agreement, host_form
from edgekit.bundle.facts import HostFacts, Unavailable
from edgekit.bundle.runs import AccuracyRun, AnyLatencyRun, AnyMemoryRun, Run
from edgekit.errors import EdgekitError, OutputError
from edgekit.errors.printable import plain_name, quoted
from edgekit.files.whole import Exists, atomic_file, work_base
from edgekit.schema.document import LARGE
from edgekit.schema.gate import read, read_json
from edgekit.schema.mixups import recognised
from edgekit.schema.rules import (
    AnyFloat,
    Choosing,
    Count,
    Matching,
    Natural,
    PlainName,
    Range,
    Seconds,
    Sized,
    Wrong,
)
from edgekit.schema.tables import fields_written, open_ended
from edgekit.schema.types import JsonMapping, JsonObject
from edgekit.schema.versions import Versions


def _failures_have_codes(table: JsonObject) -> JsonObject:
    """Return a record of schema 2, whose failures are tables with codes: they were sentences that name their passes."""
    measurements = [
        {**measurement, "failures": [{"sentence": text} for text in measurement.get("failures", [])]}
        for measurement in table["measurements"]
    ]
    return {**table, "measurements": measurements}


VERSIONS = Versions("record", 2, {1: _failures_have_codes})
MOST_THREADS = 1024
CPUS = re.compile(r"\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?){0,63}")
"""What `taskset -c` takes, as far as there are such machines."""


Cpus = Annotated[str, Matching(lambda text: not text or bool(CPUS.fullmatch(text)), "CPUs such as 0-3")]


@open_ended
@dataclass(frozen=True, kw_only=True)
class Settings:
    """The plan (`edgekit.measuring.plan.Plan`) that a session ran by; None: an older edgekit had no such setting."""

    latency: bool = True
    memory: bool = True
    accuracy: bool = True
    processes: Natural
    min_samples: Natural
    min_seconds: Seconds
    threads: tuple[Natural, ...] | None = None
    max_samples: Natural | None = None
    warmup_seconds: Seconds | None = None
    timeout: Seconds | None = None
    pin: Cpus | None = None
    governor: str | None = None
    cool_below_c: float | None = None
    cool_timeout: Seconds | None = None
    input_shapes: dict[str, list[Natural]] | None = None
    input_values: dict[str, AnyFloat] | None = None


@open_ended
@dataclass(frozen=True)
class EvaluatedOn:
    """The samples of the accuracy pass: where they come from, how many, and their digest."""

    source: str
    samples: Count
    sha256: str


@open_ended
@dataclass(frozen=True)
class DeviceRuntime:
    """A runtime, how it came to the device, and the wheels or the program that were copied there."""

    runtime: str
    source: str
    wheels: tuple[dict[str, str], ...] = ()
    sha256: str | None = None


@open_ended
@dataclass(frozen=True)
class Throttled:
    """Bits of `get_throttled`: before anything ran, and after every process of the latency pass."""

    before: Count
    during: tuple[Count, ...]


@open_ended
@dataclass(frozen=True, kw_only=True)
class DeviceSession:
    """How a device was reached and prepared; None for what an older edgekit did not record.

    Attributes:
        address, python: of a device that files were copied to; None for this machine.
        runtimes: and how they came there.
        prepare_seconds, seconds: until the first measurement, and in all.
        sent_bytes: that were copied.
        throttled: where such bits can be read.
    """

    address: str | None = None
    python: str | None = None
    runtimes: tuple[DeviceRuntime, ...] = ()
    prepare_seconds: Seconds | None = None
    seconds: Seconds | None = None
    sent_bytes: Count | None = None
    throttled: Throttled | None = None

    def check_consistent(self) -> None:
        """Raise `Wrong` for a device with runtimes and no address."""
        for name in ("address", "python") if self.runtimes else ():
            if getattr(self, name) is None:
                raise Wrong("is missing", path=(name,))


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
class Failure:
    """Why passes gave no result.

    Attributes:
        sentence: what went wrong.
        code: of it (`edgekit.errors.codes`); empty in older records.
        passes: that failed for this reason; older records name them in the sentence.
    """

    sentence: str
    code: str = ""
    passes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{', '.join(self.passes)}: {self.sentence}" if self.passes else self.sentence


@dataclass(frozen=True)
class Measurement:
    """What one file did with one number of threads.

    Attributes:
        subject: index into the record's subjects.
        threads: asked of the runtime.
        latency: one run a process, in the order of the rounds; rounds that failed are missing.
        memory: of the memory pass, or None.
        accuracy: of the accuracy pass, or None (no samples to evaluate).
        failures: of passes.
        agreement: of the device's outputs with the host's; None where that was not asked.
    """

    subject: Count
    threads: Annotated[int, Range(1, MOST_THREADS)]
    latency: tuple[AnyLatencyRun, ...] = ()
    memory: AnyMemoryRun | None = None
    accuracy: AccuracyRun | None = None
    failures: tuple[Failure, ...] = ()
    agreement: (
        Annotated[Agreement | Unavailable, Choosing((("unavailable", Unavailable), ("", BETWEEN_MACHINES)))] | None
    ) = None

    def to_dict(self) -> JsonObject:
        """Return the JSON form."""
        form = fields_written(self)
        if isinstance(self.agreement, Agreement):
            form["agreement"] = host_form(self.agreement)
        return form

    def runs(self) -> Iterator[Run]:
        """Yield every run of every pass."""
        yield from self.latency
        yield from filter(None, (self.memory, self.accuracy))

    def failed(self, mode: str, error: EdgekitError) -> Measurement:
        """Return the measurement with another failure; what several passes fail of is kept once."""
        sentence = error.message + (f" ({error.hint})" if error.hint else "")
        failures = list(self.failures)
        index = next((i for i, failure in enumerate(failures) if failure.sentence == sentence), len(failures))
        known = failures[index].passes if index < len(failures) else ()
        failures[index : index + 1] = [Failure(sentence, error.code, tuple(dict.fromkeys((*known, mode))))]
        return dataclasses.replace(self, failures=tuple(failures))


@dataclass(frozen=True)
class Record:
    """One session of measurements."""

    created: str
    edgekit: str
    command: list[str]
    target: PlainName
    host: HostFacts
    plan: Settings
    evaluation: EvaluatedOn | None
    """The samples of the accuracy pass, or None."""
    subjects: Annotated[tuple[Subject, ...], Sized(1)]
    measurements: tuple[Measurement, ...]
    device: DeviceSession = field(default_factory=DeviceSession)

    @property
    def emulated_by(self) -> str | None:
        """What emulates the CPU, so that latency means nothing; None for a real one, and where that is not known."""
        return self.host.emulated if isinstance(self.host.emulated, str) else None

    def to_dict(self) -> JsonObject:
        """Return the JSON form."""
        return {"schema": VERSIONS.newest, **fields_written(self)}

    @classmethod
    def from_dict(cls, value: JsonMapping, source: str) -> Record:
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


def _names(folder: Path, record: Record) -> Iterator[Path]:
    """Yield file names for a record: time, target and first file, such as `20261122T205817Z-desktop-m-int8.json`."""
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
