"""A folder with `x_train.npy`, `y_train.npy`, `x_test.npy`, `y_test.npy`: mapped, never unpickled."""

from __future__ import annotations

import os
from pathlib import Path

from edgekit.data.sources.holdout import complete
from edgekit.data.sources.npz_member import mapped
from edgekit.data.sources.raw import Raw, arrange, known_keys
from edgekit.data.sources.spec import Request
from edgekit.errors import InputError
from edgekit.files.opening import open_file, plain
from edgekit.formats.numpy.header import read_array
from edgekit.tasks.samples import Array

_SUFFIX = ".npy"


def takes(request: Request) -> bool:
    """Return whether it is a folder with samples as `.npy` (see `registry.Source`)."""
    return request.there == "a folder" and any(key.startswith("x") for key in _keys(request.path))


def raw(request: Request) -> Raw:
    """Return the arrays of a folder, mapped read-only.

    Raises:
        InputError: a file is damaged, holds Python objects, leads out of the folder, or samples and labels do not
            belong together.
    """
    request.spec.allow()
    folder = request.path
    arrays = {key: _mapped(folder / f"{key}{_SUFFIX}", folder) for key in _keys(folder)}
    return complete(arrange(arrays, plain(folder)), plain(folder))


def _keys(folder: Path) -> list[str]:
    try:
        names = sorted(path.name.removesuffix(_SUFFIX) for path in folder.iterdir() if path.name.endswith(_SUFFIX))
    except OSError as error:
        raise InputError(
            f"{plain(folder)}: cannot be read: {error.strerror}",
            "check the permissions: ls -ld FOLDER",
            code="file-unreadable",
        ) from error
    return known_keys(names)


def _mapped(path: Path, folder: Path) -> Array:
    try:
        with open_file(path, folder) as stream:
            if stream.read(4) == b"PK\x03\x04":
                raise InputError(
                    f"{plain(path)}: is an .npz file by its content",
                    "rename it to .npz and give that",
                    code="format-unexpected",
                )
            size, subject = os.fstat(stream.fileno()).st_size, f"{plain(path)}:"
            array = mapped(stream, 0, size, subject)
            if array is None:
                stream.seek(0)
                array = read_array(stream, size, subject)
            return array
    except OSError as error:
        raise InputError(
            f"{plain(path)}: cannot be read: {error.strerror}", "check the disk", code="file-unreadable"
        ) from error
