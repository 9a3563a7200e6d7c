"""CSV files: numeric columns as features, one column as the target."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgekit.data.sources.csv_cells import integer
from edgekit.data.sources.csv_file import Columns, read_columns
from edgekit.data.sources.holdout import TEST_SHARE, complete
from edgekit.data.sources.raw import Loose, Raw
from edgekit.data.sources.spec import Request
from edgekit.errors import InputError
from edgekit.files.opening import is_folder, kind, plain
from edgekit.tasks.samples import Array

_SUFFIXES = (".csv", ".tsv")
_FEW = 20
"""Up to this many rows a text target may be different in every one."""


def takes(request: Request) -> bool:
    """Return whether it is a folder with `train.csv`, or a table by its name (see `registry.Source`)."""
    if request.there == "a folder":
        return bool(kind(request.path / "train.csv"))
    return request.path.suffix.lower() in _SUFFIXES


def raw(request: Request) -> Raw:
    """Return the rows of `FILE.csv` or `FOLDER/train.csv` and `FOLDER/test.csv`: x is float32, shape (rows, columns).

    Options: `target` names the target column, by default the last; empty for none. `test` is the share of rows kept
    for the test where no file is given for it. An integer target stays int64, a fractional one becomes float32, and a
    text one becomes int64 labels with the sorted texts as class names.

    Raises:
        InputError: a file or a cell cannot be used; said with file, line and column.
    """
    spec = request.spec
    spec.allow("target", "test")
    share, target = spec.share("test", TEST_SHARE), spec.options.get("target")
    if not is_folder(spec.path):
        read = read_columns(spec.path, target)
        y, names = _target([read])
        return _named(complete(Loose(read.x, y[0], class_names=names), plain(spec.path), share), read)
    train = read_columns(spec.path / "train.csv", target, spec.path)
    if not kind(spec.path / "test.csv"):
        y, names = _target([train])
        return _named(complete(Loose(train.x, y[0], class_names=names), plain(train.path), share), train)
    test = read_columns(spec.path / "test.csv", train.target if train.y is not None else "", spec.path)
    if train.names != test.names:
        odd = sorted(set(train.names) ^ set(test.names)) or ["their order"]
        raise InputError(
            f"{test.path}: has other columns than `train.csv`: {', '.join(odd[:5])}",
            "expected the same columns in the same order",
            code="array-names-mismatch",
        )
    y, names = _target([train, test])
    return _named(Raw(train.x, test.x, y[0], y[1], names, plain(spec.path)), train)


def _named(raw: Raw, columns: Columns) -> Raw:
    said = f"{plain(columns.path)}: the target is the column {columns.target}" if columns.y is not None else ""
    return replace(raw, feature_names=columns.names, notes=(*raw.notes, said) if said else raw.notes)


def _target(files: list[Columns]) -> tuple[list[Array | None], tuple[str, ...]]:
    """Return the target of every file with one type for all, and class names if it is text."""
    if any(columns.y is None for columns in files):
        return [None for _ in files], ()
    cells = [columns.y or [] for columns in files]
    integers = [[integer(cell) for cell in column] for column in cells]
    if all(value is not None for column in integers for value in column):
        return [np.array(column, np.int64) for column in integers], ()
    numbers = [[columns.numbers.read(cell) for cell in column] for columns, column in zip(files, cells, strict=True)]
    if all(value is not None for column in numbers for value in column):
        return [_finite(column, columns) for column, columns in zip(numbers, files, strict=True)], ()
    names = tuple(sorted({cell.strip() for cell in cells[0]}))
    if len(cells[0]) > _FEW and len(names) > len(cells[0]) / 2:
        raise InputError(
            f"{files[0].path}: the target column `{files[0].target}` holds text with {len(names):,} different "
            f"values in {len(cells[0]):,} rows, too many for classes",
            "name another with --data 'FILE.csv?target=COLUMN'",
            code="target-not-classes",
        )
    number = {name: index for index, name in enumerate(names)}
    for columns, column in zip(files[1:], cells[1:], strict=True):
        unknown = sorted({cell.strip() for cell in column} - set(names))
        if unknown:
            raise InputError(
                f"{columns.path}: has classes that `train.csv` does not have: {plain(', '.join(unknown[:5]))}",
                "every class must occur in `train.csv`",
                code="classes-differ",
            )
    return [np.array([number[cell.strip()] for cell in column], np.int64) for column in cells], names


def _finite(values: list[float | None], columns: Columns) -> Array:
    with np.errstate(over="ignore"):
        array = np.array(values, np.float64).astype(np.float32)
    if not np.isfinite(array).all():
        row = int(np.argmin(np.isfinite(array))) + 1
        raise InputError(
            f"{columns.path}: row {row}, column `{columns.target}`: too large for a 32-bit number",
            "replace the value, or remove the row",
            code="values-not-finite",
        )
    return array
