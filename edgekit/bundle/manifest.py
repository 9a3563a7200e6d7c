"""The bundle: a folder of artifacts and the `manifest.json` that says what each of them is."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, NotRequired, TypedDict

from edgekit.bundle.agreement import Agreement
from edgekit.bundle.ledger import Entry
from edgekit.bundle.recipe_file import Scheme
from edgekit.bundle.schemes import FORMATS, SCHEMES
from edgekit.errors import InputError
from edgekit.errors.printable import quoted
from edgekit.files.whole import gzip_bytes, sha256, write_json
from edgekit.schema.document import open_regular
from edgekit.schema.gate import read, read_json
from edgekit.schema.mixups import recognised
from edgekit.schema.rules import Count, Digest, Natural, PlainName, Range, Sized, Wrong, one_of
from edgekit.schema.types import JsonMapping, JsonObject
from edgekit.schema.versions import Versions
from edgekit.tasks.metrics import ScoreForm
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.register import METRICS, fitting
from edgekit.tasks.task import CLASSIFICATION, Task
from edgekit.tasks.tensors import TensorSpec

VERSIONS = Versions("bundle manifest", 1)
MANIFEST = "manifest.json"
EVAL = "eval.npz"
RECIPE = "recipe.toml"
README = "README.txt"
OWN = (MANIFEST, EVAL, RECIPE, README)
"""Files that a bundle has besides its artifacts, whether the manifest lists them or not."""
SUFFIXES = {"tflite": ".tflite", "onnx": ".onnx", "c": ".h"}


@dataclass(frozen=True)
class Artifact:
    """One file of a bundle that a runtime can execute (or, for `c`, a compiler can embed)."""

    file: PlainName
    format: Annotated[str, one_of(*FORMATS)]
    scheme: Scheme
    sha256: Digest
    bytes: Natural
    gzip_bytes: Natural
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    made_by: str
    """How the file came to be, e.g. `TFLiteConverter`, `tf2onnx from the int8 TFLite`."""
    validation: ScoreForm | None = None
    """How good this file's outputs for the samples of `data.check` are (`edgekit.tasks.metrics.Score`), or for
    validation samples in bundles of older edgekits, which name none; None for `c`."""
    rewrites: dict[str, Count] = field(default_factory=dict)
    """What was rewritten in the model before quantization (`edgekit.export.rewrites`): name to the number of places."""
    weights_in_8_bits: Annotated[float, Range(0, 1)] | None = None
    """Share of the bytes of its weights that are stored in 8 bits or fewer; None for `c`, and where it has none."""

    reverted: tuple[str, ...] = ()
    """Names of the operators of an int8 file that compute in float, because `max_drop` asked for it."""

    def to_dict(self) -> JsonObject:
        """Return the JSON form; what only a limit on losses fills is left out where there was none."""
        form = dataclasses.asdict(self)
        return form if self.reverted else {key: value for key, value in form.items() if key != "reverted"}

    def wide_weights(self) -> str:
        """Return a sentence about weights that a file of int8 or int4 weights has in more bits, or an empty string."""
        share = self.weights_in_8_bits
        if share is None or share >= 1 or SCHEMES[self.scheme].weight_bits > 8:
            return ""
        percent = math.floor(1000 * share) / 10  # what is not all is not called 100.0 %
        return f"{self.file}: {percent:.1f} % of the bytes of its weights are in 8 bits or fewer"

    def check_consistent(self) -> None:
        """Raise `Wrong` for a file that is not called as its format is."""
        if not self.file.endswith(SUFFIXES[self.format]):
            raise Wrong(f"is {quoted(self.file)}, expected a name that ends in {SUFFIXES[self.format]}", path=("file",))


class Part(TypedDict):
    """Samples of one part of the data."""

    samples: Count
    of: NotRequired[Count]
    split: NotRequired[str]


class TestPart(Part):
    """The test part, with the scores of the files and of the source model on it."""

    scores: dict[str, ScoreForm]


class JudgedOn(TypedDict):
    """The samples that files were judged on.

    `check` are those that the artifacts' scores (`Artifact.validation`) and the agreement are on: of the test part
    where no stage trained, else of the validation part; `test` the files on the test part after training stages;
    `held_out` says that the test part was cut from the only samples there were.
    """

    check: NotRequired[Part]
    test: NotRequired[TestPart]
    held_out: NotRequired[bool]


class Data(JudgedOn):
    """The data that a bundle was made with."""

    name: NotRequired[str]
    sha256: NotRequired[str]
    calibration: NotRequired[Part]
    validation: NotRequired[Part]
    eval: NotRequired[Part]


class Listed(TypedDict):
    """Another file of a bundle."""

    sha256: Digest
    bytes: Count


class Numbers(Listed):
    """Of an artifact."""

    gzip_bytes: Count


@dataclass(frozen=True)
class Manifest:
    """What `manifest.json` holds."""

    name: PlainName
    recipe: str
    seed: Count
    created: str
    edgekit: str
    preprocessing: Preprocessing
    class_names: tuple[str, ...]
    data: Data
    lineage: list[JsonObject]
    ledger: tuple[Entry, ...]
    """The effect ledger, empty for recipes without training stages."""
    artifacts: Annotated[tuple[Artifact, ...], Sized(1)]
    agreement: tuple[Agreement, ...]
    files: dict[PlainName, Listed]
    """The other files of the bundle, by name."""
    packages: dict[str, str] = field(default_factory=dict)
    task: Task = CLASSIFICATION

    def to_dict(self) -> JsonObject:
        """Return the JSON form."""
        return {
            "schema": VERSIONS.newest,
            **{f.name: getattr(self, f.name) for f in dataclasses.fields(self)},
            "preprocessing": self.preprocessing.to_dict(),
            "class_names": list(self.class_names),
            "task": self.task.to_dict(),
            "ledger": [entry.to_dict() for entry in self.ledger],
            "artifacts": [a.to_dict() for a in self.artifacts],
            "agreement": [a.to_dict() for a in self.agreement],
        }

    @classmethod
    def from_dict(cls, value: JsonMapping, source: str) -> Manifest:
        """Read the JSON form.

        Raises:
            InputError: it is no manifest, from a newer edgekit, or names files outside the bundle.
        """
        hint = "the bundle is damaged: copy it again, or compress again"
        return read(cls, value, source, "bundle manifest", hint, VERSIONS)

    def check_consistent(self) -> None:
        """Raise `Wrong` for names that are given twice, and for metrics that would run code or that nobody knows."""
        seen = {MANIFEST.casefold()}
        places: list[tuple[tuple[str | int, ...], str]] = [
            (("artifacts", index, "file"), artifact.file) for index, artifact in enumerate(self.artifacts)
        ]
        places += [(("files", name), name) for name in self.files]
        for path, name in places:
            if name.casefold() in seen:
                raise Wrong(f"is {quoted(name)}, a name that another file of the bundle has", path=path)
            seen.add(name.casefold())
        for index, head in enumerate(self.task.heads):
            known = METRICS.get(head.metric)
            own = index == 0 and ":" in head.metric  # run only where the user names it, too
            if not own and (known is None or head.kind not in known.kinds):
                reason = f"is {quoted(head.metric)}, expected one for {head.kind}: {fitting(head.kind)}"
                raise Wrong(reason, path=("task", "heads", index, "metric"), code="unknown-name")


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk.

    Attributes:
        path: the folder.
        manifest: of it.
        lost: of a fresh bundle what its files clearly lost against the model they come from, a sentence a file.
        advice: what to try next then, as it is typed.
        large: whether so much is lost that a file is none to use.
    """

    path: Path
    manifest: Manifest
    lost: tuple[str, ...] = ()
    advice: str = ""
    large: bool = False

    @property
    def refusal(self) -> str:
        """Why a fresh bundle is not to be used, a sentence; empty where its losses are small."""
        return f"{self.path}: the bundle is kept, and lost too much to be used: {self.lost[0]}" if self.large else ""

    def file(self, artifact: Artifact) -> Path:
        """Return the path of an artifact."""
        return self.path / artifact.file


