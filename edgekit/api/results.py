"""What `edgekit.compress` and `edgekit.load_bundle` return: a bundle, its files and its ledger."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, overload

import edgekit.bundle.manifest as manifests
from edgekit.api.frames import data_frame
from edgekit.bundle.agreement import Agreement
from edgekit.bundle.ledger import Entry
from edgekit.bundle.manifest import Artifact
from edgekit.errors import InputError
from edgekit.progress import Warned
from edgekit.tasks.metrics import Score

if TYPE_CHECKING:
    import pandas

SOURCE = "model"
"""How the model that a file was made of is called in agreements: `float model`, `fake-quant model`."""


@dataclass(frozen=True)
class BundleFile:
    """One file of a bundle.

    Attributes:
        path: where it is.
        artifact: what the manifest says of it: format, scheme, sizes, inputs, outputs, how it was made.
        validation: its score on the samples that it was checked on (`Bundle.checked_on`); None for a C header.
        test: its score on test samples; None where no stage trained, and so no second look was needed.
        agreement: with the model that it was made of; None for a C header.
    """

    path: Path
    artifact: Artifact = field(repr=False)
    validation: Score | None = None
    test: Score | None = None
    agreement: Agreement | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The file's name."""
        return self.artifact.file

    @property
    def format(self) -> str:
        """`tflite`, `onnx` or `c`."""
        return self.artifact.format

    @property
    def scheme(self) -> str:
        """How it was quantized, such as `int8`."""
        return self.artifact.scheme

    @property
    def bytes(self) -> int:
        """Its size in bytes."""
        return self.artifact.bytes

    @property
    def gzip_bytes(self) -> int:
        """Its size after `gzip -9`, in bytes."""
        return self.artifact.gzip_bytes

    @property
    def sha256(self) -> str:
        """Its digest, in hexadecimal."""
        return self.artifact.sha256

    @property
    def score(self) -> Score | None:
        """The score to decide by: on test samples, else on those that it was checked on."""
        return self.test or self.validation


class Ledger(Sequence[Entry]):
    """The effect ledger: an entry for the source and one a stage, each of the model as it would ship."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = tuple(entries)

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | Sequence[Entry]:
        """Return an entry by its place, 0 being the source."""
        return self._entries[index]

    def table(self) -> str:
        """Return the ledger as text; empty for recipes without training stages."""
        from edgekit.reporting.ledger_table import ledger_table

        return ledger_table(self._entries) if self._entries else ""

    def to_pandas(self) -> pandas.DataFrame:
        """Return a row a stage.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return data_frame([{**_score(e.score), **_entry(e)} for e in self._entries])

    def __repr__(self) -> str:
        return f"Ledger of {len(self)} entries\n{self.table()}"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


class Bundle(manifests.Bundle):
    """A bundle on disk.

    Attributes:
        path: the folder.
        manifest: what it holds, as read from `manifest.json`.
        warnings: of the call that made it, in order; empty for one that was loaded.
    """

    warnings: tuple[Warned, ...] = ()

    @classmethod
    def of(cls, bundle: manifests.Bundle, warnings: tuple[Warned, ...] = ()) -> Bundle:
        """Return a bundle as this class."""
        own = cls(bundle.path, bundle.manifest)
        object.__setattr__(own, "warnings", warnings)
        return own

    @cached_property
    def files(self) -> tuple[BundleFile, ...]:
        """Every `.tflite`, `.onnx` and `.h` file, as the manifest lists them: the first is the baseline of sizes."""
        tested = self.manifest.data.get("test", {}).get("scores", {})
        agreed = {a.other: a for a in self.manifest.agreement if a.reference.endswith(SOURCE)}
        return tuple(
            BundleFile(
                self.file(artifact),
                artifact,
                None if artifact.validation is None else Score.from_dict(artifact.validation),
                Score.from_dict(tested[artifact.file]) if artifact.file in tested else None,
                agreed.get(artifact.file),
            )
            for artifact in self.manifest.artifacts
        )

    @property
    def checked_on(self) -> str:
        """What the files were checked on: `test` or `validation` samples."""
        return str(self.manifest.data.get("check", {}).get("split", "validation"))

    @property
    def ledger(self) -> Ledger:
        """The effect ledger; empty for recipes without training stages."""
        return Ledger(self.manifest.ledger)

    def best(self, *only: str) -> BundleFile:
        """Return the smallest file of which it is not shown that another is better.

        Args:
            only: formats and schemes to choose among, such as `int8`, or `"tflite", "int8"`; by default all but C
                headers.

        Raises:
            InputError: there is no such file.
        """
        chosen = [f for f in self.files if f.score and set(only) <= {f.format, f.scheme}]
        if not chosen:
            there = ", ".join(dict.fromkeys(f"{f.format} {f.scheme}" for f in self.files))
            raise InputError(f"{self.path}: no file is {' '.join(only)}", f"it has {there}", code="nothing-selected")
        return min((f for f in chosen if not _clearly_worse(f, chosen)), key=lambda f: f.bytes)

    def table(self) -> str:
        """Return sizes, scores on test or validation samples and agreement of every file."""
        from edgekit.reporting.bundle_table import bundle_table

        return bundle_table(self)

    def to_pandas(self) -> pandas.DataFrame:
        """Return a row a file.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return data_frame([{**_file(f), **_score(f.score)} for f in self.files])

    def __repr__(self) -> str:
        return f"Bundle({str(self.path)!r})\n{self.table()}"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


def _clearly_worse(file: BundleFile, others: Sequence[BundleFile]) -> bool:
    """Return whether the interval of a file's score lies wholly on the wrong side of another's."""
    assert file.score is not None
    own = file.score
    for other in (f.score for f in others if f.score is not None and f.score.metric == own.metric):
        if own.lower_is_better and own.interval.low > other.interval.high:
            return True
        if not own.lower_is_better and own.interval.high < other.interval.low:
            return True
    return False


def _file(file: BundleFile) -> dict[str, object]:
    names = ("name", "format", "scheme", "bytes", "gzip_bytes", "sha256")
    return {name: getattr(file, name) for name in names}


def _score(score: Score | None) -> dict[str, object]:
    if score is None:
        return {}
    interval = score.interval
    return {score.metric: interval.value, "low": interval.low, "high": interval.high, "samples": score.samples}


def _entry(entry: Entry) -> dict[str, object]:
    ratio = entry.ratio()
    return {
        "stage": entry.stage,
        "scheme": entry.scheme,
        "bytes": entry.bytes,
        "gzip_bytes": entry.gzip_bytes,
        "parameters": entry.parameters,
        "macs": entry.macs,
        "zeros_share": entry.zeros,
        "latency_ratio": None if ratio is None else ratio.value,
        "seconds": entry.seconds,
        "sha256": entry.sha256,
    }
