"""HDF5 files, archives and folders that reach outside, or claim more than they hold."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.models.files.gate.archive import Bomb, check_archive, extract
from edgekit.models.files.gate.folder import Leaves, check_folder
from edgekit.models.files.gate.hdf5 import Untrusted, check_hdf5

h5py = pytest.importorskip("h5py")


def external_link(file: Any, secret: Path) -> None:
    file["w"] = h5py.ExternalLink(str(secret), "/x")


def soft_link(file: Any, secret: Path) -> None:
    file["w"] = h5py.SoftLink("/elsewhere")


def circle(file: Any, secret: Path) -> None:
    file.create_group("a")["w"] = file["/"]


def external_storage(file: Any, secret: Path) -> None:
    file.create_dataset("w", (4,), "f4", external=[(str(secret), 0, 16)])


def virtual(file: Any, secret: Path) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource(str(secret), "x", (4,))
    file.create_virtual_dataset("w", layout)


def claims_a_terabyte(file: Any, secret: Path) -> None:
    file.create_dataset("w", (2**20, 2**18), "f4", chunks=(1024, 1024))


def claims_a_terabyte_in_one_piece(file: Any, secret: Path) -> None:
    file.create_dataset("w", (2**20, 2**18), "f4")


def objects(file: Any, secret: Path) -> None:
    file.create_dataset("w", (1,), h5py.string_dtype())


def references(file: Any, secret: Path) -> None:
    file.attrs.create("w", file["/"].ref, dtype=h5py.ref_dtype)


def many_attributes(file: Any, secret: Path) -> None:
    for number in range(1_001):
        file.attrs[f"a{number}"] = 1


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (external_link, "`/w` is a link to"),
        (soft_link, "`/w` is a link"),
        (circle, "is in it twice"),
        (external_storage, "are in other files"),
        (virtual, "are in other files"),
        (claims_a_terabyte, "claims"),
        (claims_a_terabyte_in_one_piece, "claims"),
        (objects, "not numbers"),
        (references, "attribute `w`"),
        (many_attributes, "1,001 attributes"),
    ],
)
def test_hdf5_that_is_more_than_its_bytes(tmp_path: Path, edit: Callable[[Any, Path], None], why: str) -> None:
    path, secret = tmp_path / "m.h5", tmp_path / "secret"
    secret.write_bytes(bytes(64))
    with h5py.File(path, "w") as file:
        file["good"] = np.ones(10, np.float32)
        edit(file, secret)
    with h5py.File(path, "r") as file, pytest.raises(Untrusted, match=why):
        check_hdf5(file, path.stat().st_size)


def test_hdf5_as_keras_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("layers/dense/vars")
        group["0"] = np.ones((10, 10), np.float32)
        group.create_dataset("1", data=np.zeros((100, 100), np.float16), compression="gzip", shuffle=True)
        group.attrs["weight_names"] = [b"kernel", b"bias"]
        file.attrs["model_config"] = "{}"
    with h5py.File(path, "r") as file:
        assert check_hdf5(file, path.stat().st_size) == 400 + 20_000


def test_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.keras"
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", b"{}")
        archive.writestr("config.json", b"[]")
    with zipfile.ZipFile(path) as archive, pytest.raises(Bomb, match=r"holds `config\.json` twice"):
        check_archive(archive, path.stat().st_size)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(3 << 20))
    with zipfile.ZipFile(path) as archive:
        check_archive(archive, path.stat().st_size)
        monkeypatch.setattr("edgekit.models.files.gate.archive.EXPANSION_FLOOR", 1 << 20)
        with pytest.raises(Bomb, match="would grow to 3 MiB"):
            check_archive(archive, path.stat().st_size)
        extract(archive, "a", tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == bytes(3 << 20)
        with pytest.raises(FileExistsError):
            extract(archive, "a", tmp_path / "copy")


def test_more_members_than_a_model_has(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(10_001):
            archive.writestr(str(number), b"")
    with zipfile.ZipFile(path) as archive, pytest.raises(Bomb, match="10,001 files"):
        check_archive(archive, 1)


@pytest.mark.parametrize("kind", ["link out", "folder out", "folder in", "dangling", "circle", "pipe", "parents"])
def test_folders_that_reach_outside(tmp_path: Path, kind: str) -> None:
    folder, outside = tmp_path / "m", tmp_path / "outside"
    (folder / "variables").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (folder / "saved_model.pb").write_text("graph")
    check_folder(folder)
    (folder / "variables" / "alias").symlink_to("../saved_model.pb")
    check_folder(folder)  # a link inside is the folder's own
    place = folder / "variables" / "evil"
    if kind == "pipe":
        os.mkfifo(place)
    else:
        goal = {"link out": outside / "secret", "folder out": outside, "folder in": folder, "dangling": folder / "no"}
        goal |= {"circle": place, "parents": Path("../../outside/secret")}
        place.symlink_to(goal[kind])
    with pytest.raises(Leaves, match="`variables/evil`"):
        check_folder(folder)
