"""What is known of one row with one seed, as JSON in the work folder, and the name under which it is found again."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.bundle.recipe import StageSpec
from edgekit.errors import InputError, OutputError
from edgekit.schema.gate import read_json
from edgekit.tasks.samples import Array
from edgekit.techniques.registry import resolve
from edgekit.version import __version__

from .budgets import Budget
from .rows import Row

SCHEMA = 1
QUIET_LOAD = 0.5
"""Load average above which a latency is not to be trusted."""
PACKAGES = ("tensorflow", "tf_keras", "tensorflow-model-optimization")


@dataclass(frozen=True)
class File:
    """A file, measured.

    Attributes:
        name: in the work folder.
        scheme: how it was exported.
        sha256: of the file all numbers are about.
        bytes, gzip_bytes: of the file.
        parameters, macs: as inspected; macs is None where not countable.
        zeros: share of the weights that mean zero, 0 to 1.
        correct, samples: right predictions on the whole test part.
        hits: one bit a test sample, 1 where the prediction is right, packed and in base64.
        latency: see `latency.time_files`; None until the step `latency` has run.
    """

    name: str
    scheme: str
    sha256: str
    bytes: int
    gzip_bytes: int
    parameters: int
    macs: int | None
    zeros: float
    correct: int
    samples: int
    hits: str
    latency: dict[str, Any] | None = None

    @property
    def accuracy(self) -> float:
        """Share of right predictions, 0 to 1."""
        return self.correct / self.samples

    def bits(self) -> Array:
        """Return whether each test sample was right, bool (samples,)."""
        packed = np.frombuffer(base64.b64decode(self.hits), np.uint8)
        return np.unpackbits(packed, count=self.samples).astype(bool)


def pack(hits: Array) -> str:
    """Return the form of `File.hits`, from bool (samples,)."""
    return base64.b64encode(np.packbits(hits).tobytes()).decode("ascii")


def busy(latency: Mapping[str, Any]) -> bool:
    """Return whether the machine was busy when this latency was taken."""
    return bool(latency["load"] > QUIET_LOAD)


@dataclass(frozen=True)
class Record:
    """One row with one seed: its files, or why there are none.

    Attributes:
        row: the id of the row.
        seed: of everything random.
        key: of everything that decides the result.
        files: in the order of the row's schemes.
        failure: why the row could not be done, or empty.
        seconds: spent, without what an earlier row had done already.
        lineage: what the stages noted, JSON values.
    """

    row: str
    seed: int
    key: str
    files: tuple[File, ...] = ()
    failure: str = ""
    seconds: float = 0.0
    lineage: list[dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"schema": SCHEMA, **asdict(self), "files": [asdict(file) for file in self.files]}

    @classmethod
    def from_dict(cls, value: Any, source: str) -> Record:
        """Read the JSON form; `source` names it in messages.

        Raises:
            InputError: it is no record.
        """
        try:
            fields = dict(value)
            if fields.pop("schema") != SCHEMA:
                raise InputError(f"{source}: this study reads records of schema {SCHEMA}")
            files = tuple(File(**file) for file in fields.pop("files"))
            record = cls(files=files, **fields)
            for file in files:
                if int(file.bits().sum()) != file.correct:
                    raise ValueError("hits and correct disagree")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"{source}: not a record of the study: {error!r}", "delete it, and the row runs again"
            ) from error
        return record


def baseline_key(budget: Budget, data_key: str, seed: int) -> str:
    """Return the key of a baseline: data, model, training and the packages that train."""
    used = (
        "data",
        "model",
        "baseline",
        "width",
        "batch_size",
        "augment",
        "schedule",
        "train_samples",
        "validation_samples",
    )
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    values = {name: getattr(budget, name) for name in used}
    return _digest({"data_sha256": data_key, "seed": seed, "edgekit": __version__, **versions, **values})


def stage_key(before: str, spec: StageSpec) -> str:
    """Return the key of a model that a stage, its defaults included, makes of the model with the key `before`."""
    return _digest({"before": before, "use": spec.use, "options": vars(resolve(spec, spec.use))})


def row_key(row: Row, baseline: str) -> str:
    """Return the key of a row's result."""
    key = baseline
    for spec in row.stages:
        key = stage_key(key, spec)
    return _digest({"model": key, "schemes": list(row.schemes)})


def record_path(work: Path, row: Row, seed: int, key: str) -> Path:
    """Return where the record of a row lies."""
    return work / "rows" / f"{row.id}-seed{seed}-{key}.json"


def read_record(path: Path) -> Record | None:
    """Return a record, or None where there is none yet.

    Raises:
        InputError: the file is damaged.
    """
    if not path.exists():
        return None
    try:
        value = read_json(path, "record of the study")
    except InputError as error:
        raise InputError(error.message, "delete it, and the row runs again") from error
    return Record.from_dict(value, str(path))


def check_writable(folder: Path, option: str) -> None:
    """Make the folder, and raise `OutputError` now rather than after an hour if nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(f"{option} {folder}: cannot be written: {error.strerror}", "choose another folder") from error


def _digest(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
