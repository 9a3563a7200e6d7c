"""Bad `.npz` files and arrays, one by one."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from edgekit.data.dataset import build
from edgekit.data.loading import load_data
from edgekit.data.sources import npz
from edgekit.errors import InputError
from tests.support.raised import raised

Arrays = dict[str, np.ndarray]


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("the pickle was loaded",)


def test_a_good_file(npz: Path, arrays: Arrays) -> None:
    data = load_data(str(npz))
    assert data.name == "rows"
    assert data.sample_shape == (6, 6, 1)
    assert data.classes == 3
    assert data.preprocessing.scale == 1 / 255
    np.testing.assert_array_equal(data.x_train, arrays["x_train"])


def test_missing_folder_and_unknown_names(tmp_path: Path) -> None:
    with raised("file-missing"):
        load_data(str(tmp_path / "none.npz"))
    with raised("data-not-found"):
        load_data(str(tmp_path))
    with raised("data-not-found") as caught:
        load_data("cifar1O")
    assert "did you mean `cifar10`" in caught.value.hint


def test_missing_keys_are_named(tmp_path: Path, arrays: Arrays) -> None:
    del arrays["y_test"], arrays["x_test"]
    np.savez(tmp_path / "a.npz", **arrays)
    with raised("array-missing", "a.npz", "`x_test`", "`y_test`") as caught:
        npz.read(tmp_path / "a.npz")
    assert "x_train" in caught.value.hint


def test_objects_are_never_unpickled(tmp_path: Path, arrays: Arrays) -> None:
    arrays["x_test"] = np.array([Bomb(), None], dtype=object)
    np.savez(tmp_path / "a.npz", **arrays)
    with raised("array-not-numbers", "x_test"):
        npz.read(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(pickle.dumps(Bomb()))
    with raised("format-unexpected"):
        npz.read(tmp_path / "b.npz")


def test_a_single_array_is_no_npz(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(3))
    (tmp_path / "a.npy").rename(tmp_path / "a.npz")
    with raised("format-unexpected"):
        npz.read(tmp_path / "a.npz")


@pytest.mark.parametrize("cut", [0, 1, 30, 0.3, 0.7, -30])
def test_truncated_files(tmp_path: Path, npz_bytes: bytes, cut: float) -> None:
    size = int(cut * len(npz_bytes)) if isinstance(cut, float) else cut
    (tmp_path / "a.npz").write_bytes(npz_bytes[:size])
    with pytest.raises(InputError, match=r"a\.npz"):
        npz.read(tmp_path / "a.npz")


def test_flipped_bytes_never_crash(tmp_path: Path, npz_bytes: bytes) -> None:
    rng, refused = np.random.default_rng(0), 0
    for position in rng.integers(0, len(npz_bytes), 60):
        damaged = bytearray(npz_bytes)
        damaged[position] ^= 0xFF
        (tmp_path / "a.npz").write_bytes(damaged)
        try:
            build("a", npz.read(tmp_path / "a.npz"), "a.npz")
        except InputError as error:
            assert "a.npz" in error.message
            refused += 1
    assert refused


@pytest.fixture
def npz_bytes(npz: Path) -> bytes:
    return npz.read_bytes()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("x_train", np.zeros((0, 6, 6, 1), np.uint8), "array-empty `x_train`"),
        ("x_train", np.zeros((150, 6, 0, 1), np.uint8), "array-empty `x_train`"),
        ("x_train", np.array(5), "array-empty `x_train`"),
        ("x_train", np.zeros(150, np.uint8), "shape-mismatch `x_train` (150,)"),
        ("x_train", np.zeros((149, 6, 6, 1), np.uint8), "counts-differ 149 `y_train` 150"),
        ("x_test", np.zeros((60, 6, 7, 1), np.uint8), "shape-mismatch `x_train` 6 1 `x_test` 7"),
        ("x_train", np.full((150, 6, 6, 1), np.nan, np.float32), "values-not-finite `x_train` 0"),
        ("x_test", np.full((60, 6, 6, 1), np.inf, np.float32), "values-not-finite `x_test`"),
        ("x_train", np.zeros((150, 6, 6, 1), complex), "array-not-numbers complex128"),
        ("x_train", np.full((150, 6, 6, 1), "a"), "array-not-numbers <U1"),
        ("y_train", np.zeros((150, 3), np.int64), "shape-mismatch `y_train` (3,) `y_test` ()"),
        ("y_train", np.full(150, "cat"), "array-not-numbers `y_train` <U3"),
        ("y_train", np.full(150, np.nan), "values-not-finite `y_train`"),
        ("y_train", {}, "array-empty `y_train`"),
        ("y_train", None, "array-missing `y_train` `y_test`"),
        ("y_train", np.zeros(150, np.int64), "labels-one-class"),
        ("y_test", np.full(60, 3), "labels-out-of-range `y_test` 3 0 2"),
        ("y_test", np.zeros(0, np.int64), "array-empty `y_test`"),
    ],
)
def test_bad_arrays(arrays: Arrays, key: str, value: np.ndarray, message: str) -> None:
    arrays[key] = value
    with raised(*message.split()) as caught:
        build("mine", arrays, "mine.npz")
    assert "mine.npz" in caught.value.message


def test_forgiven_shapes(arrays: Arrays) -> None:
    arrays["x_train"], arrays["x_test"] = arrays["x_train"][..., 0], arrays["x_test"][..., 0]
    arrays["y_train"] = arrays["y_train"][:, np.newaxis].astype(np.uint8)
    data = build("mine", arrays, "mine.npz")
    assert data.x_test.shape == (60, 6, 6, 1)
    assert data.y_train.shape == (150,)
    assert data.y_train.dtype == np.int64


@pytest.mark.parametrize("shape", [(), (1,), (6, 6), (6, 6, 1)])
def test_zeros_and_ones_in_floating_point_are_decisions(arrays: Arrays, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    for key, count in (("y_train", 150), ("y_test", 60)):
        arrays[key] = rng.integers(0, 2, (count, *shape)).astype(np.float32)
    data = build("mine", arrays, "mine.npz")
    assert data.y_train.dtype == (np.uint8 if len(shape) > 1 else np.int64)
    assert data.y_train.shape == (150, *(shape[:-1] if shape[-1:] == (1,) else shape))
    arrays["y_test"][0] = 0.5
    assert build("mine", arrays, "mine.npz").y_train.dtype == np.float32