def describe_file(path: Path) -> Listed:
    """Return `sha256` and `bytes` of a file."""
    return {"sha256": sha256(path), "bytes": path.stat().st_size}


def artifact_numbers(path: Path) -> Numbers:
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
    if not (path / MANIFEST).exists():
        with recognised(path, "bundle or a model file"):
            hint = "make one with: edgekit compress"
            raise InputError(f"{path}: not an edgekit bundle (no {MANIFEST})", hint, code="not-a-bundle")
    manifest = Manifest.from_dict(read_json(path / MANIFEST, "bundle manifest", follow=False), str(path / MANIFEST))
    expected = {a.file: (a.sha256, a.bytes) for a in manifest.artifacts}
    expected |= {name: (listed["sha256"], listed["bytes"]) for name, listed in manifest.files.items()}
    for name in dict.fromkeys((*expected, *OWN)):
        file = path / name
        if not os.path.lexists(file):
            if name not in expected or part not in (None, name):
                continue
            hint = "compress again, or copy the whole folder"
            raise InputError(f"{file}: is missing, {MANIFEST} lists it", hint, code="bundle-incomplete")
        if not _same(file, expected.get(name)):
            hint = "it was changed or damaged; copy again"
            raise InputError(f"{file}: differs from the digest in {MANIFEST}", hint, code="digest-mismatch")
    return Bundle(path, manifest)


def strangers(path: Path) -> list[str]:
    """Return what is in a folder that no bundle's manifest there lists; the manifest, if it is none of a bundle."""
    try:
        value = read_json(path / MANIFEST, "bundle manifest", follow=False)
    except InputError:
        return [MANIFEST]
    artifacts, files = (value.get(key) for key in ("artifacts", "files")) if isinstance(value, dict) else (None, None)
    if not isinstance(artifacts, list) or not isinstance(files, dict) or "schema" not in value:
        return [MANIFEST]
    known = {*OWN, *files, *(str(entry.get("file")) for entry in artifacts if isinstance(entry, dict))}
    with os.scandir(path) as entries:
        return sorted(e.name for e in entries if e.name not in known or not e.is_file(follow_symlinks=False))


def _same(file: Path, expected: tuple[str, int] | None) -> bool:
    """Return whether a file of a bundle, a regular one and no link, has this digest and size, if they are given."""
    try:
        with os.fdopen(open_regular(file, follow=False), "rb") as stream:
            if expected is None:
                return True
            digest, size = expected
            same = os.fstat(stream.fileno()).st_size == size
            return same and hashlib.file_digest(stream, "sha256").hexdigest() == digest
    except OSError as error:
        raise InputError(
            f"{file}: cannot be read: {error.strerror}",
            "a bundle holds plain files only; copy what it points to",
            code="file-unreadable",
        ) from error
