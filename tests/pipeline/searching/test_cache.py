"""The cache of finished stages: a limit, what goes first, what stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgekit.errors import OutputError
from edgekit.files import private
from edgekit.pipeline.searching.cache import StageCache
from tests.support.raised import raised


def entry(cache: StageCache, name: str, size: int, used: int) -> None:
    """Put a stage into a cache, as large and as long not used as is said."""
    for suffix, length in ((".keras", size), (".json", 10)):
        path = cache.folder / f"{name}{suffix}"
        path.write_bytes(bytes(length))
        os.utime(path, (used, used))


def names(cache: StageCache) -> set[str]:
    return {path.name.partition(".")[0] for path in cache.folder.iterdir()}


@pytest.fixture
def cache(work_folder: Path) -> StageCache:
    cache = StageCache(3500)
    assert cache.folder == work_folder / "stages"
    for number in range(5):
        entry(cache, f"distill-{number}", 990, 1000 + number)
    return cache


def test_what_was_not_used_for_longest_goes_first(cache: StageCache) -> None:
    os.utime(cache.folder / "distill-0.json", (2000, 2000))
    assert cache.evict() == ["distill-1", "distill-2"]
    assert names(cache) == {"distill-0", "distill-3", "distill-4"}
    assert cache.evict() == []


def test_the_front_and_what_is_under_way_stay(cache: StageCache) -> None:
    cache.pin(["distill-0"])
    with cache.turn("distill-1"):
        assert cache.evict("distill-2") == ["distill-3", "distill-4"]
    assert names(cache) == {"distill-0", "distill-1", "distill-2"}


def test_work_that_nobody_finished_counts_and_goes_too(cache: StageCache) -> None:
    scratch = cache.scratch("prune-9")
    (scratch / "teacher").mkdir()
    (scratch / "teacher" / "a.npy").write_bytes(bytes(9000))
    os.utime(scratch, (1, 1))
    assert cache.evict() == ["prune-9", "distill-0", "distill-1"]
    assert not scratch.exists()


def test_a_link_is_removed_and_not_followed(cache: StageCache, tmp_path: Path) -> None:
    outside = tmp_path / "mine"
    outside.mkdir()
    (outside / "data").write_bytes(bytes(5000))
    (cache.folder / "prune-9").symlink_to(outside)
    StageCache(0).evict()
    assert (outside / "data").exists()
    assert not names(cache)


def test_a_cache_of_another_user_is_refused(cache: StageCache, monkeypatch: pytest.MonkeyPatch) -> None:
    class Other:
        st_uid = 4242

    monkeypatch.setattr(private, "_ROOT", -1)
    with raised("cache-not-own", "EDGEKIT_WORK", kind=OutputError), monkeypatch.context() as patch:
        patch.setattr(private.os, "fstat", lambda handle: Other())
        StageCache(1000)


def test_others_cannot_look_into_it(cache: StageCache) -> None:
    assert cache.folder.stat().st_mode & 0o777 == 0o700
