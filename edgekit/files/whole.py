"""Files on disk: digests, sizes, and outputs that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from edgekit.errors import InputError, OutputError
from edgekit.errors.printable import visible
from edgekit.files.placing import place_file, replace_folder
from edgekit.files.scratch import Scratch, sweep
from edgekit.files.temporary import of_temporaries


def work_base() -> Path:
    """Return the folder for what may be needed again: $EDGEKIT_WORK, else edgekit's in the user's cache folder."""
    given = os.environ.get("EDGEKIT_WORK")
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgekit"


@contextmanager
def locked(path: Path, busy: str) -> Iterator[None]:
    """Hold a lock file, which a dead process cannot.

    Raises:
        InputError: `busy`, another process holds it.
        OutputError: it cannot be made there.
    """
    with explained_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        opened = path.open("w")
    with opened as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its last holder may have removed it between our open and our lock.
            ours = os.path.samestat(os.fstat(stream.fileno()), path.stat())
        except OSError:
            ours = False
        if not ours:
            raise InputError(busy, "wait until it has finished", code="already-running")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def gzip_bytes(path: Path) -> int:
    """Return the size of the file in bytes after `gzip -9` (without a file name or time in the header)."""
    deflate, size = zlib.compressobj(9, wbits=31), 0
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            size += len(deflate.compress(piece))
    return size + len(deflate.flush())


def write_json(path: Path, value: Any) -> None:
    """Write JSON, indented, through a temporary file."""
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


_OTHERS = (
    errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL, errno.EIO, errno.EBUSY, errno.EISDIR, errno.ENOTEMPTY, errno.ENODEV,
    errno.ENXIO, errno.EOPNOTSUPP, errno.ESTALE, errno.EXDEV,
)  # fmt: skip


@contextmanager
def explained_write_errors(target: Path) -> Iterator[None]:
    """Turn operating system errors while writing `target` into an `OutputError` that says why."""
    try:
        yield
    except OSError as error:
        if (full := of_temporaries(error)) is not None:
            raise full from error
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OutputError(
                f"{target}: no space left to write it ({error.strerror}); no partial output remains",
                "free some space, or choose another place with `--out` / `-o`",
                code="disk-full",
            ) from error
        why = _why_not_written(error)
        if not why:
            raise
        hint = "choose another place with `--out` / `-o`"
        raise OutputError(f"{target}: {why}", hint, code="output-not-writable") from error


def _why_not_written(error: OSError) -> str:
    """Return why a path cannot be written, for a message; empty for what is a fault of the program."""
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return f"no permission to write here ({error.strerror})"
    if isinstance(error, (NotADirectoryError, FileExistsError)):
        return f"cannot be created: `{error.filename}` is not a folder"
    if isinstance(error, FileNotFoundError):
        return f"cannot be created here ({error.strerror})"
    return f"cannot be written ({error.strerror})" if error.errno in _OTHERS else ""


@contextmanager
def atomic_file(path: Path, *, replace: bool = True) -> Iterator[Path]:
    """Yield a temporary path of the same name, in a folder beside `path`; on success it becomes `path`.

    Args:
        path: the file.
        replace: what is there by then; else it is left alone, also if another process made it meanwhile.

    Raises:
        OutputError: it cannot be written, or exists and `replace` is not set.
    """
    with explained_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep_once(path.parent)
        with Scratch(path.parent, _stem(path)) as folder:
            temporary = folder / path.name
            yield temporary
            if replace:
                temporary.replace(path)
            elif not place_file(temporary, path):
                raise Exists(path)


class Exists(OutputError):
    """Something is at the path by now.

    Attributes:
        path: where.
    """

    def __init__(self, path: Path) -> None:
        hint = "choose another name, or replace it with `--force`"
        super().__init__(f"{path}: already exists", hint, code="output-exists")
        self.path = path


@contextmanager
def atomic_folder(
    path: Path, *, force: bool = False, marker: str, keep: bool = False, strangers: Strangers | None = None
) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on success it becomes `path`, on any exception it is removed.

    Of two processes that make the same folder the first has it; the second replaces it with `force` only, and then as a
    whole.

    Args:
        path: the folder to create.
        force: replace an existing folder, if it holds a file named `marker`.
        marker: the file by which a folder is recognised as one that edgekit made (`manifest.json`).
        keep: where it cannot become `path` at the end, leave what was made under another name, and say which.
        strangers: names what edgekit did not put into a folder that is to be replaced; if it names any, none is.

    Raises:
        OutputError: `path` exists and `force` is not set, or `path` is something edgekit did not make.
    """
    check_free(path, force=force, marker=marker, strangers=strangers)
    with explained_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent, _ANY_STEM, _bring_back)
        with Scratch(path.parent, _stem(path)) as folder:
            temporary, retired = folder / "new" / path.name, folder / _OLD / path.name
            temporary.mkdir(parents=True)
            retired.parent.mkdir()
            yield temporary
            try:
                with explained_write_errors(path):
                    look = partial(check_free, path, force=force, marker=marker, strangers=strangers)
                    _publish(temporary, path, retired, marker, look)
            except OutputError as error:
                kept = _kept(temporary, path) if keep else None
                if kept is None:
                    raise
                message = f"{error.message}; the finished output is kept as `{kept}`"
                raise OutputError(message, "use it from there, or move it", code=error.code) from error


