"""Reading `.npz` files that may come from anywhere: never unpickled, every failure explained."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from edgekit.data.sources.holdout import complete
from edgekit.data.sources.npz_member import member_array
from edgekit.data.sources.raw import Raw, arrange, known_keys
from edgekit.data.sources.registry import sources_expected
from edgekit.data.sources.spec import Request
from edgekit.errors import InputError
from edgekit.files.opening import plain
from edgekit.formats.numpy.archive import Archive, open_archive
from edgekit.tasks.samples import Array

KEYS = ("x_train", "y_train", "x_test", "y_test")
IN_MEMORY_BYTES = 1 << 30
"""Of all compressed arrays of a file that are read into the memory; further ones are unpacked into the cache."""
_KINDS = sources_expected()


def read(path: Path, keys: Sequence[str] = KEYS) -> dict[str, Array]:
    """Return the named arrays of an `.npz` file; large ones are mapped, not read.

    Raises:
        InputError: the file is missing, is no `.npz`, lacks a key, is damaged, or holds Python objects.
        OutputError: a large compressed array does not fit into the cache.
    """
    with open_archive(path, hint=_KINDS, expected=_expected(keys)) as archive:
        missing = [key for key in keys if key not in archive.members]
        if missing:
            raise InputError(
                f"{plain(path)}: has no {', '.join(f'`{key}`' for key in missing)}",
                _held(archive),
                code="array-missing",
            )
        return _arrays(archive, keys)


def read_all(path: Path, root: Path | None = None) -> dict[str, Array]:
    """Return all arrays of an `.npz` file; large ones are mapped, not read.

    Args:
        path: the file.
        root: a folder that it may not lead out of.

    Raises:
        InputError: as `read`; or it is a link that leaves the folder.
        OutputError: as `read`.
    """
    with open_archive(path, root, _KINDS, _expected(("x", "y"))) as archive:
        return _arrays(archive, archive.members)


def takes(request: Request) -> bool:
    """Return whether it is an `.npz` by its name (see `registry.Source`)."""
    return request.path.suffix == ".npz"


def raw(request: Request) -> Raw:
    """Return what an `.npz` file holds for training and testing; large arrays are mapped, not read.

    Raises:
        InputError: as `read`; or samples and labels do not belong together.
        OutputError: as `read`.
    """
    request.spec.allow()
    path = request.path
    with open_archive(path, hint=_KINDS, expected=_expected(KEYS)) as archive:
        held = known_keys(archive.members)
        if not any(key.startswith("x") for key in held):
            raise InputError(f"{plain(path)}: has no x_train, x_test", _held(archive), code="array-missing")
        arrays = _arrays(archive, held)
    return complete(arrange(arrays, plain(path)), plain(path))


def _arrays(archive: Archive, keys: Iterable[str]) -> dict[str, Array]:
    keys = list(keys)
    archive.check_ratio(keys)
    arrays: dict[str, Array] = {}
    room = IN_MEMORY_BYTES
    for key in keys:
        mapped = member_array(archive, key, room)
        arrays[key] = archive.read(key) if mapped is None else mapped
        room -= archive.members[key].file_size if mapped is None else 0
    return arrays


def _expected(keys: Sequence[str]) -> str:
    return f"expected an .npz with {', '.join(keys)}; without labels: np.savez('my.npz', x_train=a, x_test=b)"


def _held(archive: Archive) -> str:
    names = list(archive.members)
    return f"it holds: {', '.join(names[:20]) or 'nothing'}{', ...' if len(names) > 20 else ''}"
