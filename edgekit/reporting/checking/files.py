"""What a gate checks: every file of records with each number of threads, and the files of bundles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from edgekit.bundle.collection import Collection
from edgekit.bundle.flags import Flags
from edgekit.bundle.manifest import Artifact, Bundle
from edgekit.bundle.reason import Reason
from edgekit.errors import InputError
from edgekit.reporting.rows import Row, rows_of
from edgekit.tasks.metrics import Score

MOST_NAMES = 5
"""Of files, in a message."""


@dataclass(frozen=True)
class CheckedFile:
    """A file of a record or a bundle.

    Attributes:
        source: name of the record or bundle, as tables call it.
        path: of the same, as it was given; empty for one in memory.
        name, format, scheme: of the file; the scheme where its bundle told it.
        bytes: its size.
        target, threads: how it was measured; None for a file of a bundle.
        score: how good its outputs are; None where that was not measured.
        samples: digest of the samples that the score is of; empty where it is not known.
        predictions: digest of a classifier's decisions on them; empty where it is not known.
        right: of a share of samples, which of them are right; None where the record does not hold it.
        row: its measurements; None for a file of a bundle.
    """

    source: str
    path: str
    name: str
    format: str
    scheme: str | None
    bytes: int
    target: str | None = None
    threads: int | None = None
    score: Score | None = field(default=None, repr=False)
    samples: str = field(default="", repr=False)
    predictions: str = field(default="", repr=False)
    right: Flags | None = field(default=None, repr=False)
    row: Row | None = field(default=None, repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """What patterns are compared with."""
        return tuple(filter(None, (self.name, self.format, self.scheme)))

    @property
    def place(self) -> str:
        """The file and how it was measured, as sentences name it."""
        threads = "" if self.threads is None else f", {self.threads} thread{'s' * (self.threads != 1)}"
        return f"{self.name}{threads}" + (f" on {self.target}" if self.target is not None else "")


def files_of(collection: Collection) -> list[CheckedFile]:
    """Return the files of a collection's records and bundles, in their order; C headers are no files to measure."""
    found: list[CheckedFile] = []
    for name, record in collection.records.items():
        path = str(collection.paths.get(name, ""))
        found += (_of_row(row, path) for row in rows_of(record, name))
    for name, bundle in collection.bundles.items():
        found += _of_bundle(bundle, name, str(collection.paths.get(name, "")))
    return found


def _of_row(row: Row, path: str) -> CheckedFile:
    run, on = row.measurement.accuracy, row.record.evaluation
    return CheckedFile(
        source=row.name,
        path=path,
        name=row.file,
        format=row.format,
        scheme=row.scheme,
        bytes=row.bytes,
        target=row.record.target,
        threads=row.threads,
        score=row.accuracy,
        samples=on.sha256 if on else "",
        predictions=(run.predictions_sha256 or "") if run else "",
        right=run.right if run else None,
        row=row,
    )


def _of_bundle(bundle: Bundle, name: str, path: str) -> Iterator[CheckedFile]:
    data = bundle.manifest.data
    tested = data.get("test", {}).get("scores", {})
    for artifact in (a for a in bundle.manifest.artifacts if a.format != "c"):
        part = data.get("test" if artifact.file in tested else "check")
        yield CheckedFile(
            source=name,
            path=path,
            name=artifact.file,
            format=artifact.format,
            scheme=artifact.scheme,
            bytes=artifact.bytes,
            score=_score(artifact, tested),
            samples=f"{data['sha256']} {part}" if "sha256" in data and part is not None else "",
        )


def _score(artifact: Artifact, tested: dict[str, dict[str, float]]) -> Score | None:
    """Return a file's score on test samples, else on those that it was checked on."""
    form = tested.get(artifact.file, artifact.validation)
    return None if form is None else Score.from_dict(form)


class Baselines:
    """What files are compared with: the files of baselines that were named, else the first file of their own source.

    Args:
        named: files of the baselines; empty: there is none.
        checked: all files that are checked.

    Raises:
        InputError: two baselines have the same file, measured in the same way.
    """

    def __init__(self, named: Sequence[CheckedFile], checked: Sequence[CheckedFile]) -> None:
        self._named = named
        self._first: dict[tuple[str, int | None], CheckedFile] = {}
        for file in checked:
            if file.row is None or file.row.measurement.subject == 0:
                self._first.setdefault((file.source, file.threads), file)
        known: dict[tuple[str, str | None, int | None], CheckedFile] = {}
        for file in named:
            other = known.setdefault((file.name, file.target, file.threads), file)
            if other is not file:
                raise InputError(
                    f"`--baseline`: {file.place} is in {other.source} and in {file.source}",
                    "give one baseline for every file, target and number of threads",
                    code="baseline-ambiguous",
                )

    def of(self, file: CheckedFile) -> CheckedFile | Reason | None:
        """Return what a file is compared with, why there is nothing, or None where it is the baseline itself."""
        if not self._named:
            first = self._first[file.source, file.threads]
            return None if first is file else first
        same = [other for other in self._named if other.name == file.name]
        if not same:
            names = list(dict.fromkeys(other.name for other in self._named))
            listed = ", ".join(names[:MOST_NAMES]) + ", ..." * (len(names) > MOST_NAMES)
            return Reason("not-in-baseline", f"no baseline has a file of this name; they have {listed}")
        return min(same, key=lambda other: (other.target != file.target, other.threads != file.threads))
