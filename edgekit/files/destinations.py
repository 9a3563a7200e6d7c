"""Places for results, proved before the work: hours of measuring must not end at a full disk or a file in the way."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from edgekit.errors import OutputError
from edgekit.files.opening import brief
from edgekit.files.scratch import Scratch
from edgekit.files.whole import Strangers, check_free, explained_write_errors

RECORD_BYTES = 1 << 20
"""Of free space that a record or a small file needs at least."""
BUNDLE_BYTES = 8 << 20
"""Of a bundle, besides some copies of its model."""
COPIES = 2
_TRIED = 1 << 16
_ELSEWHERE = "choose another place"


def prove(path: Path, needed: int = RECORD_BYTES, *, into: bool = False) -> None:
    """Prove that a file or folder can be made at a path: a temporary of the same name is, and is removed again.

    Args:
        path: of the output; folders on the way may be missing. Whether something is there already is not looked at.
        needed: bytes of free space.
        into: the path is a folder that may be there, and gets more files.

    Raises:
        OutputError: it cannot, and why.
    """
    if "\0" in str(path):
        raise OutputError(f"{brief(path)}: the name contains a NUL byte", _ELSEWHERE, code="path-invalid")
    if not into and (path.name in ("", "..") or path.name.strip() != path.name):
        raise OutputError(
            f"{brief(path)}: not a name for a new file or folder",
            "end the path in a name without spaces around it",
            code="path-invalid",
        )
    with explained_write_errors(path):
        there, missing = _nearest(path / "probe" if into else path)
        if ".." in missing:
            raise OutputError(
                f"{brief(path)}: passes through a folder that does not exist", _ELSEWHERE, code="path-invalid"
            )
        if not there.is_dir():
            raise OutputError(
                f"{brief(path)}: cannot be created: `{brief(there)}` is not a folder",
                _ELSEWHERE,
                code="output-not-writable",
            )
        with Scratch(there, ".edgekit-try.tmp-") as folder:
            place = folder.joinpath(*missing)
            place.mkdir(parents=True)
            probe = place / "probe"
            with probe.open("wb") as stream:  # quotas are met by writing only
                stream.write(bytes(_TRIED))
                stream.flush()
                os.fsync(stream.fileno())
            probe.unlink()
            disk = os.statvfs(place)
        free = disk.f_bavail * disk.f_frsize
    if disk.f_blocks and free < needed:
        raise OutputError(
            f"{brief(path)}: no space left to write it: {free >> 10:,} KiB are free, at least {needed >> 10:,} KiB "
            "are needed",
            f"free some space, or {_ELSEWHERE}",
            code="disk-full",
        )


def check_default(folder: Path) -> None:
    """Check a folder for results that the user did not name: a link there may be anybody's, and lead anywhere.

    Raises:
        OutputError: it is one.
    """
    if folder.is_symlink():
        raise OutputError(
            f"{brief(folder)}: the default output folder is a symbolic link, which may lead anywhere",
            "name the folder to write to with `--out`",
            code="output-is-link",
        )


def check_apart(out: Path, inputs: Iterable[Path | str | None], option: str = "-o", *, replaced: bool = True) -> None:
    """Check that an output is none of the inputs, and neither inside one nor around one.

    Args:
        out: what will be made or replaced.
        inputs: files and folders that are read; other texts, and None, are passed over.
        option: names the output in messages.
        replaced: whether what is at `out` goes; else it may be around an input.

    Raises:
        OutputError: it is.
    """
    mine = os.path.realpath(out)
    for item in inputs:
        if item is None or "\0" in str(item) or not os.path.lexists(item):
            continue
        theirs = os.path.realpath(item)
        if mine == theirs:
            what = f"is the input `{brief(item)}` itself"
        elif _within(mine, theirs) and Path(theirs).is_dir():
            what = f"is inside the input `{brief(item)}`, which must not change"
        elif replaced and _within(theirs, mine):
            what = f"contains the input `{brief(item)}`, which would be replaced with it"
        else:
            continue
        raise OutputError(
            f"`{option} {brief(out)}`: {what}", f"choose another place with `{option}`", code="output-overlaps-input"
        )


def _within(path: str, folder: str) -> bool:
    return path.startswith(os.path.join(folder, ""))  # noqa: PTH118 - a prefix ends in a slash


def _nearest(path: Path) -> tuple[Path, list[str]]:
    """Return the nearest folder on the way that is there, and the names below it."""
    there, missing = path.parent, [path.name]
    while not os.path.lexists(there) and there != there.parent:
        missing.insert(0, there.name)
        there = there.parent
    there.stat()  # a link that leads nowhere, or not to be looked at
    return there, missing


def prove_bundle(
    out: Path, model: Path | None, *inputs: Path | str, force: bool, marker: str, strangers: Strangers | None = None
) -> None:
    """Prove, before any work, that a bundle can be made at `out`.

    Args:
        out: the folder to create.
        model: what is compressed; None: a model that is trained first.
        inputs: other files and folders that are read; texts that name none are passed over.
        force: an older bundle there will be replaced.
        marker: the file by which one is recognised.
        strangers: as for `edgekit.files.whole.atomic_folder`.

    Raises:
        OutputError: it cannot: something is there, or in the way, or part of the inputs, or there is no space.
    """
    check_apart(out, [model, *inputs])
    prove(out, BUNDLE_BYTES + COPIES * _size(model))
    check_free(out, force=force, marker=marker, strangers=strangers)


def _size(path: Path | None) -> int:
    try:
        return path.stat().st_size if path is not None and path.is_file() else 0
    except OSError:
        return 0
