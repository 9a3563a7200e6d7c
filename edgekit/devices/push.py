"""Copy a bundle's artifacts to a device or a folder: each file whole and verified, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edgekit.bundle.manifest import MANIFEST, Bundle, read_bundle
from edgekit.devices.device import connected
from edgekit.devices.target import Target
from edgekit.devices.transports import shell
from edgekit.devices.transports.base import Transport, retried
from edgekit.devices.transports.below import parts_below
from edgekit.devices.work import device_path
from edgekit.errors import InputError, MissingExtraError
from edgekit.errors.printable import quoted, visible
from edgekit.files.destinations import RECORD_BYTES, check_apart, prove
from edgekit.files.opening import expanded, inside, is_file, is_folder, open_file
from edgekit.files.whole import explained_write_errors, sha256
from edgekit.formats.companions import checked
from edgekit.formats.source import check_file
from edgekit.progress import SILENT, Progress

TIMEOUT = 30.0
SLOWEST = 100_000
"""Bytes a second below which a copy is given up."""
COMPANIONS = (MANIFEST, "README.txt")
MODELS = (".tflite", ".lite", ".onnx")
MAKE = (
    'case "$1" in /*) d=$1;; "~") d=$HOME;; "~/"*) d=$HOME/${1#"~/"};; *) d=$HOME/$1;; esac; '
    'mkdir -p "$d" && printf "%s\\n" "$d"'
)


@dataclass(frozen=True)
class Copied:
    """A file that is on the device now.

    Attributes:
        path: there.
        bytes: of the file.
        sha256: as the device computed it.
        sent: bytes that had to be copied; 0 if it was there already.
    """

    path: str
    bytes: int
    sha256: str
    sent: int


def push(
    source: Path,
    target: Target,
    dest: str | None = None,
    *,
    only: Sequence[str] = (),
    progress: Progress = SILENT,
) -> list[Copied]:
    """Copy the artifacts of a bundle with its manifest, or one file: of a bundle, or a model from elsewhere.

    A model file is checked before anything is sent, and the files with external data of an ONNX model come along. Every
    file replaces the one of its name there in one step. What an interrupted copy left is continued.

    What is sent lies in the bundle, or beside the model and below; what is written lies below the destination. Names
    are plain, and links neither here nor there are followed, but for the model's and the destination's own.

    Args:
        source: a bundle, or a single file.
        target: where.
        dest: the folder there; a relative one starts in the home folder (on this machine: here). By default
            `models/NAME`.
        only: formats or schemes, such as `tflite`; empty: all.
        progress: notified of every file.

    Returns:
        What is where.

    Raises:
        InputError: the bundle or the model is damaged, or holds nothing of what was asked for; or a name is no plain
            one, or a link leads out of its folder.
        TargetError: the device cannot be reached, or has no space, or a link is in the way there.
    """
    name, files = _files(source, only, progress)
    for place, path in files.items():
        parts_below(place)
        open_file(path, None if path == source else source if source.is_dir() else source.parent).close()
    if dest is not None and (not dest or visible(dest) != dest):
        raise InputError(
            f"--dest {quoted(dest)}: not the name of a folder",
            "give a path of printable characters",
            code="path-invalid",
        )
    folder = dest or "/".join(("models", *parts_below(name)))
    with connected(target, progress) as transport:
        if target.kind.is_host:
            there = expanded(folder).absolute()
            check_apart(there, [source if is_folder(source) else None], "--dest", replaced=False)
            prove(there, RECORD_BYTES + sum(path.stat().st_size for path in files.values()), into=True)
            with explained_write_errors(there):
                there.mkdir(parents=True, exist_ok=True)
            root = str(there)
        else:
            root = _make(transport, folder)
        found = []
        with progress.task(f"copying to {target.name}", len(files)) as task:
            for place, path in files.items():
                found.append(_copy(transport, path, root, place))
                task.advance(place)
    return found


def _files(source: Path, only: Sequence[str], progress: Progress) -> tuple[str, dict[str, Path]]:
    """Return the model's name, and what to copy: its path from the folder there -> where it is here."""
    if not is_folder(source):
        check_file(source)
        # The model last: it is never there without its data.
        return source.stem, {**_beside(source, progress), source.name: source}
    bundle = read_bundle(source)
    wanted = [a for a in bundle.manifest.artifacts if not only or a.format in only or a.scheme in only]
    if not wanted:
        raise InputError(
            f"{source}: holds nothing for --only {', '.join(only)}", f"it holds: {_held(bundle)}", code="unknown-name"
        )
    names = [*(a.file for a in wanted), *(c for c in COMPANIONS if (source / c).is_file())]
    return bundle.manifest.name, {name: source / name for name in names}


def _beside(source: Path, progress: Progress) -> dict[str, Path]:
    """Return the files that a model needs beside it; without the `onnx` package those of the default names."""
    if source.suffix.lower() not in MODELS:
        return {}
    try:
        return checked(source)
    except MissingExtraError as error:
        named = [source.with_name(source.name + ending) for ending in (".data", "_data")]
        found = {path.name: inside(path, source.parent) for path in named if is_file(path)}
        with_data = f"; {', '.join(found)} comes along" if found else ""
        progress.warn(
            f"{source.name}: its external data is not checked, {error.message}{with_data}", "external-data-unchecked"
        )
        return found


def _held(bundle: Bundle) -> str:
    return ", ".join(f"{a.scheme} {a.format}" for a in bundle.manifest.artifacts)


def _make(transport: Transport, folder: str) -> str:
    done = retried(lambda: transport.run(shell.script(MAKE, folder), timeout=TIMEOUT))
    if done.returncode != 0:
        raise shell.refused(transport.address, folder, done.stderr)
    return device_path(done.stdout.strip(), transport.address, "the folder to copy to")


def _copy(transport: Transport, local: Path, folder: str, name: str) -> Copied:
    digest, size = sha256(local), local.stat().st_size
    allowed = TIMEOUT + size / SLOWEST
    remote = str(PurePosixPath(folder, name))
    look = shell.below(shell.DIGEST, folder, name, digest)
    there = retried(lambda: transport.run(look, timeout=allowed))
    if there.returncode != 0:
        raise shell.refused(transport.address, remote, there.stderr)
    sent = 0
    if there.stdout.strip() != digest:
        sent = retried(lambda: transport.put(local, folder, name, digest, timeout=allowed))
    return Copied(remote, size, digest, sent)
