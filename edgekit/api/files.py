"""Files from Python: bundles and records read again, model files looked into, artifacts copied to devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import edgekit.bundle.manifest as manifests
from edgekit.api.reporting import ProgressOption, receiving
from edgekit.api.results import Bundle, BundleFile
from edgekit.api.rows import Record
from edgekit.api.words import face
from edgekit.bundle.records import read_record
from edgekit.devices.push import Copied
from edgekit.devices.push import push as copy
from edgekit.devices.target import Target
from edgekit.devices.targets import find_target
from edgekit.formats.info import FileInfo
from edgekit.formats.reading import inspect_file
from edgekit.progress import Reporter


@face
def load_bundle(path: str | Path) -> Bundle:
    """Read a bundle, and check its files against the digests in its manifest.

    Args:
        path: its folder.

    Raises:
        InputError: it is none, of a newer edgekit, or a file is missing or was changed.
    """
    return Bundle.of(manifests.read_bundle(Path(path)))


@face
def load_record(path: str | Path) -> Record:
    """Read a record that `edgekit bench` wrote, of this edgekit or an older one.

    Args:
        path: the JSON file.

    Raises:
        InputError: it is none, of a newer edgekit, or damaged.
    """
    return Record.of(read_record(Path(path)))


@face
def inspect(path: str | Path | BundleFile, *, input_shapes: Mapping[str, Sequence[int]] | None = None) -> FileInfo:
    """Return what a `.tflite` or `.onnx` file holds: inputs, outputs, operators, parameters, MACs, weights.

    Args:
        path: the file.
        input_shapes: sizes of inputs of an ONNX file, by name, for which its MACs are counted.

    Raises:
        InputError: it cannot be read, is neither of the two, or is damaged.
        MissingExtraError: it is an ONNX file and `onnx` is not installed.
    """
    return inspect_file(path.path if isinstance(path, BundleFile) else Path(path), input_shapes)


@face
def push(
    source: manifests.Bundle | BundleFile | str | Path,
    target: str | Path | Target,
    dest: str | None = None,
    *,
    host: str | None = None,
    identity: str | Path | None = None,
    trust_target: bool = False,
    only: Sequence[str] = (),
    progress: ProgressOption = False,
) -> list[Copied]:
    """Copy a bundle, or one file, to a board, a phone or a folder; every file whole and verified, or not at all.

    Args:
        source: a bundle or its path, or a file.
        target: a target's name or file, or a `Target`.
        dest: the folder there; by default `models/NAME` in the home folder.
        host: address of the board, or serial number of the phone.
        identity: private key file for ssh.
        trust_target: use the target's file whatever it says.
        only: of a bundle: formats and schemes.
        progress: as for `edgekit.compress`.

    Returns:
        What is where: path, bytes, SHA-256, and how many bytes were sent.

    Raises:
        EdgekitError: what the command line would say.
    """
    place = target if isinstance(target, Target) else find_target(str(target), trust=trust_target)
    place = place.at(host, str(identity) if identity else None)
    path = source.path if isinstance(source, (manifests.Bundle, BundleFile)) else Path(source)
    with receiving(progress) as receiver:
        return copy(path, place, dest, only=tuple(only), progress=Reporter(receiver))
