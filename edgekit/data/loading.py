"""`--data`: from what the user typed to a `Dataset`."""

from __future__ import annotations

import difflib
from dataclasses import replace

from edgekit.data.dataset import Dataset, build
from edgekit.data.sources import npz
from edgekit.data.sources.named_sets import NAMED
from edgekit.data.sources.raw import Raw
from edgekit.data.sources.registry import SOURCES, sources_expected
from edgekit.data.sources.spec import Request, function_spec, path_spec
from edgekit.errors import InputError
from edgekit.files.opening import plain
from edgekit.progress import SILENT, Progress
from edgekit.schema.mixups import mixed_up

_NO_DATA = (".json", ".toml", ".keras", ".tflite", ".onnx", ".h")
_SHOWN = 200
"""Characters of what was typed that a message repeats."""


def load_data(spec: str, sample_shape: tuple[int | None, ...] | None = None, progress: Progress = SILENT) -> Dataset:
    """Load and check data from any source that `load_raw` reads.

    Args:
        spec: as for `load_raw`.
        sample_shape: as for `load_raw`.
        progress: notified of what was decided about the data.

    Raises:
        InputError: there is no such source, or it cannot be used.
        MissingExtraError: it needs a package that is not installed.
        OutputError: the cache folder cannot be written.
    """
    raw = load_raw(spec, sample_shape, progress)
    for note in raw.notes:
        progress.notify(note)
    arrays = {"x_train": raw.x_train, "y_train": raw.y_train, "x_test": raw.x_test, "y_test": raw.y_test}
    built = build(_name(spec), arrays, raw.source, raw.class_names, raw.preprocessing, boxes=raw.boxes)
    return replace(built, feature_names=raw.feature_names, held_out=raw.held_out)


def check_spec(spec: str) -> None:
    """Look whether there is anything at `spec`, before anything slow happens.

    Raises:
        InputError: there is not.
    """
    request = Request(spec)
    if any(not kind.is_path and kind.source().takes(request) for kind in SOURCES):
        return
    path, there = request.path, request.there
    if (path.suffix in _NO_DATA or there == "a folder") and (other := mixed_up(path, "data set")) is not None:
        raise other
    if not there:
        raise _missing(request)


def load_raw(spec: str, sample_shape: tuple[int | None, ...] | None = None, progress: Progress = SILENT) -> Raw:
    """Return what a source holds, unchecked.

    Args:
        spec: what one of the kinds of `edgekit.data.sources.registry` takes. Behind a path may stand options:
            `rows.csv?target=price&test=0.2`, `images?size=96x96`.
        sample_shape: what the model takes, without batch; None where open or unknown. Images are resized to it.
        progress: notified when images are decoded.

    Raises:
        InputError: there is no such source, or it cannot be used.
        MissingExtraError: it needs a package that is not installed.
        OutputError: the cache folder cannot be written.
    """
    request = Request(spec, sample_shape, progress)
    for kind in SOURCES:
        source = kind.source()
        if source.takes(request):
            return source.raw(request)
    if request.there:
        return npz.raw(request)  # whatever it is called
    raise _missing(request)


def _missing(request: Request) -> InputError:
    if request.path.suffix in {suffix for kind in SOURCES for suffix in kind.suffixes}:
        return InputError(f"{request.path}: no such file", code="file-missing")
    spec = request.typed
    close = difflib.get_close_matches(spec[:_SHOWN], NAMED, n=1)
    return InputError(
        f"--data {plain(spec[:_SHOWN])}{'...' * (len(spec) > _SHOWN)}: neither a known data set nor a file",
        f"did you mean `{close[0]}`?" if close else sources_expected(),
        code="data-not-found",
    )


def _name(spec: str) -> str:
    """Return what to call the data: the function, or the file without its suffix."""
    called = function_spec(spec)
    return plain(called[1] if called else path_spec(spec).path.stem)
