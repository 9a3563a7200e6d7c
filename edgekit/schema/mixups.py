"""One of edgekit's own files given for another: named as what it is, with the command that takes it.

Every reader of such a file reads what it was given, and asks here only when it cannot: `recognised` around the reading
turns "`command` is missing" into "is a bundle's manifest, not a record".
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from edgekit.errors import InputError
from edgekit.schema.document import LARGE, parse_json, parse_toml, read_text
from edgekit.schema.types import JsonValue

MANIFEST = "manifest.json"
RECORDS = "edgekit-records"


@dataclass(frozen=True)
class Kind:
    """A kind of file or folder.

    Attributes:
        what: it is, such as `a recipe`.
        use: the command that takes it; PATH stands for its path, PARENT for the folder it lies in.
    """

    what: str
    use: str


KINDS = {
    "bundle": Kind("a bundle", "measure it with: edgekit bench PATH"),
    "manifest": Kind("a bundle's manifest", "the bundle is its folder: edgekit bench PARENT"),
    "record": Kind("a record of edgekit bench", "print it with: edgekit report PATH"),
    "records": Kind("a folder of records", "print them with: edgekit report PATH"),
    "search": Kind("what a search came to", "print it with: edgekit report PARENT"),
    "report": Kind("a report of edgekit", "report what it was made of: edgekit report FOLDER"),
    "trial": Kind("a trial of a search", "print the search with: edgekit report FOLDER, its folder"),
    "recipe": Kind("a recipe", "use it with: edgekit compress MODEL --recipe PATH"),
    "target": Kind("a target", "use it with: edgekit bench BUNDLE --target PATH"),
    "card": Kind("what edgekit notes beside a model", "give the model itself, the file of its name without .json"),
    "keras": Kind("a Keras model", "compress it with: edgekit compress PATH"),
    "model": Kind("a model file", "measure it with: edgekit bench PATH"),
    "data": Kind("data", "use it with: --data PATH"),
    "header": Kind("a C array of a model", "give the .tflite file beside it"),
}
EXPECTED = {
    "record": f"records are what edgekit bench writes, into {RECORDS}/ or --out",
    "recipe": "`edgekit recipes` lists recipes, `edgekit recipes int8 > mine.toml` gives one to change",
    "target": "`edgekit targets list` lists targets",
    "bundle or a model file": "expected a bundle of edgekit compress, a .tflite or an .onnx file",
    "model file": "expected a .tflite or an .onnx file",
    "model to compress": "expected a .keras or .h5 file, a SavedModel folder, a float .tflite or .onnx file",
    "data set": "expected an .npz or .csv file, a folder, or file.py:function",
}
"""What may be wanted, and where it is found."""
_SUFFIXES = {
    **dict.fromkeys((".keras", ".h5", ".hdf5"), "keras"),
    **dict.fromkeys((".tflite", ".lite", ".onnx"), "model"),
    **dict.fromkeys((".npz", ".npy", ".csv"), "data"),
    ".h": "header",
}
_KEYS: Mapping[str, tuple[str, ...]] = {
    "record": ("subjects", "measurements"),
    "manifest": ("artifacts", "preprocessing"),
    "card": ("preprocessing", "lineage"),
    "search": ("front", "budget"),
    "report": ("decisions", "rows", "skipped"),
    "trial": ("number", "state", "recipe_sha256"),
    "target": ("transport",),
}
"""Keys that a kind must have; the first kind of which all are there."""
_OF_RECIPES = ("stage", "export", "preprocessing", "calibration", "check", "eval", "seed")
_LOOKED_AT = 1000
LARGEST_TOML = 1 << 20
"""Bytes; a larger file would keep the parser busy for a while."""


@contextmanager
def recognised(path: Path | str, wanted: str) -> Iterator[None]:
    """Read one of edgekit's files inside; if it cannot be read because it is another, that is what is raised.

    Args:
        path: what was given.
        wanted: a key of `EXPECTED`.

    Raises:
        InputError: of the block, or that the path leads to another kind of file.
    """
    try:
        yield
    except InputError as error:
        other = mixed_up(Path(path), wanted)
        if other is None:
            raise
        raise other from error


def mixed_up(path: Path, wanted: str) -> InputError | None:
    """Return the error that names what a path leads to, if that is a kind of its own and not the one wanted."""
    there = kind_of(path)
    if there is None or there == wanted or (there == "data" and wanted == "data set"):
        return None
    if there in ("model", "keras") and wanted in ("bundle or a model file", "model file", "model to compress"):
        return None
    if there == "bundle" and wanted == "bundle or a model file":
        return None
    kind = KINDS[there]
    use = kind.use.replace("PATH", shlex.quote(str(path))).replace("PARENT", shlex.quote(str(path.parent)))
    if there == "bundle" and (inside := _inside(path, wanted)) is not None:
        use = f"it holds {inside}"
    article = "an" if wanted.startswith(tuple("aeiou")) else "a"
    hint = f"{EXPECTED[wanted]}; {use}"
    return InputError(f"{path}: is {kind.what}, not {article} {wanted}", hint, code="file-of-another-kind")


def _inside(bundle: Path, wanted: str) -> Path | None:
    """Return the file of a bundle that is of the kind wanted."""
    suffix = {"recipe": "recipe.toml", "model to compress": ".keras"}.get(wanted)
    return next((bundle / p.name for p in sorted(bundle.iterdir()) if suffix and p.name.endswith(suffix)), None)


def kind_of(path: Path) -> str | None:
    """Return the key of `KINDS` that a path leads to, by its content or, of models and data, its suffix; else None."""
    try:
        if path.is_dir():
            return _folder(path)
        if not path.is_file():
            return None
        if path.suffix.lower() in _SUFFIXES:
            return _SUFFIXES[path.suffix.lower()]
        text = read_text(path, "file", LARGE if path.suffix.lower() == ".json" else LARGEST_TOML)
        json = text.lstrip().startswith("{")
        return kind_held(parse_json(text, "", "file") if json else parse_toml(text, ""))
    except (InputError, OSError, ValueError):
        return None


def _folder(path: Path) -> str | None:
    if (path / MANIFEST).is_file() and kind_of(path / MANIFEST) == "manifest":
        return "bundle"
    if (path / "saved_model.pb").is_file():
        return "keras"
    files = list(islice(path.iterdir(), _LOOKED_AT))
    if files and all(file.suffix == ".json" for file in files):
        return "records" if kind_of(files[0]) == "record" else None
    return None


def kind_held(table: JsonValue) -> str | None:
    """Return the key of `KINDS` of what a JSON or TOML file holds, by the keys of its table; else None."""
    if not isinstance(table, dict):
        return None
    for kind, keys in _KEYS.items():
        if all(key in table for key in keys):
            return kind
    return "recipe" if "schema" in table and any(key in table for key in _OF_RECIPES) else None