def _publish(temporary: Path, path: Path, retired: Path, marker: str, look: Callable[[], None]) -> None:
    """Give a finished folder its name.

    Raises:
        OutputError: something is there by now that may not be replaced.
        OSError: it cannot be renamed.
    """
    for _ in range(_TRIES):
        try:
            temporary.rename(path)  # where nothing is, or an empty folder
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
        try:
            look()
        except OutputError as error:
            message = f"{error.message}: another process made it in the meantime"
            raise OutputError(message, error.hint, code=error.code) from error
        try:
            replace_folder(temporary, path, retired)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
                raise
            continue  # a third one was quicker
        if temporary.exists() and not (temporary / marker).is_file():  # what was replaced just now is not ours
            replace_folder(temporary, path, retired)
            continue
        return
    raise OutputError(
        f"{path}: other processes keep replacing it", "wait until they have finished", code="already-running"
    )


def _kept(made: Path, path: Path) -> Path | None:
    """Move a finished folder to a free name beside the one it cannot have, or into the cache; return that."""
    for folder in (path.parent, work_base() / "kept"):
        for number in range(2, 100):
            other = folder / f"{path.name}-{number}"
            with contextlib.suppress(OSError):
                folder.mkdir(parents=True, exist_ok=True)
                if not os.path.lexists(other):
                    shutil.move(made, other)
                    return other
    return None


Strangers = Callable[[Path], Sequence[str]]


def check_free(path: Path, *, force: bool, marker: str, strangers: Strangers | None = None) -> None:
    """Raise `OutputError` if `path` may not become a new output folder (see `atomic_folder`)."""
    _sweep_once(path.parent)
    if not os.path.lexists(path):
        return
    if path.is_symlink() or not path.is_dir():
        raise OutputError(
            f"{path}: exists and is not a folder", "choose another place with `-o`", code="output-not-writable"
        )
    with explained_write_errors(path):
        if not any(path.iterdir()):
            return
    if not (path / marker).is_file():
        raise OutputError(
            f"{path}: not made by edgekit (no `{marker}` in it), so it is not replaced",
            "choose another place with `-o`",
            code="output-not-ours",
        )
    if not force:
        raise OutputError(
            f"{path}: already exists",
            "replace it with `--force`, or choose another place with `-o`",
            code="output-exists",
        )
    if strangers is not None and (names := strangers(path)):
        listed = visible(", ".join(names[:3])) + ", ..." * (len(names) > 3)
        raise OutputError(
            f"{path}: contains files that edgekit did not make and does not delete: `{listed}`",
            "move them away, or choose another place with `-o`",
            code="output-not-ours",
        )


def check_free_file(path: Path, *, force: bool) -> None:
    """Raise `OutputError` if the file exists and `force` is not set, or if it is a folder."""
    if path.is_dir():
        raise OutputError(
            f"{path}: is a folder, expected a file name", "name a file with `-o`", code="output-not-writable"
        )
    if os.path.lexists(path) and not force:
        raise OutputError(
            f"{path}: already exists",
            "replace it with `--force`, or choose another name with `-o`",
            code="output-exists",
        )


_OLD = "old"
_TRIES = 10
_ANY_STEM = r"\..+\.tmp-"
_swept: set[str] = set()


def _stem(path: Path) -> str:
    """Return how the folders beside `path` begin in which it is made; a name has at most 255 bytes."""
    return f".{os.fsdecode(os.fsencode(path.name)[:200])}.tmp-"


def _sweep_once(parent: Path) -> None:
    """Sweep a folder, the first time that this process writes there."""
    if (name := str(parent.absolute())) not in _swept:
        _swept.add(name)
        sweep(parent, _ANY_STEM, _bring_back)


def _bring_back(folder: Path) -> None:
    """Bring back a result that was caught in the middle of its replacement."""
    if (folder / _OLD).is_symlink() or not (folder / _OLD).is_dir():
        return
    for retired in (folder / _OLD).iterdir():
        path = folder.with_name(retired.name)
        if not path.exists() and not path.is_symlink():
            retired.rename(path)
