"""The gate before a model file is handed to a runtime or copied: it is whole, and needs no other files but its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import InputError, MissingExtraError
from edgekit.errors.printable import visible
from edgekit.files.opening import brief
from edgekit.formats.operators import foreign_onnx, foreign_tflite
from edgekit.formats.reading import at_arms_length, format_of, need_onnx
from edgekit.formats.source import damaged, load
from edgekit.formats.tflite.flatbuffer import Damaged, Walker
from edgekit.formats.values import Array
from edgekit.schema.types import JsonObject

MOST_PARTS = 80_000
"""Of a file to compress: what rewrites files takes minutes for more, and language models have less."""


@dataclass(frozen=True)
class Gate:
    """What the gate knows of a file that it lets pass.

    Attributes:
        format: `tflite` or `onnx`.
        companions: the files that it needs beside it: the name in the model, a path from its folder -> where it is.
        foreign: operators that are not known to compute on tensors only (see `edgekit.formats.operators`).
        parts: how many operators and inputs of operators it has, over all graphs.
        elsewhere: other files that a `.tflite` file names for its constants; edgekit and its runtimes read none.
    """

    format: str
    companions: dict[str, Path]
    foreign: tuple[str, ...]
    parts: int
    elsewhere: tuple[str, ...]


def gate(path: Path, format_: str | None = None) -> Gate:
    """Check that a model file is whole, without reading its values, and that what it names may be read.

    Args:
        path: a `.tflite` or `.onnx` file; it may be damaged or hostile.
        format_: what it must be; by default either.

    Raises:
        InputError: it is not, or damaged, or names data that is missing or outside its folder.
        MissingExtraError: it is an ONNX file that may have external data, and the `onnx` package is not installed.
    """
    kind = format_of(path)
    if format_ not in (None, kind):
        raise InputError(
            f"{brief(path)}: is of the format `{kind}`, expected `{format_}`",
            "copy or export it again",
            code="format-unexpected",
        )
    if kind == "onnx":
        try:
            need_onnx()
        except MissingExtraError:
            if load(path).find(b"location") >= 0:  # no tensor is elsewhere without this word
                raise
            return Gate(kind, {}, (), 0, ())
    parts = at_arms_length("look", path, __name__, kind=kind)
    companions = {name: Path(there) for name, there in parts["companions"].items()}
    return Gate(kind, companions, tuple(parts["foreign"]), int(parts["parts"]), tuple(parts["elsewhere"]))


def runnable(path: Path, format_: str | None = None) -> Gate:
    """Return `gate` of a file that is going to be run.

    Raises:
        InputError: as `gate`; or it is a `.tflite` file whose constants stand in other files.
        MissingExtraError: as `gate`.
    """
    passed = gate(path, format_)
    if passed.elsewhere:
        names = ", ".join(f"`{visible(name[:100])}`" if name else "without a name" for name in passed.elsewhere[:3])
        raise InputError(
            f"{brief(path)}: its weights are in other files ({names}), which edgekit does not read",
            "convert the model again with the weights inside the file",
            code="weights-outside-file",
        )
    return passed


def computing_only(path: Path, passed: Gate) -> None:
    """Check that a file has no operators but those that are known to compute on tensors and to do nothing else.

    Raises:
        InputError: it has others; they are named. Or it has more than tools rewrite in good time.
    """
    if passed.parts > MOST_PARTS:
        raise InputError(
            f"{brief(path)}: has {passed.parts:,} operators and operator inputs, expected at most {MOST_PARTS:,}",
            "check that this is a model for a small device",
            code="model-too-large",
        )
    if passed.foreign:
        names = ", ".join(f"`{visible(name[:100])}`" for name in passed.foreign[:5])
        raise InputError(
            f"{brief(path)}: unknown operator{'s' * (len(passed.foreign) > 1)} {names}: only operators that are known "
            "to compute on tensors and nothing else are run here",
            "export the model with operators of TFLite or ONNX; where the device's runtime has the operator, `edgekit "
            "bench` measures it there",
            code="operator-unknown",
        )


def checked(path: Path) -> dict[str, Path]:
    """Return the files that a model file needs beside it (see `gate`)."""
    return gate(path).companions


def look(path: str, kind: str) -> tuple[JsonObject, list[Array]]:
    """Do what `gate` asks for, in its child."""
    return (_look_at_onnx if kind == "onnx" else _look_at_tflite)(Path(path)), []


def _look_at_tflite(path: Path) -> JsonObject:
    from edgekit.formats.tflite.graph import parse

    data = load(path)
    try:
        model = parse(data, Walker(len(data)))
    except Damaged as error:
        raise damaged(path, "TFLite", str(error)) from error
    names = dict.fromkeys(operator.name for graph in model.graphs for operator in graph.operators)
    count = sum(1 + len(operator.inputs) for graph in model.graphs for operator in graph.operators)
    outside = any(t.span and t.span.start is None for graph in model.graphs for t in graph.tensors)
    elsewhere = list(model.external) or (["without a name"] if outside else [])
    return {"companions": {}, "foreign": foreign_tflite(names), "parts": count, "elsewhere": elsewhere}


def _look_at_onnx(path: Path) -> JsonObject:
    from edgekit.formats.onnx.graph import BadModel, index, text
    from edgekit.formats.onnx.reader import parse
    from edgekit.formats.onnx.values import Store

    model = parse(path)
    try:
        found = index(model).nodes
        companions = Store(path).check(model)
        nodes = [(text(node.domain), text(node.op_type)) for node, _ in found]
        edges = sum(len(node.input) for node, _ in found)
    except BadModel as error:
        raise damaged(path, "ONNX", str(error)) from error
    functions = [(text(function.domain), text(function.name)) for function in model.functions]
    return {
        "companions": {name: str(there) for name, there in companions.items()},
        "foreign": foreign_onnx(nodes, functions),
        "parts": len(nodes) + edges,
        "elsewhere": [],
    }
