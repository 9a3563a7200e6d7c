"""From the command line to the files to measure: bundles are opened, single files are described."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgekit.bundle.manifest import EVAL, MANIFEST, Artifact, Manifest, read_bundle
from edgekit.bundle.reason import Reason
from edgekit.bundle.records import Subject
from edgekit.devices.jobs import RUNTIMES
from edgekit.errors import InputError
from edgekit.files.opening import inside, is_file, is_folder
from edgekit.files.whole import gzip_bytes, sha256
from edgekit.formats.companions import runnable
from edgekit.formats.info import FileInfo
from edgekit.formats.reading import inspect_file
from edgekit.formats.source import check_file
from edgekit.measuring.ports import specs
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.task import Task
from edgekit.tasks.tensors import TensorSpec

NARROW = ("int8", "uint8", "int16", "uint16")
"""Types of integers that mostly stand for real values."""


@dataclass(frozen=True)
class Candidate:
    """A file to measure, with what is needed to feed it.

    Attributes:
        subject: as the record lists it.
        path: the file.
        preprocessing: from stored samples to its inputs; None where unknown.
        inputs, outputs: of the file, in its order; -1 where a size is dynamic.
        task: what the outputs are for; None where unknown.
        samples: evaluation samples that came with it (`eval.npz` of its bundle), or None.
        shapes: sizes to measure with, where some are dynamic or were chosen; None: as in the file.
        companions: files that it needs beside it (external data): its name for them -> where they are.
        notes: what a user should know before reading the numbers.
        values: name of an input -> the number that it holds at every inference, in place of samples.
    """

    subject: Subject
    path: Path
    preprocessing: Preprocessing | None
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    task: Task | None
    samples: Path | None
    shapes: tuple[tuple[int, ...], ...] | None = None
    companions: Mapping[str, Path] = field(default_factory=dict)
    notes: tuple[Reason, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)
    channels_first: frozenset[str] = frozenset()
    """Inputs that had their channels first in the file that the model was rebuilt from: data may have them so, too."""

    @property
    def fed(self) -> tuple[TensorSpec, ...]:
        """The inputs that get samples."""
        return tuple(spec for spec in self.inputs if spec.name not in self.values)


def candidates(paths: Sequence[Path], only: Sequence[str] = (), runtime: str | None = None) -> list[Candidate]:
    """Describe every file to measure, in the order of the command line.

    Args:
        paths: bundles, `.tflite` and `.onnx` files. A file inside a bundle is fed as the bundle says.
        only: keep the artifacts of bundles whose format or scheme is named here; empty keeps all.
        runtime: use this runtime for `.tflite` files in place of ai-edge-litert.

    Raises:
        InputError: nothing to measure, or a file is missing, damaged or of another kind.
    """
    described: list[Candidate] = []
    for path in paths:
        if is_folder(path):
            described += _from_bundle(path, only, runtime)
            continue
        check_file(path)
        of_bundle = (path.parent / MANIFEST).is_file()
        described.append((_from_bundle_file if of_bundle else _from_file)(path, runtime))
    if not described:
        raise InputError("nothing to measure", "give a bundle, a .tflite or an .onnx file", code="nothing-to-measure")
    return _distinct(described)


def _from_bundle(path: Path, only: Sequence[str], runtime: str | None) -> list[Candidate]:
    bundle = read_bundle(path)
    runnable = [a for a in bundle.manifest.artifacts if a.format in RUNTIMES]
    unknown = set(only) - {a.format for a in runnable} - {a.scheme for a in runnable}
    if unknown:
        raise InputError(
            f"{path}: holds nothing for --only {', '.join(sorted(unknown))}",
            "it holds: " + ", ".join(f"{a.scheme} {a.format}" for a in runnable),
            code="unknown-name",
        )
    formats, schemes = set(only) & set(RUNTIMES), set(only) - set(RUNTIMES)
    kept = [a for a in runnable if (not formats or a.format in formats) and (not schemes or a.scheme in schemes)]
    if not kept:
        raise InputError(f"{path}: holds nothing for --only {', '.join(only)}", code="nothing-to-measure")
    return [_from_artifact(path, a, bundle.manifest, runtime) for a in kept]


def _from_bundle_file(path: Path, runtime: str | None) -> Candidate:
    bundle = read_bundle(path.parent, part=path.name)
    for artifact in bundle.manifest.artifacts:
        if artifact.file == path.name and artifact.format in RUNTIMES:
            return _from_artifact(path.parent, artifact, bundle.manifest, runtime)
    return _from_file(path, runtime)


def _from_artifact(folder: Path, artifact: Artifact, manifest: Manifest, runtime: str | None) -> Candidate:
    subject = Subject(
        name=artifact.file,
        path=str(folder / artifact.file),
        format=artifact.format,
        runtime=_runtime(artifact.format, runtime),
        sha256=artifact.sha256,
        bytes=artifact.bytes,
        gzip_bytes=artifact.gzip_bytes,
        model=manifest.name,
        scheme=artifact.scheme,
    )
    samples = inside(folder / EVAL, folder) if is_file(folder / EVAL) else None
    path, how = folder / artifact.file, manifest.preprocessing
    beside = runnable(path, artifact.format).companions  # a bundle may come from anywhere, too
    inputs, outputs = artifact.inputs, artifact.outputs
    if any(spec.scale is None and not spec.unscaled and spec.dtype in NARROW for spec in (*inputs, *outputs)):
        info = inspect_file(path)  # the edgekit that made it may not have read the scale
        inputs, outputs = specs(info.inputs), specs(info.outputs)
    first = _channels_first(manifest)
    return Candidate(
        subject, path, how, inputs, outputs, manifest.task, samples, companions=beside, channels_first=first
    )


def _channels_first(manifest: Manifest) -> frozenset[str]:
    """Return the names of inputs that rebuilding gave channels last (`edgekit.pipeline.rebuilding`)."""
    moved = [step.get("channels_last") for step in manifest.lineage]
    return frozenset(str(name) for names in moved if isinstance(names, dict) for name in names)


def _from_file(path: Path, runtime: str | None) -> Candidate:
    info = inspect_file(path)
    beside = runnable(path, info.format).companions
    subject = Subject(
        name=path.name,
        path=str(path),
        format=info.format,
        runtime=_runtime(info.format, runtime),
        sha256=sha256(path),
        bytes=sum(part.stat().st_size for part in (path, *beside.values())),
        gzip_bytes=sum(gzip_bytes(part) for part in (path, *beside.values())),
        companions={name: sha256(part) for name, part in beside.items()} or None,
    )
    inputs, outputs = specs(info.inputs), specs(info.outputs)
    return Candidate(subject, path, None, inputs, outputs, None, None, companions=beside, notes=_notes(path, info))


def _notes(path: Path, info: FileInfo) -> tuple[Reason, ...]:
    if len(info.signatures) < 2:
        return ()
    first = next((s.name for s in info.signatures if s.graph == 0), "the first graph")
    several = f"{path.name}: has {len(info.signatures)} signatures; {first} is measured"
    return (Reason("first-signature-measured", several),)


def _runtime(format_: str, asked: str | None) -> str:
    return asked if asked and format_ == "tflite" else RUNTIMES[format_]


def _distinct(described: list[Candidate]) -> list[Candidate]:
    """Name files that share a name by their path, so that the table stays readable and unambiguous."""
    names = [c.subject.name for c in described]
    renamed: list[Candidate] = []
    for candidate in described:
        subject = candidate.subject
        if names.count(subject.name) > 1:
            subject = dataclasses.replace(subject, name=subject.path)
        if any(subject.name == other.subject.name for other in renamed):
            raise InputError(f"{subject.path}: given twice", code="given-twice")
        renamed.append(dataclasses.replace(candidate, subject=subject))
    return renamed
