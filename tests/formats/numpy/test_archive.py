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
    ("data", "message"),
    [
        (npz([*members(), ("/etc/x.npy", X)]), "`/etc/x.npy` is no name of an array"),
        (npz([*members(), ("../../x.npy", X)]), "`../../x.npy` is no name"),
        (npz([*members(), ("x_train/../a.npy", X)]), "is no name"),
        (npz([*members(), ("..\\x.npy", X)]), "is no name"),
        (npz([*members(), ("\\\\host\\x.npy", X)]), "is no name"),
        (packed([(b"x_train\0.npy", X, {})]), r"`x_train\\x00.npy` is no name"),
        (packed([(b"\0\0\0\0", X, {})]), r"`\\x00\\x00\\x00\\x00` is no name"),
        (npz([*members(), ("x/\x1b[31m.npy", X)]), r"`x/\\x1b\[31m.npy` is no name"),
        (npz([*members(), ("x/\u202e.npy", X)]), r"`x/\\u202e.npy` is no name"),
        (npz([*members(), ("n" * 2000, X)]), "an array's name has more than 1024 bytes: nnn"),
        (packed([(b"x/\xff.npy", X, {"flags": 0x800})]), "not a readable .npz file"),
        (npz([*members(), ("x_train.npy", X)]), "holds `x_train` twice"),
        (npz([*members(), ("x_train", X)]), "holds `x_train` twice"),
        (npz(members(), zipfile.ZIP_BZIP2), "x_train is compressed by method 12, which NumPy does not write"),
        (npz(members(), zipfile.ZIP_LZMA), "compressed by method 14"),
        (by_hand(method=99), "compressed by method 99"),
        (by_hand(flags=0x1), "x_train is encrypted"),
        (by_hand(flags=0x41), "x_train is encrypted"),
        (by_hand(flags=0x20), "not a readable .npz file"),
        (by_hand(size=10), "x_train cannot have 10 bytes: 1,088 are there, stored"),
        (by_hand(size=1 << 30), "x_train cannot have 1,073,741,824 bytes"),
        (by_hand(size=1 << 30, packed=1 << 30), "overlaps|is cut off"),
        (by_hand(size=500, packed=500), "not a readable .npz file: Bad CRC-32"),
        (by_hand(crc=1), "not a readable .npz file: Bad CRC-32"),
        (by_hand(offset=1 << 30), "is cut off"),
        (by_hand(offset=100), "overlaps another array|not a readable"),
        (packed([(b"x.npy", DEFLATED, {"method": 8, "size": 0xFFFFFFFE, "crc": 0})]), "x cannot have 4,294,967,294"),
        (packed([(b"x.npy", X, {"method": 8, "size": len(X)})]), "not a readable .npz file"),
        (packed([(n.encode(), d, {"offset": 0}) for n, d in members()]), "overlaps another array"),
        (WHOLE[:END], "not a readable .npz file"),
        (b"", "a.npz: is empty"),
        (b"hello", "its first bytes are those of something else"),
        (X, "holds a single array"),
        (npz(members(x_train=WHOLE)), "x_train is not a readable .npy array: its first bytes"),
        (npz(members(x_train=b"hello")), "x_train is not a readable .npy array"),
        (npz(members(x_train=headed(literal(shape="(1099511627776, 4)")))), "x_train is cut off"),
    ],
)
def test_what_lies_is_refused(path: Path, data: bytes, message: str) -> None:
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.npz: .*" + message if "a.npz" not in message else message):
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
    with pytest.raises(InputError, match="MiB of member names"):
        read_arrays(path)
    # The end is where the zip library looks for it, whatever else looks like one.
    path.write_bytes(WHOLE[: END + 8] + b"PK\x05\x06" + WHOLE[END + 12 :])
    with pytest.raises(InputError, match="MiB of member names"):
        read_arrays(path)


def test_zip_bombs(path: Path, work_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for data in (bomb(2), bomb(1, [b"x_train/a.npy", b"x_train/b.npy"])):
        path.write_bytes(data)
        for reader in (load_raw, lambda p: read_arrays(Path(p))):
            with pytest.raises(InputError, match=r"MiB unpack to 2,048 MiB, as in a zip bomb"):
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
    with pytest.raises(InputError, match=r"x_train is cut off"):
        load_raw(str(path))
    assert not [p for p in work_folder.rglob("*") if p.is_file()]


def test_an_end_of_64_bits(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of members of more than 4 GiB says so in another record."""
    end64 = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 4, 4, 1 << 40, END)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, END, 1)
    path.write_bytes(WHOLE[:END] + end64 + locator + WHOLE[END:])
    monkeypatch.setattr(archive.zipfile, "ZipFile", lambda _: pytest.fail("the list was read"))
    with pytest.raises(InputError, match="MiB of member names"):
        read_arrays(path)
