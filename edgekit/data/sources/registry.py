"""The kinds of data that `--data` takes. A new kind is one module and one row here.

The help of `--data`, the table in docs/data.md and the messages about unknown data are made of these rows. Nothing
heavy is imported until a kind is asked whether something is its own.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from edgekit.data.sources.named_sets import NAMED

if TYPE_CHECKING:
    from edgekit.data.sources.raw import Raw
    from edgekit.data.sources.spec import Request


class Source(Protocol):
    """What the module of a kind offers."""

    def takes(self, request: Request) -> bool:
        """Return whether what was typed is of this kind; looks at names and folders, reads no data."""

    def raw(self, request: Request) -> Raw:
        """Return what the source holds, unchecked.

        Raises:
            InputError: it cannot be used.
            MissingExtraError: it needs a package that is not installed.
            OutputError: the cache folder cannot be written.
        """


@dataclass(frozen=True)
class SourceKind:
    """A kind of data.

    Attributes:
        name: a slug.
        typed: what the user gives, as half a sentence; names in backticks.
        holds: what is expected in it, or what becomes of it.
        example: what could stand behind `--data`.
        module: a `Source`, imported when data are loaded.
        is_path: whether what is typed is the path of a file or folder, with options behind `?`.
        suffixes: of its files.
    """

    name: str
    typed: str
    holds: str
    example: str
    module: str
    is_path: bool = True
    suffixes: tuple[str, ...] = ()

    def source(self) -> Source:
        """Import the module."""
        return cast(Source, importlib.import_module(self.module))


_ARRAYS = "`x_train`, `y_train`, `x_test`, `y_test`; several inputs and outputs as `x_train/NAME`, `y_train/NAME`"
SOURCES: list[SourceKind] = [
    SourceKind(
        "named",
        ", ".join(f"`{name}`" for name in NAMED),
        "from `$EDGEKIT_DATA/NAME.npz`, else the Keras cache, else a download",
        "digits",
        "edgekit.data.sources.named",
        is_path=False,
    ),
    SourceKind(
        "function",
        "your own function as `data.py:load` or `package.module:load`",
        "arrays or `tf.data`; `edgekit init` writes an example",
        "data.py:load",
        "edgekit.data.sources.function",
        is_path=False,
    ),
    SourceKind("npz", "an `.npz` file", _ARRAYS, "my.npz", "edgekit.data.sources.npz", suffixes=(".npz",)),
    SourceKind(
        "npy", "a folder of `.npy` files", f"{_ARRAYS}, a file each", "arrays/", "edgekit.data.sources.npy",
        suffixes=(".npy",),
    ),
    SourceKind(
        "table",
        "a `.csv` or `.tsv` file, or a folder with `train.csv`",
        "a header and numbers; the last column is the target by default",
        "rows.csv?target=price",
        "edgekit.data.sources.table",
        suffixes=(".csv", ".tsv"),
    ),
    SourceKind(
        "coco",
        "a COCO `.json` file of boxes, or a folder with `annotations/instances_train*.json`",
        "images in a folder beside it, or `?images=FOLDER`; boxes for detection",
        "instances_val2017.json?images=val2017",
        "edgekit.data.sources.coco",
        suffixes=(".json",),
    ),
    SourceKind(
        "yolo",
        "a `data.yaml` of YOLO, or a folder with `images` and `labels`",
        "`labels/*.txt` with class, centre, width and height of boxes; names in `data.yaml` or `classes.txt`",
        "data.yaml",
        "edgekit.data.sources.yolo",
        suffixes=(".yaml", ".yml"),
    ),
    SourceKind(
        "images",
        "a folder of images",
        "`CLASS/*.png`, or `train` and `test` with such folders; stretched to what the model takes, or padded: "
        "`fit=letterbox` on both sides, `fit=corner` below and to the right",
        "images?size=96x96",
        "edgekit.data.sources.images",
    ),
]  # fmt: skip
"""The first kind that takes what was typed reads it; images take any folder, so kinds of folders stand before."""


def sources_help() -> str:
    """Return what `--data` takes, as one sentence for the help of a command."""
    typed = "; ".join(f"{kind.typed}{f' ({kind.example})' * kind.is_path}" for kind in SOURCES)
    return f"{typed.replace('`', '')}. edgekit init writes an example of a function."


def sources_expected() -> str:
    """Return what `--data` takes, for hints."""
    return "expected " + "; ".join(kind.typed.replace("`", "") for kind in SOURCES)


def sources_table() -> str:
    """Return the kinds as rows of a Markdown table: what is typed, and what is expected in it."""
    return "\n".join(f"| {kind.typed}, such as `{kind.example}` | {kind.holds} |" for kind in SOURCES)
