"""Which images a folder holds, and which class and part each belongs to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.data.sources.raw import MOST_CLASS_NAMES
from edgekit.errors import InputError
from edgekit.files.opening import brief, inside, plain

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
TEST_FOLDERS = ("test", "val", "validation")


@dataclass(frozen=True)
class ImageFile:
    """One image.

    Attributes:
        path: where it is, links followed.
        name: relative to the data's folder, for messages and the cache's key.
        size: bytes.
        changed: when its content and its entry were last changed, in ns.
        label: index of its class; -1: unlabelled.
    """

    path: str
    name: str
    size: int
    changed: tuple[int, int]
    label: int


@dataclass(frozen=True)
class Found:
    """What a folder holds.

    Attributes:
        train: images, by class, then by name.
        test: the same of a test folder; None if there is none.
        class_names: sorted; empty for unlabelled images.
        skipped: number of other files, hidden files, and folders not entered.
        notes: what the user should know.
    """

    train: list[ImageFile]
    test: list[ImageFile] | None
    class_names: tuple[str, ...]
    skipped: int
    notes: tuple[str, ...]


class Scan:
    """A walk that keeps count of what it passes over."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._prefix = os.path.join(root, "")  # noqa: PTH118 - a prefix ends in a slash
        self.skipped = 0

    def folders(self, folder: Path) -> list[Path]:
        """Return the folders inside one, sorted by name; links to a folder around it are left out.

        Raises:
            InputError: one is a link that leaves the data's folder.
        """
        found = []
        real = folder.resolve()
        around = (real, *real.parents)
        for entry in self._sorted(folder):
            if _is_folder(entry) and (not entry.is_symlink() or inside(Path(entry.path), self._root) not in around):
                found.append(Path(entry.path))
        return found

    def images(self, folder: Path, label: int, *, deep: bool = True) -> list[ImageFile]:
        """Return the images in a folder and, if `deep`, below it; links to folders are not followed there.

        Raises:
            InputError: one is a link that leaves the data's folder.
        """
        found: list[ImageFile] = []
        entered = [self._sorted(folder)]  # no recursion: folders may be nested as deep as a path is long
        while entered:
            entry = next(entered[-1], None)
            if entry is None:
                entered.pop()
            elif entry.is_dir(follow_symlinks=False):
                if deep:
                    entered.append(self._sorted(Path(entry.path)))
            elif image := self._image(entry, label):
                found.append(image)
            else:
                self.skipped += deep or not _is_folder(entry)
        return found

    def _image(self, entry: os.DirEntry[str], label: int) -> ImageFile | None:
        if entry.name.startswith(".") or not entry.name.lower().endswith(SUFFIXES) or not _is_file(entry):
            return None
        path = str(inside(Path(entry.path), self._root)) if entry.is_symlink() else entry.path
        status = entry.stat()
        name = entry.path.removeprefix(self._prefix)
        return ImageFile(path, name, status.st_size, (status.st_mtime_ns, status.st_ctime_ns), label)

    def _sorted(self, folder: Path) -> Iterator[os.DirEntry[str]]:
        return iter(sorted(self._entries(folder), key=lambda e: e.name))

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return [e for e in entries if not (e.name.startswith(".") and _is_folder(e))]
        except OSError as error:
            raise InputError(
                f"{brief(folder)}: cannot be read: {error.strerror}",
                "check the permissions: ls -ld FOLDER",
                code="file-unreadable",
            ) from error


def find_images(folder: Path) -> Found | None:
    """Look for `CLASS/*.png`, `{train,test}/CLASS/*.png`, or images without classes; None if there are no images.

    Raises:
        InputError: the folder cannot be read, or its test part has a class that its training part has not.
    """
    scan = Scan(folder)
    parts = {path.name.lower(): path for path in scan.folders(folder)}
    if "train" not in parts:
        train, names, notes = _part(scan, folder, None)
        return Found(train, None, names, scan.skipped, notes) if train else None
    train, names, notes = _part(scan, parts["train"], None)
    if not train:
        return None
    name = next((name for name in TEST_FOLDERS if name in parts), None)
    if name is None:
        return Found(train, None, names, scan.skipped, notes)
    test, _, more = _part(scan, parts[name], names)
    if not test:
        raise InputError(
            f"{plain(parts[name])}: holds no images", f"looked for: {', '.join(SUFFIXES)}", code="data-not-found"
        )
    if name != "test":
        more = (f"{plain(folder)} has no folder test: {name} is taken for it", *more)
    return Found(train, test, names, scan.skipped, (*notes, *more))


def _part(
    scan: Scan, folder: Path, known: Sequence[str] | None
) -> tuple[list[ImageFile], tuple[str, ...], tuple[str, ...]]:
    """Return the images of one part, its class names and notes; `known` are the classes of the training part."""
    flat = scan.images(folder, -1, deep=False)
    folders = scan.folders(folder)
    if len(folders) > MOST_CLASS_NAMES:
        raise InputError(
            f"{plain(folder)}: has {len(folders):,} folders, expected up to {MOST_CLASS_NAMES:,} classes",
            "expected one folder for each class",
            code="too-many-classes",
        )
    by_class: dict[str, Path] = {}
    for path in folders:
        other = by_class.setdefault(plain(path.name), path)
        if other is not path:
            raise InputError(
                f"{plain(folder)}: two folders have the name `{plain(path.name)}` when it is printed",
                "rename one of them",
                code="class-name-invalid",
            )
    held = {name: scan.images(path, 0) for name, path in by_class.items()}
    empty = [name for name, images in held.items() if not images]
    names = tuple(known) if known is not None else tuple(name for name in held if name not in empty)
    notes = []
    if known is None and len(names) < 2:
        # One folder tells no classes apart.
        images = flat + [image for found in held.values() for image in found]
        unlabelled = [ImageFile(i.path, i.name, i.size, i.changed, -1) for i in images]
        if names:
            notes.append(f"{plain(folder)} has one folder with images, {names[0]}: they are taken as unlabelled")
        return unlabelled, (), tuple(notes)
    if known is not None and not known:
        images = flat + [image for found in held.values() for image in found]
        return [ImageFile(i.path, i.name, i.size, i.changed, -1) for i in images], (), ()
    unknown = [name for name in held if name not in names and name not in empty]
    if unknown:
        raise InputError(
            f"{plain(folder)}: has classes that the training images do not have: {', '.join(unknown[:5])}",
            f"the training images have: {', '.join(names[:20])}",
            code="classes-differ",
        )
    if empty:
        notes.append(f"{plain(folder)}: no images in {', '.join(empty[:5])}{', ...' if len(empty) > 5 else ''}")
    scan.skipped += len(flat)
    labelled = [
        ImageFile(i.path, i.name, i.size, i.changed, label)
        for label, name in enumerate(names)
        for i in held.get(name, ())
    ]
    return labelled, names, tuple(notes)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False
