"""Reading one CSV file in pieces, with every complaint naming line and column."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from edgekit.data.sources.csv_cells import Numbers, missing, sniff
from edgekit.errors import InputError
from edgekit.files.opening import open_file, plain
from edgekit.schema.toml import nearest
from edgekit.tasks.samples import Array

MAX_CELLS = 250_000_000
"""1 GB of float32; larger tables belong into `.npy` files."""
MAX_COLUMNS = 50_000
_PIECE_CELLS = 200_000
_PIECE_CHARACTERS = 16 << 20
_SNIFFED_LINES, _SNIFFED_CHARACTERS = 20, 4 << 20
_LINE_LIMIT = 16 << 20
MOST_NAME = 255
"""Characters of a column's name, and of the name of a class."""
MOST_CELL = 1000
"""Characters of any other cell; numbers with all their digits have fewer."""
_LISTED = 200
"""Columns that a hint may name."""

Row = tuple[int, list[str]]
"""Line number and cells."""


@dataclass(frozen=True)
class Columns:
    """A table.

    Attributes:
        path: of the file.
        x: float32, shape (rows, columns but the target).
        y: the target's cells; None without a target.
        names: of the columns of x.
        target: the target's name; empty without one.
        numbers: reads cells as this file writes them.
    """

    path: Path
    x: Array
    y: list[str] | None
    names: tuple[str, ...]
    target: str
    numbers: Numbers


def read_columns(path: Path, target: str | None, root: Path | None = None) -> Columns:
    """Read a CSV file with a header row and numeric columns.

    Args:
        path: the file; `,`, `;` or tab between the cells, UTF-8.
        target: the name of the target column; None: the last; empty: no target.
        root: a folder that the file may not lead out of.

    Raises:
        InputError: the file or a cell cannot be used.
    """
    try:
        with (
            open_file(path, root) as binary,
            io.TextIOWrapper(binary, encoding="utf-8-sig", newline="") as stream,
        ):
            return _read(path, stream, target)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: not a text file in UTF-8: {error.reason}", "save it as CSV in UTF-8", code="not-utf-8"
        ) from error
    except csv.Error as error:
        raise InputError(
            f"{path}: not a readable CSV file: {error}", "save it again as CSV in UTF-8", code="csv-malformed"
        ) from error
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read: {error.strerror}", "check the disk", code="file-unreadable"
        ) from error


