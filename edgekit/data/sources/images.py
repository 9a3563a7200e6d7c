"""Folders of images: decoded once into the cache, and mapped from there."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np

from edgekit.data.sources.cache import NpyWriter, cached, check_space, key_of
from edgekit.data.sources.cache import folder as cache_folder
from edgekit.data.sources.holdout import choose, said
from edgekit.data.sources.image_decode import FITS, decode, look, padded_note, pillow, strict
from edgekit.data.sources.image_files import SUFFIXES, Found, ImageFile, find_images
from edgekit.data.sources.npz_member import mapped
from edgekit.data.sources.raw import Raw
from edgekit.data.sources.spec import Request
from edgekit.errors import EdgekitError, InputError
from edgekit.files.opening import open_file, plain
from edgekit.progress import Progress
from edgekit.tasks.samples import Array

_CHUNK_BYTES = 16 << 20
"""At most this much decoded waits to be written."""
MOST_BYTES = 256 << 20
"""Of a decoded image; Pillow's limit for RGB."""
_SHOWN = 200
_VERSION = 2
"""Of how images are decoded; a change makes the cache start anew."""
_T = TypeVar("_T")
Shape = tuple[int, int, int]


def takes(request: Request) -> bool:
    """Return whether it is a folder (see `registry.Source`)."""
    return request.there == "a folder"


def raw(request: Request) -> Raw:
    """Return the images of a folder as uint8, shape (n, height, width, 1 or 3).

    Args:
        request: a folder with one folder a class, or `train` and `test` with one folder a class each, or just images.
            Its option `size`, height and width, goes before those of the model; `fit` is one of `FITS`.

    Raises:
        InputError: the folder holds no images, or damaged ones, or some of different sizes and no size is known, or
            the model takes no images.
        MissingExtraError: Pillow is not installed.
        OutputError: the cache cannot be written.
    """
    request.spec.allow("size", "fit")
    folder, size, fit = request.path, request.spec.size("size"), request.spec.choice("fit", FITS)
    found = find_images(folder)
    if found is None:
        raise InputError(
            f"{plain(folder)}: is a folder without data",
            "expected images (CLASS/*.png, or train and test with such folders), x_train.npy, or train.csv",
            code="data-not-found",
        )
    pillow()
    source = plain(folder)
    with strict():
        shape = common_shape(found, source, request.sample_shape, size)
        kept, test, notes = _parts(found, source)
        x_train = decoded(folder, kept, shape, fit, request.progress)
        x_test = decoded(folder, test, shape, fit, request.progress)
    notes = (*notes, *padded_note(source, fit))
    if found.skipped:
        notes = (*notes, f"{source}: {found.skipped:,} hidden or other files were passed over")
    y_train, y_test = (
        np.array([image.label for image in images], np.int64) if found.class_names else None for images in (kept, test)
    )
    return Raw(x_train, x_test, y_train, y_test, found.class_names, source, notes, held_out=found.test is None)


def _parts(found: Found, source: str) -> tuple[list[ImageFile], list[ImageFile], tuple[str, ...]]:
    if found.test is not None:
        return found.train, found.test, found.notes
    labels = np.array([image.label for image in found.train], np.int64)
    count = len(labels)
    chosen = set(choose(count, labels if found.class_names else None, source).tolist())
    kept = [image for index, image in enumerate(found.train) if index not in chosen]
    test = [found.train[index] for index in sorted(chosen)]
    return kept, test, (*found.notes, said(len(test), count, source))


def common_shape(
    found: Found, source: str, sample_shape: tuple[int | None, ...] | None, size: tuple[int, int] | None
) -> Shape:
    """Return the shape every image gets: from the options and the model, as far as they say, else from the images.

    Raises:
        InputError: they have different sizes, and neither says one; or the model takes no images.
    """
    height, width, channels = _wanted(sample_shape, source)
    if size is not None:
        height, width = size
    if height is not None and width is not None and channels is not None:
        return height, width, channels
    images = [*found.train, *(found.test or ())]
    sizes: dict[tuple[int, int], ImageFile] = {}
    grey = True
    for image, result in looked(images, source):
        sizes.setdefault(result[:2], image)
        grey = grey and result[2] == 1
    channels = channels if channels is not None else (1 if grey else 3)
    if height is not None and width is not None:
        return height, width, channels
    if len(sizes) > 1:
        (first, a), (second, b) = list(sizes.items())[:2]
        raise InputError(
            f"{source}: the images have {len(sizes)} sizes, such as {first[0]}x{first[1]} ({plain(a.name)}) and "
            f"{second[0]}x{second[1]} ({plain(b.name)}), and the model takes any",
            f"give a size, height before width: --data '{source}?size=96x96'",
            code="image-sizes-differ",
        )
    ((height, width),) = sizes
    return height, width, channels


