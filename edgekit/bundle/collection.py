"""What a report is made of: the records, bundles and searches that some paths lead to.

A path is a record, a bundle's folder, a search's folder, or a folder that is walked for those. A named file that
cannot be read is an error; what a walked folder holds beside them is skipped, and listed with the reason. Of a bundle
its manifest is read and no other file: whether the files are still those that it describes is looked at by whoever
runs them (`edgekit.bundle.manifest.read_bundle`).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from edgekit.bundle.manifest import MANIFEST, Bundle, Manifest
from edgekit.bundle.records import Record, read_record
from edgekit.bundle.search_result import FRONT, SearchResult
from edgekit.errors import InputError
from edgekit.errors.printable import visible
from edgekit.files.opening import is_folder
from edgekit.schema.document import LARGE, SMALL
from edgekit.schema.gate import read_json
from edgekit.schema.mixups import KINDS, kind_held

DEEPEST_FOLDER = 16
"""Folders inside each other that are walked."""
MOST_ENTRIES = 500_000
"""Files and folders that a walk looks at."""
MOST_BYTES = 1 << 30
"""Of JSON that a walk reads; a record takes several times its size in memory."""


@dataclass(frozen=True)
class Skipped:
    """A file or folder that a walk passed over.

    Attributes:
        path: where, fit to be shown.
        code: of the reason, a slug of `edgekit.errors.codes`.
        message: the reason, without the path.
    """

    path: str
    code: str
    message: str


@dataclass(frozen=True)
class Collection:
    """What some paths lead to, in their order; in a folder by name.

    Names are short, of printable characters, and none stands twice in the three mappings together.

    Attributes:
        records: by name, which is the file's without `.json`, or its path where another has that name.
        bundles: by the folder's name, or its path; their files were not compared with the manifest.
        searches: likewise; a bundle inside the folder of a search belongs to the search.
        skipped: what walked folders hold that is none of these.
        paths: where each is, by name.
    """

    records: Mapping[str, Record] = field(default_factory=dict)
    bundles: Mapping[str, Bundle] = field(default_factory=dict)
    searches: Mapping[str, SearchResult] = field(default_factory=dict)
    skipped: tuple[Skipped, ...] = ()
    paths: Mapping[str, Path] = field(default_factory=dict)


def gather(paths: Sequence[Path]) -> Collection:
    """Read what paths lead to.

    Args:
        paths: records, `manifest.json` and `front.json` files, and folders: of bundles, of searches, or to be walked.
            In a walk hidden files and folders and links are passed over. What is named twice is read once.

    Raises:
        InputError: a named file is missing, damaged or of another kind, or a folder holds nothing to report.
    """
    found: dict[str, _Found] = {}
    skipped: list[Skipped] = []
    for path in paths:
        before = len(skipped)
        here = list(_walk(path, skipped)) if is_folder(path) else [_named(path)]
        if not here:
            raise _nothing(path, skipped[before:])
        for one in here:
            found.setdefault(os.path.realpath(one.path), one)
    names = _names(list(found.values()))
    by_name = dict(zip(names, found.values(), strict=True))
    return Collection(
        records={name: one.held for name, one in by_name.items() if isinstance(one.held, Record)},
        bundles={name: one.held for name, one in by_name.items() if isinstance(one.held, Bundle)},
        searches={name: one.held for name, one in by_name.items() if isinstance(one.held, SearchResult)},
        skipped=tuple(skipped),
        paths={name: one.path for name, one in by_name.items()},
    )


@dataclass(frozen=True)
class _Found:
    path: Path
    held: Record | Bundle | SearchResult


def _named(path: Path) -> _Found:
    """Read a file that somebody named."""
    if path.name == MANIFEST:
        return _bundle(path)
    if path.name == FRONT:
        return _search(path)
    return _Found(path, read_record(path))


def _bundle(path: Path) -> _Found:
    value = read_json(path, "bundle manifest", SMALL, follow=False)
    return _Found(path.parent, Bundle(path.parent, Manifest.from_dict(value, str(path))))


def _search(path: Path) -> _Found:
    value = read_json(path, "search result", SMALL, follow=False)
    return _Found(path.parent, SearchResult.from_dict(value, str(path)))


def _record(path: Path) -> _Found:
    """Read a record in a walk, whose file is no link."""
    value = read_json(path, "record", LARGE, follow=False)
    kind = kind_held(value)
    if kind != "record" and not (isinstance(value, dict) and {"subjects", "measurements"} & set(value)):
        what = f"is {KINDS[kind].what}" if kind else "is JSON of another program"
        raise InputError(f"{path}: {what}, not a record", code="file-of-another-kind")
    return _Found(path, Record.from_dict(value, str(path)))


def _walk(top: Path, skipped: list[Skipped]) -> Iterator[_Found]:
    """Yield what a folder holds, the files of a folder before those of the folders in it."""
    looked_at, read_bytes = 0, 0
    pending = [(top, 1)]
    while pending:
        folder, depth = pending.pop()
        try:
            with os.scandir(folder) as scanned:
                entries = list(islice(scanned, MOST_ENTRIES - looked_at + 1))
        except OSError as error:
            skipped.append(Skipped(_shown(folder), "file-unreadable", f"cannot be read: {error.strerror}"))
            continue
        looked_at += len(entries)
        if looked_at > MOST_ENTRIES:
            skipped.append(_too_large(folder, f"more than {MOST_ENTRIES:,} files and folders in all"))
            return
        files = {entry.name: entry for entry in entries if _is_json(entry)}
        one = _whole_folder(folder, files, skipped)
        if one is not None:
            yield one
            continue
        for name in sorted(files):
            size = _bytes(files[name])
            if read_bytes + size > MOST_BYTES:
                skipped.append(_too_large(folder / name, f"more than {MOST_BYTES >> 20:,} MiB of JSON in all"))
                return
            read_bytes += size
            if (record := _tried(folder / name, skipped)) is not None:
                yield record
        below = sorted(entry.name for entry in entries if _is_folder(entry))
        if below and depth >= DEEPEST_FOLDER:
            skipped.append(_too_large(folder, f"folders more than {DEEPEST_FOLDER} deep"))
            continue
        pending += [(folder / name, depth + 1) for name in reversed(below)]


def _whole_folder(folder: Path, files: dict[str, os.DirEntry[str]], skipped: list[Skipped]) -> _Found | None:
    """Return the search or the bundle that a folder is, else None; its file is taken out of `files`, then, too."""
    for name in (FRONT, MANIFEST):
        if files.pop(name, None) is not None and (one := _tried(folder / name, skipped)) is not None:
            return one
    return None


def _tried(path: Path, skipped: list[Skipped]) -> _Found | None:
    read = {MANIFEST: _bundle, FRONT: _search}.get(path.name, _record)
    try:
        return read(path)
    except InputError as error:
        skipped.append(Skipped(_shown(path), error.code, visible(error.message.removeprefix(f"{path}: "))))
        return None


def _too_large(path: Path, what: str) -> Skipped:
    return Skipped(_shown(path), "walk-too-large", f"{what}: not looked at any further")


def _nothing(path: Path, skipped: Sequence[Skipped]) -> InputError:
    first = f"; skipped {len(skipped):,}, the first: {skipped[0].path}: {skipped[0].message}" if skipped else ""
    return InputError(
        f"{path}: holds no record, bundle or search{first}",
        "records are what `edgekit bench` writes, bundles `edgekit compress`, searches `edgekit search`",
        code="nothing-to-report",
    )


def _names(found: Sequence[_Found]) -> list[str]:
    """Return short names, none twice: of the file or folder, or, where several have it, their paths."""
    short = [visible(_short(one)) for one in found]
    several = {name for name, count in Counter(short).items() if count > 1}
    names, taken = [], set(short) - several
    for one, name in zip(found, short, strict=True):
        if name in several:
            name = base = _shown(one.path)
            number = 2
            while name in taken:
                name, number = f"{base} ({number})", number + 1
            taken.add(name)
        names.append(name)
    return names


def _short(one: _Found) -> str:
    if isinstance(one.held, Record):
        return one.path.stem
    named = one.path if one.path.name not in ("", "..") else one.path.resolve()
    return named.name or str(named)


def _shown(path: Path) -> str:
    return visible(str(path))


def _is_json(entry: os.DirEntry[str]) -> bool:
    return entry.name.lower().endswith(".json") and not entry.name.startswith(".") and not _is_folder(entry)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _bytes(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except OSError:
        return 0