def _read(path: Path, stream: TextIO, target: str | None) -> Columns:
    delimiter = sniff(_first(_lines(path, stream)))
    stream.seek(0)
    reader = csv.reader(_lines(path, stream), delimiter=delimiter, skipinitialspace=True)
    numbers = Numbers(delimiter)
    names = _header(path, next((row for row in reader if row), []))
    place = _place(path, names, target)
    kept = [index for index in range(len(names)) if index != place]
    pieces: list[Array] = []
    y: list[str] = []
    rows = 0
    numbered = _rows(path, reader, len(names))
    while piece := _piece(numbered, max(1, _PIECE_CELLS // len(names))):
        rows += len(piece)
        if rows * len(kept) > MAX_CELLS:
            raise InputError(
                f"{path}: has more than {MAX_CELLS:,} cells",
                "store large tables as x_train.npy, y_train.npy",
                code="table-too-large",
            )
        array = _plain(piece, kept, place, numbers)
        if array is None:
            _check_missing(path, piece, names)
            array = _features(path, piece, names, kept, numbers)
        pieces.append(array)
        if place is not None:
            y += [row[place] for _, row in piece]
    if not pieces:
        raise InputError(
            f"{path}: has a header and no rows", "expected rows of numbers below the header", code="array-empty"
        )
    if numbers.points and numbers.commas:
        raise InputError(
            f"{path}: has numbers with a decimal comma ({numbers.commas}) and with a point ({numbers.points})",
            "write all of them with a point",
            code="csv-malformed",
        )
    x = np.concatenate(pieces)
    kept_names = tuple(names[index] for index in kept)
    return Columns(path, x, None if place is None else y, kept_names, "" if place is None else names[place], numbers)


def _lines(path: Path, stream: TextIO) -> Iterator[str]:
    """Yield the lines, none of them longer than the memory can be asked to hold."""
    while line := stream.readline(_LINE_LIMIT):
        if len(line) >= _LINE_LIMIT:
            raise InputError(
                f"{path}: has a line of more than {_LINE_LIMIT >> 20} MiB", "is it a CSV file?", code="csv-malformed"
            )
        yield line


def _first(lines: Iterator[str]) -> list[str]:
    """Return the first lines with something in them: enough to tell the delimiter."""
    first: list[str] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            first.append(line)
        if number >= _SNIFFED_LINES or sum(map(len, first)) > _SNIFFED_CHARACTERS:
            break
    return first


def _rows(path: Path, reader: Iterator[list[str]], width: int) -> Iterator[Row]:
    """Yield the rows with something in them, which have as many cells as the header."""
    number = 0
    for row in reader:
        number = reader.line_num  # type: ignore[attr-defined]
        if not row:
            continue
        if len(row) != width:
            raise InputError(
                f"{path}: line {number} has {len(row):,} cells, the header has {width:,}",
                "expected as many cells in each row; is a delimiter or a quotation mark missing?",
                code="csv-malformed",
            )
        if len(longest := max(row, key=len)) > MOST_CELL:
            raise InputError(
                f"{path}: line {number} has a cell of {len(longest):,} characters: `{plain(longest[:30])}...`",
                "expected numbers or names of classes; is a quotation mark missing?",
                code="csv-malformed",
            )
        yield number, row


def _piece(rows: Iterator[Row], most: int) -> list[Row]:
    """Return the next rows, as many as fit into little memory."""
    piece: list[Row] = []
    characters = 0
    while len(piece) < most and characters < _PIECE_CHARACTERS and (row := next(rows, None)) is not None:
        piece.append(row)
        characters += sum(map(len, row[1]))
    return piece


def _header(path: Path, cells: Sequence[str]) -> list[str]:
    if not cells:
        raise InputError(f"{path}: is empty", "expected a header row and rows of numbers", code="file-empty")
    names = [plain(cell.strip()) for cell in cells[: MAX_COLUMNS + 1]]
    long = max(names, key=len)
    if len(long) > MOST_NAME:
        raise InputError(
            f"{path}: a column name has {len(long):,} characters: `{long[:30]}...`",
            f"expected a header row of names up to {MOST_NAME}; is a quotation mark missing?",
            code="csv-header-invalid",
        )
    if len(cells) > MAX_COLUMNS:
        raise InputError(
            f"{path}: has {len(cells):,} columns, expected up to {MAX_COLUMNS:,}",
            "store them as .npy",
            code="table-too-large",
        )
    if all(Numbers(";").read(name) is not None for name in names):
        raise InputError(
            f"{path}: the first row holds numbers, not names: {', '.join(names[:4])}",
            "add a header row",
            code="csv-header-invalid",
        )
    for number, name in enumerate(names, 1):
        if not name:
            raise InputError(
                f"{path}: column {number} has no name",
                "is it a row number? save the table without it",
                code="csv-header-invalid",
            )
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise InputError(
            f"{path}: several columns are called {', '.join(f'`{name}`' for name in twice[:5])}",
            "give each column a name of its own",
            code="csv-header-invalid",
        )
    return names


def _place(path: Path, names: Sequence[str], target: str | None) -> int | None:
    if target == "":
        return None
    if target is not None:
        target = plain(target)
        if target not in names:
            raise InputError(
                f"{path}: has no column `{target[:MOST_NAME]}`",
                nearest(target[:MOST_NAME], names[:_LISTED]),
                code="unknown-name",
            )
    if len(names) == 1:
        raise InputError(
            f"{path}: has one column only, `{names[0]}`",
            "expected features and a target, with , or ; between",
            code="csv-header-invalid",
        )
    return len(names) - 1 if target is None else names.index(target)


def _plain(piece: Sequence[Row], kept: Sequence[int], place: int | None, numbers: Numbers) -> Array | None:
    """Return the features of rows in which every cell is a plain number, quickly; None if one is anything else."""
    try:
        values = np.array([[float(row[index]) for index in kept] for _, row in piece], np.float64)
    except ValueError:
        return None
    if place is not None and any(missing(row[place]) for _, row in piece):
        return None
    if any("_" in "".join(row) for _, row in piece) or not (np.abs(values) <= np.finfo(np.float32).max).all():
        return None
    if not numbers.points:
        numbers.points = next((row[index] for _, row in piece for index in kept if "." in row[index]), "")
    return values.astype(np.float32).reshape(len(piece), len(kept))


def _check_missing(path: Path, piece: Sequence[Row], names: Sequence[str]) -> None:
    lacking = ((line, name) for line, row in piece for name, cell in zip(names, row, strict=True) if missing(cell))
    found = next(lacking, None)
    if found:
        more = sum(1 for _ in lacking)
        also = f", and {more:,} more near it" if more else ""
        raise InputError(
            f"{path}: line {found[0]}, column `{found[1]}`: the value is missing{also}",
            "fill missing values in, or remove those rows",
            code="cells-missing",
        )


def _features(path: Path, piece: Sequence[Row], names: Sequence[str], kept: Sequence[int], numbers: Numbers) -> Array:
    values = [[numbers.read(row[index]) for index in kept] for _, row in piece]
    text = {
        names[index]: piece[i][1][index]
        for i, row in enumerate(values)
        for index, value in zip(kept, row, strict=True)
        if value is None
    }
    if text:
        listed = ", ".join(f"{name} (such as `{plain(cell[:30])}`)" for name, cell in list(text.items())[:5])
        more = f" and {len(text) - 5} more" if len(text) > 5 else ""
        raise InputError(
            f"{path}: text in {'columns' if len(text) > 1 else 'column'} {listed}{more}",
            "encode text as numbers first; the target is the last column unless ?target=NAME names another",
            code="cells-text",
        )
    with np.errstate(over="ignore"):
        array = np.array(values, np.float64).astype(np.float32).reshape(len(piece), len(kept))
    if not np.isfinite(array).all():
        row, column = (int(index) for index in np.argwhere(~np.isfinite(array))[0])
        line, cells = piece[row]
        raise InputError(
            f"{path}: line {line}, column `{names[kept[column]]}`: `{cells[kept[column]][:30]}` is infinite or too "
            "large for a 32-bit number",
            "replace the value, or remove the row",
            code="values-not-finite",
        )
    return array
