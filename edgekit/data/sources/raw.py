"""What a source of data holds, before anything about tasks and labels is checked."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from edgekit.errors import InputError
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import Array

MOST_CLASS_NAMES = 100_000
Part = Array | Mapping[str, Array]

_KEY = re.compile(r"(?P<axis>[xy])(?:_(?P<part>train|test))?(?:[/.](?P<name>.+))?")


@dataclass(frozen=True)
class Raw:
    """What a source holds, before it is checked.

    Attributes:
        x_train, x_test: samples first, as stored, in memory or mapped from a file; by input name for several inputs.
        y_train, y_test: labels in the order of the samples; by output name for several outputs; None: unlabelled.
        class_names: where the source names its classes, in the order of the labels.
        source: for messages, e.g. the path.
        notes: what was decided about the data and the user should read, one sentence each.
        feature_names: of a table, one a column of x.
        held_out: whether edgekit cut the test part from the only samples there were.
        preprocessing: how these samples are fed by default; None: as their dtype suggests.
        boxes: whether the labels are boxes (`edgekit.tasks.detection.boxes`).
    """

    x_train: Part
    x_test: Part
    y_train: Part | None = None
    y_test: Part | None = None
    class_names: tuple[str, ...] = ()
    source: str = ""
    notes: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    held_out: bool = False
    preprocessing: Preprocessing | None = None
    boxes: bool = False


@dataclass(frozen=True)
class Loose:
    """Samples and labels that still may lack a test part."""

    x: Part
    y: Part | None
    x_test: Part | None = None
    y_test: Part | None = None
    class_names: tuple[str, ...] = ()


def known_keys(keys: Iterable[str]) -> list[str]:
    """Return those of the keys that name samples, labels or `class_names`."""
    return [key for key in keys if key == "class_names" or _KEY.fullmatch(key)]


def arrange(arrays: Mapping[str, Array], source: str) -> Loose:
    """Put named arrays where they belong.

    Args:
        arrays: `x_train`, `y_train`, `x_test`, `y_test`; or `x`, `y`; each also as `x_train/NAME` or `x_train.NAME` for
            models with several inputs or outputs. `class_names` is text, one a class. Other keys are ignored.
        source: the file, for messages.

    Raises:
        InputError: there are no samples, a part lacks its other half, or a name is given twice.
    """
    parts: dict[str, dict[str, Array]] = {}
    for key, array in arrays.items():
        match = _KEY.fullmatch(key)
        if match:
            slot = match["axis"] if match["part"] is None else f"{match['axis']}_{match['part']}"
            if (match["name"] or "") in parts.setdefault(slot, {}):
                raise InputError(
                    f"{source}: holds `{slot}` for `{match['name']}` twice", "write it once", code="array-names-clash"
                )
            parts[slot][match["name"] or ""] = array
    held = ", ".join(list(arrays)[:20]) + ", ..." * (len(arrays) > 20) or "nothing"
    if "x" in parts and "x_train" in parts:
        raise InputError(f"{source}: holds `x` and `x_train`", "leave one of them out", code="array-names-clash")
    x, y = ("x", "y") if "x" in parts else ("x_train", "y_train")
    if x not in parts:
        raise InputError(f"{source}: has no `x_train`", f"it holds: {held}", code="array-missing")
    if "x_test" in parts and (y in parts) != ("y_test" in parts):
        lacking, other = (y, "y_test") if "y_test" in parts else ("y_test", y)
        raise InputError(f"{source}: has `{other}`, but no `{lacking}`", f"it holds: {held}", code="array-missing")
    if "y_test" in parts and "x_test" not in parts:
        raise InputError(f"{source}: has `y_test`, but no `x_test`", f"it holds: {held}", code="array-missing")
    stray = "y_train" if x == "x" else "y"
    if stray in parts:
        raise InputError(
            f"{source}: the labels of `{x}` must be called `{y}`, not `{stray}`",
            f"it holds: {held}",
            code="array-names-mismatch",
        )
    found = {slot: _one_or_named(named, slot, source) for slot, named in parts.items()}
    names = _class_names(arrays.get("class_names"), source)
    return Loose(found[x], found.get(y), found.get("x_test"), found.get("y_test"), names)


def _one_or_named(named: dict[str, Array], slot: str, source: str) -> Part:
    if "" not in named:
        return named
    if len(named) > 1:
        other = next(name for name in named if name)
        raise InputError(
            f"{source}: holds `{slot}` and `{slot}/{other}`",
            "name every input, or have one only",
            code="array-names-clash",
        )
    return named[""]


def _class_names(array: Array | None, source: str) -> tuple[str, ...]:
    if array is None:
        return ()
    if array.ndim != 1 or array.dtype.kind != "U" or len(array) > MOST_CLASS_NAMES:
        raise InputError(
            f"{source}: `class_names` has shape {array.shape} and dtype {array.dtype}",
            "expected one text for each class",
            code="class-name-invalid",
        )
    codes = np.frombuffer(np.asarray(array).tobytes(), f"{array.dtype.byteorder}u4")
    if len(codes) and codes.max() > sys.maxunicode:  # Python and NumPy themselves fail on such text
        raise InputError(
            f"{source}: `class_names` holds characters that do not exist",
            "expected one text for each class",
            code="class-name-invalid",
        )
    names = np.asarray(array).tolist()
    if len(set(names)) < len(names):
        raise InputError(
            f"{source}: `class_names` has shape {array.shape}, and some names in it twice",
            "expected a name of its own for each class",
            code="class-name-invalid",
        )
    return tuple(names)
