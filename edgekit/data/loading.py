"""`--data`: from what the user typed to a `Dataset`."""

from __future__ import annotations

import difflib
from dataclasses import replace

from edgekit.data.dataset import Dataset, build
from edgekit.data.sources import function, images, named, npy, npz, table
from edgekit.data.sources.raw import Raw
from edgekit.data.sources.spec import PathSpec, function_spec, path_spec
from edgekit.errors import InputError
from edgekit.files.opening import check_readable, kind, plain
from edgekit.progress import SILENT, Progress
from edgekit.schema.mixups import mixed_up

_TABLES = (".csv", ".tsv")
_SUFFIXES = (*_TABLES, ".npz", ".npy")
_NO_DATA = (".json", ".toml", ".keras", ".tflite", ".onnx", ".h")
_SHOWN = 200
"""Characters of what was typed that a message repeats."""


def load_data(spec: str, sample_shape: tuple[int | None, ...] | None = None, progress: Progress = SILENT) -> Dataset:
    """Load and check data: a known data set, or any source that `load_raw` reads.

    Args:
        spec: as for `load_raw`.
        sample_shape: as for `load_raw`.
        progress: told what was decided about the data.

    Raises:
        InputError: there is no such source, or it cannot be used.
        MissingExtraError: it needs a package that is not installed.
        OutputError: the cache folder cannot be written.
    """
    if spec in named.NAMED:
        return named.load(spec)
    raw = load_raw(spec, sample_shape, progress)
    for note in raw.notes:
        progress.notify(note)
    arrays = {"x_train": raw.x_train, "y_train": raw.y_train, "x_test": raw.x_test, "y_test": raw.y_test}
    built = build(_name(spec), arrays, raw.source, raw.class_names)
    return replace(built, feature_names=raw.feature_names, held_out=raw.held_out)


def check_spec(spec: str) -> None:
    """Look whether there is anything at `spec`, before anything slow happens.

    Raises:
        InputError: there is not.
    """
    if spec in named.NAMED or function_spec(spec) is not None:
        return
    path = path_spec(spec).path
    check_readable(path)
    if (path.suffix in _NO_DATA or kind(path) == "a folder") and (other := mixed_up(path, "data set")) is not None:
        raise other
    if not kind(path):
        raise InputError(f"{path}: no such file") if path.suffix in _SUFFIXES else _unknown(spec)


def load_raw(spec: str, sample_shape: tuple[int | None, ...] | None = None, progress: Progress = SILENT) -> Raw:
    """Return what a source holds, unchecked.

    Args:
        spec: a known name; an `.npz` file; a folder of `.npy` files, of images, or of `train.csv` and `test.csv`; a
            `.csv` file; or a function, as `package.module:function` or `file.py:function`. Behind a path may stand
            options: `rows.csv?target=price&test=0.2`, `images?size=96x96`.
        sample_shape: what the model takes, without batch; None where open or unknown. Images are resized to it.
        progress: told when images are decoded.

    Raises:
        InputError: there is no such source, or it cannot be used.
        MissingExtraError: it needs a package that is not installed.
        OutputError: the cache folder cannot be written.
    """
    if spec in named.NAMED:
        data = named.load(spec)
        return Raw(data.x_train, data.x_test, data.y_train, data.y_test, data.class_names, spec)
    called = function_spec(spec)
    if called is not None:
        return function.read_raw(*called, sample_shape)
    given = path_spec(spec)
    if function_spec(str(given.path)):
        given.allow()
    check_readable(given.path)
    there = kind(given.path)
    if given.path.suffix == ".py" and there == "a file":
        raise InputError(f"--data {spec}: is a Python file", f"name a function in it: --data {spec}:load")
    if given.path.suffix == ".npz":
        given.allow()
        return npz.read_raw(given.path)
    if there == "a folder":
        return _folder(given, sample_shape, progress)
    if given.path.suffix.lower() in _TABLES:
        return table.read_raw(given)
    if there:
        given.allow()
        return npz.read_raw(given.path)
    raise _unknown(spec)


def _folder(given: PathSpec, sample_shape: tuple[int | None, ...] | None, progress: Progress) -> Raw:
    if npy.holds_arrays(given.path):
        given.allow()
        return npy.read_raw(given.path)
    if table.holds_tables(given.path):
        return table.read_raw(given)
    given.allow("size")
    raw = images.read_raw(given.path, sample_shape, given.size("size"), progress)
    if raw is None:
        raise InputError(
            f"{plain(given.path)}: is a folder without data",
            "expected images (CLASS/*.png, or train and test with such folders), x_train.npy, or train.csv",
        )
    return raw


def _unknown(spec: str) -> InputError:
    close = difflib.get_close_matches(spec[:_SHOWN], named.NAMED, n=1)
    known = f"known names: {', '.join(named.NAMED)}; or give an .npz or .csv file, a folder, or file.py:function"
    return InputError(
        f"--data {plain(spec[:_SHOWN])}{'...' * (len(spec) > _SHOWN)}: neither a known data set nor a file",
        f"did you mean `{close[0]}`?" if close else known,
    )


def _name(spec: str) -> str:
    """Return what to call the data: the function, or the file without its suffix."""
    called = function_spec(spec)
    return plain(called[1] if called else path_spec(spec).path.stem)
