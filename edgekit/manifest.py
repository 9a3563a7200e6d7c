"""The bundle: a folder of artifacts and the `manifest.json` that says what each of them is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from edgekit.errors import InputError
from edgekit.files import gzip_bytes, read_json, sha256, write_json
from edgekit.preprocessing import Preprocessing
from edgekit.task import CLASSIFICATION, Task

SCHEMA = 1
MANIFEST = "manifest.json"
EVAL = "eval.npz"
RECIPE = "recipe.toml"
README = "README.txt"


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of an artifact.

    Attributes:
        name: as the runtime knows it.
        shape: with the batch axis; -1 where it may vary.
        dtype: NumPy's name.
        scale, zero_point: real = (stored - zero_point) * scale; None for floating point tensors.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None
    zero_point: int | None = None

    def quantization(self) -> dict[str, Any] | None:
        """Return `scale` and `zero_point` as a runner job holds them, or None."""
        return None if self.scale is None else {"scale": self.scale, "zero_point": self.zero_point}


@dataclass(frozen=True)
class Artifact:
    """One file of a bundle that a runtime can execute (or, for `c`, a compiler can embed)."""

    file: str
    format: str
    scheme: str
    sha256: str
    bytes: int
    gzip_bytes: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    made_by: str
    """How the file came to be, e.g. `TFLiteConverter`, `tf2onnx from the int8 TFLite`."""
    validation: dict[str, Any] | None = None
    """How good this file's answers to validation samples are (`edgekit.metrics.Score`); None for `c`."""


@dataclass(frozen=True)
class Agreement:
    """How far two realisations of the model differ on the same validation samples.

    Attributes:
        reference, other: a file of the bundle, or the Keras model in memory: `float model`, or `fake-quant model` for
            int8 files of models trained with fake quantization.
        samples: how many.
        top1: share of samples with the same largest output, 0 to 1; None where an output is a single value.
        max_abs: largest difference of any output, in real units.
        max_steps: the same in steps of the output's scale; None where neither output is quantized.
        sqnr_db: signal-to-quantization-noise ratio in dB; None where the two are equal.
    """

    reference: str
    other: str
    samples: int
    top1: float | None
    max_abs: float
    max_steps: float | None
    sqnr_db: float | None


@dataclass(frozen=True)
class Manifest:
    """What `manifest.json` holds."""

    name: str
    recipe: str
    seed: int
    created: str
    edgekit: str
    preprocessing: Preprocessing
    class_names: tuple[str, ...]
    data: dict[str, Any]
    lineage: list[dict[str, Any]]
    ledger: list[dict[str, Any]]
    """The effect ledger (`edgekit.ledger.Entry`), empty for recipes without training stages."""
    artifacts: tuple[Artifact, ...]
    agreement: tuple[Agreement, ...]
    files: dict[str, dict[str, Any]]
    """The other files of the bundle: name -> {"sha256", "bytes"}."""
    packages: dict[str, str] = field(default_factory=dict)
    task: Task = CLASSIFICATION

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "schema": SCHEMA,
            **{f.name: getattr(self, f.name) for f in dataclasses.fields(self)},
            "preprocessing": self.preprocessing.to_dict(),
            "class_names": list(self.class_names),
            "task": self.task.to_dict(),
            "artifacts": [dataclasses.asdict(a) for a in self.artifacts],
            "agreement": [dataclasses.asdict(a) for a in self.agreement],
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any], source: str) -> Manifest:
        """Read the JSON form.

        Raises:
            InputError: it is no manifest, from a newer edgekit, or names files outside the bundle.
        """
        try:
            if value["schema"] != SCHEMA:
                raise InputError(
                    f"{source}: schema {value['schema']}, this edgekit reads {SCHEMA}", "install a newer edgekit"
                )
            fields = {f.name: value[f.name] for f in dataclasses.fields(cls) if f.name != "task"}
            fields["task"] = Task.from_dict(value["task"]) if "task" in value else CLASSIFICATION
            fields["preprocessing"] = Preprocessing.from_dict(value["preprocessing"])
            fields["class_names"] = tuple(value["class_names"])
            fields["artifacts"] = tuple(_artifact(a) for a in value["artifacts"])
            fields["agreement"] = tuple(Agreement(**a) for a in value["agreement"])
            manifest = cls(**fields)
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{source}: not a bundle manifest: {error!r}") from error
        for name in [*manifest.files, *(a.file for a in manifest.artifacts)]:
            if PurePosixPath(name).name != name or name in ("", ".", ".."):
                raise InputError(f"{source}: names a file outside the bundle: {name!r}")
        return manifest


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk."""

    path: Path
    manifest: Manifest

    def file(self, artifact: Artifact) -> Path:
        """Return the path of an artifact."""
        return self.path / artifact.file


def describe_file(path: Path) -> dict[str, Any]:
    """Return `sha256` and `bytes` of a file."""
    return {"sha256": sha256(path), "bytes": path.stat().st_size}


def artifact_numbers(path: Path) -> dict[str, Any]:
    """Return `sha256`, `bytes` and `gzip_bytes` of an artifact."""
    return {**describe_file(path), "gzip_bytes": gzip_bytes(path)}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `manifest.json`."""
    write_json(folder / MANIFEST, manifest.to_dict())


def read_bundle(path: Path, part: str | None = None) -> Bundle:
    """Open a bundle and check its files against their digests.

    Args:
        path: the folder.
        part: all others but this file may be missing; without it none may.

    Raises:
        InputError: no bundle, or a file is missing or was changed.
    """
    if not (path / MANIFEST).is_file():
        raise InputError(f"{path}: not an edgekit bundle (no {MANIFEST})", "make one with: edgekit compress")
    manifest = Manifest.from_dict(read_json(path / MANIFEST, "bundle manifest"), str(path / MANIFEST))
    expected = {a.file: a.sha256 for a in manifest.artifacts} | {n: f["sha256"] for n, f in manifest.files.items()}
    for name, digest in expected.items():
        file = path / name
        if not file.is_file():
            if part not in (None, name):
                continue
            raise InputError(f"{file}: is missing, {MANIFEST} lists it", "compress again, or copy the whole folder")
        if sha256(file) != digest:
            raise InputError(f"{file}: differs from the digest in {MANIFEST}", "it was changed or damaged; copy again")
    return Bundle(path, manifest)


def _artifact(value: Mapping[str, Any]) -> Artifact:
    tensors = {
        key: tuple(TensorSpec(**{**t, "shape": tuple(t["shape"])}) for t in value[key]) for key in ("inputs", "outputs")
    }
    return Artifact(**{**value, **tensors})
