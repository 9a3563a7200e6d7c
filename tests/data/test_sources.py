"""`load_raw` on `.npz` files and folders of `.npy`: parts, mapping, and what is refused."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgekit.data.loading import load_raw
from edgekit.data.sources import holdout, npz_member
from edgekit.errors import InputError, OutputError
from tests.support.raised import raised

Arrays = dict[str, np.ndarray]


@pytest.fixture
def always_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz_member, "MAP_BYTES", 0)
    monkeypatch.setattr(npz_member, "UNPACK_BYTES", 0)


def test_a_good_npz(npz: Path, arrays: Arrays) -> None:
    raw = load_raw(str(npz))
    assert raw.source == str(npz)
    assert raw.notes == ()
    for key, array in arrays.items():
        np.testing.assert_array_equal(getattr(raw, key), array)


def test_known_names() -> None:
    raw = load_raw("digits")
    assert raw.x_train.shape[1:] == (8, 8, 1)
    assert raw.class_names == tuple("0123456789")


@pytest.mark.parametrize("compressed", [False, True])
def test_large_arrays_are_mapped(
    tmp_path: Path, arrays: Arrays, always_map: None, work_folder: Path, compressed: bool
) -> None:
    (np.savez_compressed if compressed else np.savez)(tmp_path / "a.npz", **arrays)
    for _ in range(2):
        raw = load_raw(str(tmp_path / "a.npz"))
        for key, array in arrays.items():
            assert isinstance(getattr(raw, key), np.memmap), key
            np.testing.assert_array_equal(getattr(raw, key), array)
    assert len(list((work_folder / "data").glob("*"))) == (4 if compressed else 0)


def test_a_changed_file_is_unpacked_again(tmp_path: Path, arrays: Arrays, always_map: None) -> None:
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    load_raw(str(tmp_path / "a.npz"))
    np.savez_compressed(tmp_path / "a.npz", **{**arrays, "x_test": arrays["x_test"] + 1})
    np.testing.assert_array_equal(load_raw(str(tmp_path / "a.npz")).x_test, arrays["x_test"] + 1)


def test_fortran_order_is_read_not_mapped(tmp_path: Path, arrays: Arrays, always_map: None) -> None:
    np.savez(tmp_path / "a.npz", **{**arrays, "x_train": np.asfortranarray(arrays["x_train"])})
    raw = load_raw(str(tmp_path / "a.npz"))
    assert not isinstance(raw.x_train, np.memmap)
    np.testing.assert_array_equal(raw.x_train, arrays["x_train"])


def test_no_room_to_unpack(
    tmp_path: Path, arrays: Arrays, always_map: None, monkeypatch: pytest.MonkeyPatch, work_folder: Path
) -> None:
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    monkeypatch.setattr("edgekit.data.sources.cache.SPARE_BYTES", 1 << 60)
    with raised("disk-full", kind=OutputError) as caught:
        load_raw(str(tmp_path / "a.npz"))
    assert "EDGEKIT_WORK" in caught.value.hint
    assert list((work_folder / "data").iterdir()) == []


def test_objects_are_not_unpickled_when_mapped(tmp_path: Path, arrays: Arrays, always_map: None) -> None:
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **{**arrays, "y_train": np.array([1, None], dtype=object)})
        with raised("array-not-numbers", "y_train"):
            load_raw(str(tmp_path / "a.npz"))


def test_a_header_that_promises_more_than_there_is(tmp_path: Path, always_map: None) -> None:
    np.savez(tmp_path / "a.npz", x=np.arange(150, dtype=np.uint8))
    data = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(data.replace(b"(150,), }", b"(99**9,)}"))
    with raised("file-damaged", "a.npz"):
        load_raw(str(tmp_path / "a.npz"))
    (tmp_path / "a.npz").write_bytes(data.replace(b"(150,), }  ", b"(15000,), }"))
    with raised("file-damaged", "15,000"):
        load_raw(str(tmp_path / "a.npz"))


def test_an_encrypted_member(tmp_path: Path, npz: Path) -> None:
    data = bytearray(npz.read_bytes())
    directory = data.rindex(b"PK\x01\x02")
    data[directory + 8] |= 1
    npz.write_bytes(data)
    with raised("archive-suspicious"):
        load_raw(str(npz))


@pytest.mark.parametrize("cut", [0, 1, 30, 0.3, 0.7, -30])
def test_truncated_files(npz: Path, cut: float, always_map: None) -> None:
    data = npz.read_bytes()
    npz.write_bytes(data[: int(cut * len(data)) if isinstance(cut, float) else cut])
    with pytest.raises(InputError, match=r"rows\.npz"):
        load_raw(str(npz))


def test_flipped_bytes_never_crash(npz: Path, always_map: None) -> None:
    data = npz.read_bytes()
    rng, refused = np.random.default_rng(0), 0
    positions = rng.integers(len(data) - 1000, len(data), 60).tolist() + rng.integers(0, 300, 60).tolist()
    for position in positions:
        damaged = bytearray(data)
        damaged[position] ^= 0xFF
        npz.write_bytes(damaged)
        try:
            raw = load_raw(str(npz))
        except InputError as error:
            assert "rows.npz" in error.message
            refused += 1
        else:
            assert raw.x_train is not None
    assert 0 < refused < len(positions)


def test_without_a_test_part_a_fifth_is_held_out(tmp_path: Path, arrays: Arrays) -> None:
    for keys in (("x", "y"), ("x_train", "y_train")):
        np.savez(tmp_path / "a.npz", **dict(zip(keys, (arrays["x_train"], arrays["y_train"]), strict=True)))
        raw = load_raw(str(tmp_path / "a.npz"))
        assert (len(raw.x_train), len(raw.x_test)) == (120, 30)
        np.testing.assert_array_equal(np.bincount(raw.y_test), [10, 10, 10])
        assert raw.notes == (
            f"{tmp_path}/a.npz has no test part: 30 of its 150 samples, a fixed random choice, are kept for the test",
        )
        again = load_raw(str(tmp_path / "a.npz"))
        np.testing.assert_array_equal(raw.x_test, again.x_test)
        together = {s.tobytes() for s in raw.x_train} | {s.tobytes() for s in raw.x_test}
        assert together == {s.tobytes() for s in arrays["x_train"]}


def test_a_large_part_held_out_goes_through_the_disk(
    tmp_path: Path, arrays: Arrays, always_map: None, monkeypatch: pytest.MonkeyPatch, work_folder: Path
) -> None:
    np.savez(tmp_path / "a.npz", x=arrays["x_train"])
    small = load_raw(str(tmp_path / "a.npz"))
    monkeypatch.setattr(holdout, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(holdout, "_ROWS", 7)
    raw = load_raw(str(tmp_path / "a.npz"))
    assert isinstance(raw.x_train, np.memmap)
    assert not raw.x_train.flags.writeable
    np.testing.assert_array_equal(raw.x_train, small.x_train)
    np.testing.assert_array_equal(raw.x_test, small.x_test)
    assert list((work_folder / "data").iterdir()) == []


def test_targets_that_are_all_different_are_not_stratified(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((10, 2)), y=np.arange(10))
    assert len(load_raw(str(tmp_path / "a.npz")).y_test) == 2


def test_unlabelled(tmp_path: Path, arrays: Arrays) -> None:
    np.savez(tmp_path / "a.npz", x_train=arrays["x_train"], x_test=arrays["x_test"])
    raw = load_raw(str(tmp_path / "a.npz"))
    assert raw.y_train is None
    assert raw.y_test is None


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    n = np.arange(20)
    np.savez(tmp_path / "a.npz", **{"x/image": n, "x/age": n * 2, "y.sex": n % 2, "y.price": n * 0.5, "other": n})
    raw = load_raw(str(tmp_path / "a.npz"))
    assert set(raw.x_train) == {"image", "age"}
    np.testing.assert_array_equal(raw.x_test["image"] * 2, raw.x_test["age"])
    np.testing.assert_array_equal(raw.y_train["price"], raw.x_train["image"] * 0.5)
    assert len(raw.y_test["sex"]) == 4


def test_class_names(tmp_path: Path, arrays: Arrays) -> None:
    np.savez(tmp_path / "a.npz", class_names=["ant", "bee", "cat"], **arrays)
    assert load_raw(str(tmp_path / "a.npz")).class_names == ("ant", "bee", "cat")
    np.savez(tmp_path / "a.npz", class_names=["ant", "bee", "ant"], **arrays)
    with raised("class-name-invalid", "`class_names`"):
        load_raw(str(tmp_path / "a.npz"))


X = np.zeros((10, 2), np.float32)
Y = np.zeros(10, np.int64)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "array-missing x_train x_test"),
        ({"images": X}, "array-missing x_train x_test"),
        ({"y_train": Y}, "array-missing x_train x_test"),
        ({"x_test": X}, "array-missing `x_train`"),
        ({"x": X, "x_train": X}, "array-names-clash `x` `x_train`"),
        ({"x_train": X, "y_train": Y, "x_test": X}, "array-missing `y_train` `y_test`"),
        ({"x_train": X, "y_test": Y, "x_test": X}, "array-missing `y_test` `y_train`"),
        ({"x_train": X, "y_train": Y, "y_test": Y}, "array-missing `y_test` `x_test`"),
        ({"x": X, "y_train": Y}, "array-names-mismatch `x` `y` `y_train`"),
        ({"x_train": X, "y": Y}, "array-names-mismatch `x_train` `y_train` `y`"),
        ({"x": X, "x/left": X}, "array-names-clash `x` `x/left`"),
        ({"x/left": X, "x.left": X}, "array-names-clash `x` `left`"),
        ({"x": X, "y": Y[:9]}, "counts-differ `x` 10 `y` 9"),
        ({"x/a": X, "x/b": X[:9]}, "counts-differ a 10 9"),
        ({"x": X[:1]}, "set-too-small 1"),
        ({"x": X[:0]}, "set-too-small 0"),
        ({"x": np.array(5)}, "array-empty `x`"),
    ],
)
def test_parts_that_do_not_belong_together(tmp_path: Path, given: Arrays, message: str) -> None:
    np.savez(tmp_path / "a.npz", **given)
    with raised(*message.split()) as caught:
        load_raw(str(tmp_path / "a.npz"))
    assert "a.npz" in caught.value.message


def test_npy_files_are_mapped(tmp_path: Path, arrays: Arrays) -> None:
    for key, array in arrays.items():
        np.save(tmp_path / f"{key}.npy", array)
    raw = load_raw(str(tmp_path))
    for key, array in arrays.items():
        assert isinstance(getattr(raw, key), np.memmap)
        np.testing.assert_array_equal(getattr(raw, key), array)
    for key in ("y_train", "y_test", "x_test"):
        (tmp_path / f"{key}.npy").unlink()
    raw = load_raw(str(tmp_path))
    assert (len(raw.x_train), len(raw.x_test), raw.y_train) == (120, 30, None)


def test_bad_npy_files(tmp_path: Path) -> None:
    path = tmp_path / "x_train.npy"
    np.save(path, np.array([{}, None], dtype=object))
    with raised("array-not-numbers", "x_train.npy"):
        load_raw(str(tmp_path))
    for content in (b"", b"\x93NUMPY", b"hello", b"\x93NUMPY\x01\x00" + struct.pack("<H", 10) + b"{'a': 1}  "):
        path.write_bytes(content)
        with raised("file-damaged", "x_train.npy"):
            load_raw(str(tmp_path))
    np.save(path, np.zeros((100, 4)))
    path.write_bytes(path.read_bytes()[:-8])
    with raised("file-damaged", "x_train.npy", "3,200"):
        load_raw(str(tmp_path))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"")
    with raised("format-unexpected", ".npz"):
        load_raw(str(tmp_path))


def test_wrong_specs(tmp_path: Path, npz: Path) -> None:
    with raised("data-not-found") as caught:
        load_raw("cifar1O")
    assert caught.value.hint == "did you mean `cifar10`?"
    with raised("file-missing", "none.npz"):
        load_raw(str(tmp_path / "none.npz"))
    (tmp_path / "empty").mkdir()
    with raised("data-not-found"):
        load_raw(str(tmp_path / "empty"))
    with raised("unknown-name", "`target`"):
        load_raw(f"{npz}?target=a")
    with raised("data-option-invalid", "`test`"):
        load_raw(f"{npz}?test")
    (tmp_path / "notes.txt").write_text("hello, world")
    with raised("format-unexpected", "notes.txt", ".npz") as caught:
        load_raw(str(tmp_path / "notes.txt"))
    assert "pickle" not in caught.value.message
    assert "data.py:load" in caught.value.hint