def looked(images: Sequence[ImageFile], source: str) -> Iterator[tuple[ImageFile, Shape]]:
    """Yield the height, width and channels of images, in order, without decoding them.

    Raises:
        InputError: some are damaged; after the last.
    """
    return _worked(images, lambda i: look(i.path), source, len(images))


def _wanted(sample_shape: tuple[int | None, ...] | None, source: str) -> tuple[int | None, int | None, int | None]:
    if sample_shape is None:
        return None, None, None
    if len(sample_shape) == 2:
        return sample_shape[0], sample_shape[1], 1
    if len(sample_shape) == 3 and sample_shape[2] in (1, 3, None):
        return sample_shape
    if len(sample_shape) == 3 and sample_shape[0] in (1, 3):
        return sample_shape[1], sample_shape[2], sample_shape[0]
    if len(sample_shape) == 1 and (flat := _square(sample_shape[0])) is not None:
        return flat
    text = ", ".join("any" if n is None else str(n) for n in sample_shape)
    raise InputError(
        f"{source}: holds images, and the model takes samples of shape ({text})",
        "images are (height, width, 1) or (height, width, 3)",
        code="shape-mismatch",
    )


def _square(values: int | None) -> Shape | None:
    """Return the square image, grey or coloured, that has so many values in a row."""
    for channels in (1, 3):
        side = math.isqrt((values or 0) // channels)
        if side > 1 and side * side * channels == values:
            return side, side, channels
    return None


def decoded(folder: Path, images: Sequence[ImageFile], shape: Shape, fit: str, progress: Progress) -> Array:
    """Return the images, mapped from the cache; decoded into it first, as one of `FITS`, if they are not there.

    Raises:
        InputError: some are damaged, or they would be too large.
        OutputError: the cache cannot be written.
    """
    listing = (f"{image.name}\0{image.size}\0{image.changed}" for image in images)
    key = key_of("images", _VERSION, folder.resolve(), shape, fit, *listing)
    source = plain(folder)
    if math.prod(shape) > MOST_BYTES:
        height, width, channels = shape
        raise InputError(
            f"{source}: images of {height:,}x{width:,} with {channels} channels would take {math.prod(shape) >> 20:,} "
            f"MiB each, more than {MOST_BYTES >> 20}",
            "give a smaller ?size=, or a model with smaller inputs",
            code="image-too-large",
        )

    def make(target: Path) -> None:
        check_space(len(images) * math.prod(shape), source)
        writer = NpyWriter(target / "x.npy", (len(images), *shape), np.uint8)
        try:
            with progress.task(f"decoding {source}", len(images)) as task:
                chunk = max(1, min(512, _CHUNK_BYTES // math.prod(shape)))
                for _, pixels in _worked(images, lambda i: decode(i.path, shape, fit), source, chunk, task.advance):
                    writer.append(pixels)
        finally:
            writer.close()

    with open_file(cached(key, make) / "x.npy", follow=False) as stream:
        array = mapped(stream, 0, os.fstat(stream.fileno()).st_size, f"{source}: the cached images")
    if array is None or array.shape != (len(images), *shape):
        raise InputError(
            f"{source}: the cached images have another shape than expected",
            f"remove {cache_folder() / key}",
            code="cache-damaged",
        )
    return array


def _worked(
    images: Sequence[ImageFile],
    work: Callable[[ImageFile], _T],
    source: str,
    chunk: int,
    advance: Callable[[], None] = lambda: None,
) -> Iterator[tuple[ImageFile, _T]]:
    """Yield what `work` makes of every image, in order, on all cores; after the last, tell of those it failed on.

    Raises:
        InputError: some images are damaged: their number, and the first three with the reason.
    """
    bad: list[str] = []
    failed = 0

    def attempt(image: ImageFile) -> _T | Exception:
        try:
            return work(image)
        except Exception as error:  # Pillow's decoders raise all kinds
            return error

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, len(images), chunk):
            some = images[start : start + chunk]
            for image, result in zip(some, pool.map(attempt, some), strict=True):
                advance()
                if not isinstance(result, Exception):
                    if not failed:
                        yield image, result
                    continue
                failed += 1
                if failed <= 3:
                    bad.append(f"{plain(image.name)} ({_reason(result)})")
    if failed:
        raise InputError(
            f"{source}: {failed:,} of {len(images):,} images cannot be read: {'; '.join(bad)}",
            f"remove or replace them; expected formats: {', '.join(SUFFIXES)}",
            code="images-damaged",
        )


def _reason(error: Exception) -> str:
    if type(error).__name__.startswith("DecompressionBomb"):
        return "more pixels than Pillow's limit; it may be made to fill the memory"
    if type(error).__name__ == "UnidentifiedImageError":
        return "not an image by its content"
    text = error.message if isinstance(error, EdgekitError) else str(error)
    return plain((text or type(error).__name__).splitlines()[0])[:_SHOWN]
