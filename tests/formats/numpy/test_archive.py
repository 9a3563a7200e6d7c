"""Members of `.npz` files: what a zip file may say of itself, and how much is unpacked on its word."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.hostile.data_files import arrays, bomb, headed, literal, members, npy, npz, packed
from edgekit.data.loading import load_raw
from edgekit.data.sources import npz as npz_data
from edgekit.data.sources import npz_member
from edgekit.errors import InputError, OutputError
from edgekit.formats.numpy import archive
from edgekit.formats.numpy.archive import read_arrays
from tests.support.raised import raised

X = npy(arrays()["x_train"])
DEFLATED = zlib.compress(X)[2:-4]
WHOLE = npz(members())
END = WHOLE.rindex(b"PK\x05\x06")


def by_hand(**said: int) -> bytes:
    return packed([(name.encode(), data, said if name.startswith("x_train") else {}) for name, data in members()])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.npz"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (npz([*members(), ("/etc/x.npy", X)]), ("archive-suspicious", "`/etc/x.npy`")),
        (npz([*members(), ("../../x.npy", X)]), ("archive-suspicious", "`../../x.npy`")),
        (npz([*members(), ("x_train/../a.npy", X)]), ("archive-suspicious",)),
        (npz([*members(), ("..\\x.npy", X)]), ("archive-suspicious",)),
        (npz([*members(), ("\\\\host\\x.npy", X)]), ("archive-suspicious",)),
        (packed([(b"x_train\0.npy", X, {})]), ("archive-suspicious", r"`x_train\x00.npy`")),
        (packed([(b"\0\0\0\0", X, {})]), ("archive-suspicious", r"`\x00\x00\x00\x00`")),
        (npz([*members(), ("x/\x1b[31m.npy", X)]), ("archive-suspicious", r"`x/\x1b[31m.npy`")),
        (npz([*members(), ("x/\u202e.npy", X)]), ("archive-suspicious", r"`x/\u202e.npy`")),
        (npz([*members(), ("n" * 2000, X)]), ("archive-suspicious", "1024", "`nnn")),
        (packed([(b"x/\xff.npy", X, {"flags": 0x800})]), ("file-damaged",)),
        (npz([*members(), ("x_train.npy", X)]), ("file-damaged", "`x_train`")),
        (npz([*members(), ("x_train", X)]), ("file-damaged", "`x_train`")),
        (npz(members(), zipfile.ZIP_BZIP2), ("archive-suspicious", "x_train", "12")),
        (npz(members(), zipfile.ZIP_LZMA), ("archive-suspicious", "14")),
        (by_hand(method=99), ("archive-suspicious", "99")),
        (by_hand(flags=0x1), ("archive-suspicious", "x_train is encrypted")),
        (by_hand(flags=0x41), ("archive-suspicious", "x_train is encrypted")),
        (by_hand(flags=0x20), ("file-damaged",)),
        (by_hand(size=10), ("archive-suspicious", "x_train", "10", "1,088")),
        (by_hand(size=1 << 30), ("archive-suspicious", "x_train", "1,073,741,824")),
        (by_hand(size=1 << 30, packed=1 << 30), ("file-damaged", "x_train")),
        (by_hand(size=500, packed=500), ("file-damaged", "CRC-32")),
        (by_hand(crc=1), ("file-damaged", "CRC-32")),
        (by_hand(offset=1 << 30), ("file-damaged",)),
        (by_hand(offset=100), ("archive-suspicious",)),
        (
            packed([(b"x.npy", DEFLATED, {"method": 8, "size": 0xFFFFFFFE, "crc": 0})]),
            ("archive-suspicious", "4,294,967,294"),
        ),
        (packed([(b"x.npy", X, {"method": 8, "size": len(X)})]), ("file-damaged",)),
        (packed([(n.encode(), d, {"offset": 0}) for n, d in members()]), ("archive-suspicious", "overlaps")),
        (WHOLE[:END], ("file-damaged",)),
        (b"", ("file-empty",)),
        (b"hello", ("format-unexpected",)),
        (X, ("format-unexpected", "a single array")),
        (npz(members(x_train=WHOLE)), ("file-damaged", "x_train")),
        (npz(members(x_train=b"hello")), ("file-damaged", "x_train")),
        (npz(members(x_train=headed(literal(shape="(1099511627776, 4)")))), ("file-damaged", "x_train")),
    ],
)
def test_what_lies_is_refused(path: Path, data: bytes, expected: tuple[str, ...]) -> None:
    path.write_bytes(data)
    with raised(*expected):
        read_arrays(path)
    with pytest.raises(InputError, match=r"a\.npz"):
        load_raw(str(path))


@pytest.mark.parametrize(
    "data",
    [
        npz([("x_train/", b""), *members(), ("README.txt", b"hello")]),
        npz(members(), zipfile.ZIP_DEFLATED),
        WHOLE + b"\0" * 99,
        by_hand(extra=99),
    ],
)
def test_what_is_only_odd_is_read(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    np.testing.assert_array_equal(load_raw(str(path)).x_train, arrays()["x_train"])


def test_a_list_of_members_that_fills_the_memory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(WHOLE)
    monkeypatch.setattr(archive, "MOST_DIRECTORY", 100)
    monkeypatch.setattr(archive.zipfile, "ZipFile", lambda _: pytest.fail("the list was read"))
    with raised("archive-suspicious", "MiB of array names"):
        read_arrays(path)
    # The end is where the zip library looks for it, whatever else looks like one.
    path.write_bytes(WHOLE[: END + 8] + b"PK\x05\x06" + WHOLE[END + 12 :])
    with raised("archive-suspicious", "MiB of array names"):
        read_arrays(path)


def test_zip_bombs(path: Path, work_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for data in (bomb(2), bomb(1, [b"x_train/a.npy", b"x_train/b.npy"])):
        path.write_bytes(data)
        for reader in (load_raw, lambda p: read_arrays(Path(p))):
            with raised("archive-suspicious", "2,048"):
                reader(str(path))
    assert not list(work_folder.rglob("*"))


def test_what_does_not_fit_into_the_memory_is_unpacked_to_the_disk(
    path: Path, work_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(npz(members(), zipfile.ZIP_DEFLATED))
    monkeypatch.setattr(npz_data, "IN_MEMORY_BYTES", 2000)
    raw: Any = load_raw(str(path))
    kinds = [isinstance(getattr(raw, key), np.memmap) for key in arrays()]
    assert kinds == [False, False, True, True]  # of 1,088, 608, 608 and 368 bytes
    np.testing.assert_array_equal(raw.x_test, arrays()["x_test"])
    monkeypatch.setattr("edgekit.data.sources.cache.SPARE_BYTES", 1 << 60)
    path.write_bytes(npz(members(x_test=npy(arrays()["x_test"] + 1)), zipfile.ZIP_DEFLATED))
    with pytest.raises(OutputError, match="of the cache folder"):
        load_raw(str(path))


def test_nothing_is_unpacked_before_its_header_is_read(
    path: Path, work_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npz_member, "UNPACK_BYTES", 0)
    lying = headed(literal(shape="(1099511627776, 4)"), b"\0" * 100_000)
    path.write_bytes(npz(members(x_train=lying), zipfile.ZIP_DEFLATED))
    with raised("file-damaged", "x_train"):
        load_raw(str(path))
    assert not [p for p in work_folder.rglob("*") if p.is_file()]


def test_an_end_of_64_bits(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of members of more than 4 GiB says so in another record."""
    end64 = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 4, 4, 1 << 40, END)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, END, 1)
    path.write_bytes(WHOLE[:END] + end64 + locator + WHOLE[END:])
    monkeypatch.setattr(archive.zipfile, "ZipFile", lambda _: pytest.fail("the list was read"))
    with raised("archive-suspicious", "MiB of array names"):
        read_arrays(path)
