"""The cache of data: whole or absent, one maker at a time, nothing left behind."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from edgekit.data.sources import cache
from edgekit.errors import OutputError
from edgekit.files.scratch import LOCK
from edgekit.files.whole import locked
from tests.support.raised import raised


def fill(folder: Path) -> None:
    (folder / "x").write_text("whole")


def test_made_once(work_folder: Path) -> None:
    path = cache.cached("key", fill)
    assert path == work_folder / "data" / "key"
    assert cache.cached("key", lambda folder: pytest.fail("made again")) == path
    assert sorted(p.name for p in path.parent.iterdir()) == ["key"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_what_was_interrupted_is_made_anew(error: type[BaseException], work_folder: Path) -> None:
    def half(folder: Path) -> None:
        fill(folder)
        raise error

    with pytest.raises(error):
        cache.cached("key", half)
    assert list((work_folder / "data").iterdir()) == []
    assert (cache.cached("key", fill) / "x").read_text() == "whole"


def test_a_disk_that_fills_up(work_folder: Path) -> None:
    def full(folder: Path) -> None:
        fill(folder)
        raise OSError(errno.ENOSPC, "No space left on device")

    with raised("disk-full", kind=OutputError) as caught:
        cache.cached("key", full)
    assert "EDGEKIT_WORK" in caught.value.hint
    assert list((work_folder / "data").iterdir()) == []


def test_a_killed_maker_leaves_nothing_for_long(work_folder: Path) -> None:
    dead = work_folder / "data" / ".key.tmp-0123456789ab"
    dead.mkdir(parents=True)
    (dead / LOCK).touch()
    cache.cached("key", fill)
    assert not dead.exists()


def test_another_process_is_making_it(work_folder: Path) -> None:
    with (
        locked(work_folder / "data" / "key.lock", "x"),
        raised("already-running"),
    ):
        cache.cached("key", fill)


def test_a_cache_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("EDGEKIT_WORK", str(tmp_path / "file"))
    with raised("output-not-writable"):
        cache.cached("key", fill)
    with raised("output-not-writable"):
        cache.Spool("rows")


def test_keys() -> None:
    assert cache.key_of("a", 1) == cache.key_of("a", 1)
    assert (
        len({cache.key_of("a", 1), cache.key_of("a1"), cache.key_of("a", 11), cache.key_of("a", os.fsdecode(b"\xff"))})
        == 4
    )


def test_npy_files_are_as_numpy_writes_them(tmp_path: Path) -> None:
    x = np.arange(24, dtype=np.int16).reshape(4, 3, 2)
    writer = cache.NpyWriter(tmp_path / "x.npy", x.shape, x.dtype)
    for sample in x:
        writer.append(sample)
    with pytest.raises(ValueError, match=r"a sample of shape \(2,\)"):
        writer.append(np.zeros(2))
    writer.close()
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), x)


def test_spools() -> None:
    with cache.Spool("rows") as spool:
        spool.append(np.arange(6).reshape(3, 2))
        spool.append(np.arange(6, 10).reshape(2, 2))
        array = spool.array()
    np.testing.assert_array_equal(array, np.arange(10).reshape(5, 2))
    with cache.Spool("rows") as spool:
        spool.append(np.zeros((2, 3)))
        for batch, message in (
            (np.zeros((2, 4)), "shape-mismatch 2 (4,)"),
            (np.zeros((2, 3), np.float32), "shape-mismatch float32"),
            (np.array(["a"]), "array-not-numbers <U1"),
            (np.array([None]), "array-not-numbers"),
        ):
            with raised(*message.split()):
                spool.append(batch)


def test_no_space_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_CHUNK", 0)
    with cache.Spool("rows") as spool:
        monkeypatch.setattr(cache, "SPARE_BYTES", 1 << 60)
        with raised("disk-full", "0", kind=OutputError):
            spool.append(np.zeros(3))
