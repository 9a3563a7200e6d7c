"""Fitting data to a model: which array feeds which input, with which axes, and what each output is for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgekit.data.dataset import Dataset, check_classes
from edgekit.errors import InputError
from edgekit.frameworks.types import SymbolicTensor
from edgekit.tasks.detection.boxes import boxes_fault
from edgekit.tasks.detection.finding import describe
from edgekit.tasks.detection.options import KIND, NOTHING, Options
from edgekit.tasks.heads import find_head, fits
from edgekit.tasks.labels import PLAIN, Coding, of_two, values_of
from edgekit.tasks.nature import INDICES, UNKNOWN, Nature
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import NamedArrays, Stored, arrays_of, dtype_name
from edgekit.tasks.task import DEFAULT_METRICS, SIGMOID, SOFTMAX, Head, Task
from edgekit.tasks.tensors import TensorSpec

_LISTED = 20
KEYS = {"input": "x", "output": "y"}
Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Port:
    """An input or output of a model or a file.

    Attributes:
        name: of it.
        shape: without the batch.
        numbers: whether it is of plain integers, which of an output are class numbers.
    """

    name: str
    shape: Shape
    numbers: bool = False


def ports(names: Sequence[str], tensors: Sequence[SymbolicTensor]) -> list[Port]:
    """Return the inputs or outputs of a Keras model."""
    return [
        Port(name, tuple(tensor.shape[1:]), dtype_name(tensor) in INTEGERS)
        for name, tensor in zip(names, tensors, strict=True)
    ]


def ports_of(specs: Sequence[TensorSpec]) -> list[Port]:
    """Return the inputs or outputs of a file."""
    return [
        Port(
            s.name,
            tuple(None if n < 0 else n for n in s.shape[1:]),
            s.scale is None and not s.unscaled and s.dtype in INDEX_TYPES,
        )
        for s in specs
    ]


def shape_of(specs: Sequence[TensorSpec]) -> Shape | None:
    """Return what the only input of a file takes, without the batch; None where there are several."""
    return ports_of(specs)[0].shape if len(specs) == 1 else None


def named_as(dataset: Dataset, inputs: Sequence[str], outputs: Sequence[str]) -> Dataset:
    """Give arrays that are only numbered, as of tuples in `tf.data`, the names of a model's inputs and outputs."""
    how = dataset.preprocessing
    if _numbered(dataset.x_train, inputs):
        how = replace(how, inputs=tuple((name, of) for name, (_, of) in zip(inputs, how.inputs, strict=True)))
    parts = {"x_train": inputs, "x_test": inputs, "y_train": outputs, "y_test": outputs}
    named = {key: _renamed(getattr(dataset, key), names) for key, names in parts.items()}
    return replace(dataset, preprocessing=how, **named)


def _numbered(part: Stored, names: Sequence[str]) -> bool:
    return (
        isinstance(part, NamedArrays) and len(part.names) == len(names) and all(name.isdigit() for name in part.names)
    )


def _renamed(part: Stored, names: Sequence[str]) -> Stored:
    return NamedArrays(dict(zip(names, part.arrays, strict=True))) if _numbered(part, names) else part


INTEGERS = ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
INDEX_TYPES = ("bool", "int32", "uint32", "int64", "uint64")
"""Of a file: narrower integers without a scale may be quantized values whose scale is not known."""
MOST_TRAINED = 10_000
"""Whole numbers above are values, not classes."""
MOST_CLASSES = 1_000_000
"""More than any vocabulary has: a file that claims more is damaged."""


def fit(
    dataset: Dataset,
    preprocessing: Preprocessing,
    inputs: Sequence[Port],
    outputs: Sequence[Port],
    name: str,
    *,
    look: Callable[[Stored], Sequence[Nature]] = lambda x: (),
    kinds: Mapping[str, str] | None = None,
    detector: Options | None = None,
) -> tuple[Dataset, Task]:
    """Return the data as a model takes them, and what its outputs are for.

    Arrays of several inputs or outputs are put in the model's order, by their names. Axes of one are added or dropped,
    and samples are flattened or unfolded row by row: (64, 1) and (64,) may be the same signal, (28, 28), (28, 28, 1)
    and (784,) the same image. `reshaped` says what was done. Labels become the classes 0, 1, ...
    where they are classes.

    Args:
        dataset: as stored.
        preprocessing: how the samples are fed, for their layout.
        inputs: of the model, in its order.
        outputs: of the model, in its order.
        name: of the model, for messages.
        look: from stored samples to what the outputs are (`edgekit.models.sources.natures`); nothing if unknown.
        kinds: what the user says that outputs are for, by their names.
        detector: what the user says of how outputs become boxes; None: they are of something else, or nothing is said.

    Raises:
        InputError: the data do not fit the model; said with both shapes.
    """
    fitted = dataset = with_boxes(dataset) if detector is not None else dataset
    for key in ("x_train", "x_test"):
        fitted = replace(fitted, **{key: _ordered(getattr(dataset, key), inputs, "input", name, dataset.name)})
    fitted = with_axes(fitted, preprocessing, inputs)
    for port, array in zip(inputs, arrays_of(fitted.x_train), strict=True):
        _check_shape(port, array, preprocessing.of(port.name), name, dataset.name)
    if dataset.boxes:
        return fitted, _detector(fitted, preprocessing, inputs, outputs, detector or NOTHING)
    natures = _natures(look(fitted.x_train), outputs)
    if dataset.y_train is None:
        return fitted, Task(_heads(None, inputs, outputs, natures, kinds or {}))
    for key in ("y_train", "y_test"):
        fitted = replace(fitted, **{key: _ordered(getattr(dataset, key), outputs, "output", name, dataset.name)})
    try:
        heads = _heads(fitted.y_train, inputs, outputs, natures, kinds or {})
        if heads[0].kind == "reconstruction":
            return replace(fitted, y_train=None, y_test=None, class_names=()), Task(heads)
        for key in ("y_train", "y_test"):
            fitted = replace(fitted, **{key: _for_heads(getattr(fitted, key), heads, outputs, key)})
    except InputError as error:
        raise InputError(f"{dataset.name}: {error.message}", error.hint, code=error.code) from error
    return replace(fitted, class_names=_class_names(fitted, heads, outputs)), Task(heads)


def with_boxes(dataset: Dataset) -> Dataset:
    """Return data whose labels are boxes as arrays: of a function, or of `.npz` files.

    Raises:
        InputError: the labels are something else.
    """
    if dataset.boxes:
        return dataset
    parts = (dataset.y_train, dataset.y_test)
    faults = [boxes_fault(y) if isinstance(y, np.ndarray) else "labels that are no single array" for y in parts]
    if any(faults):
        raise InputError(
            f"`--task {KIND}`: data `{dataset.name}` have {next(filter(None, faults))}",
            "give COCO's JSON or YOLO's folders; or y (samples, boxes, 6): class, x1, y1, x2, y2, crowd; corners "
            "are shares of the image, and rows that begin with -1 fill up (docs/detection.md)",
            code="labels-do-not-fit",
        )
    count = int(max(y[..., 0].max() for y in parts)) + 1
    return replace(dataset, boxes=True, class_names=_names(dataset.class_names, count))


def _detector(
    dataset: Dataset, preprocessing: Preprocessing, inputs: Sequence[Port], outputs: Sequence[Port], options: Options
) -> Task:
    """Return the task of a detector; what only values of outputs show is left open."""
    if len(inputs) > 1 or len(dataset.sample_shape) != 3:
        raise InputError(
            f"data `{dataset.name}` hold images with boxes, the model takes {len(inputs)} inputs, the first of shape "
            f"{inputs[0].shape}",
            "give a model that takes images",
            code="shape-mismatch",
        )
    height, width = dataset.sample_shape[:2]
    names = [port.name for port in outputs]
    how = describe(names, [port.shape for port in outputs], (height, width), dataset.classes, options)
    return Task(tuple(Head(name, KIND, DEFAULT_METRICS[KIND]) for name in names), how)


def _natures(found: Sequence[Nature], outputs: Sequence[Port]) -> list[Nature]:
    known = found if len(found) == len(outputs) else [UNKNOWN] * len(outputs)
    return [INDICES if p.numbers and not n.numbers else n for p, n in zip(outputs, known, strict=True)]


def _heads(
    y: Stored, inputs: Sequence[Port], outputs: Sequence[Port], natures: Sequence[Nature], kinds: Mapping[str, str]
) -> tuple[Head, ...]:
    labels = [None] * len(outputs) if y is None else arrays_of(y)
    shapes = [port.shape for port in inputs]
    return tuple(
        find_head(port.name, label, port.shape, shapes, nature, kinds.get(port.name, ""))
        for port, label, nature in zip(outputs, labels, natures, strict=True)
    )


def _ordered(part: Stored, ports_: Sequence[Port], role: str, model: str, data: str) -> Stored:
    names = [port.name for port in ports_]
    if not isinstance(part, NamedArrays):
        if len(ports_) > 1:
            raise InputError(
                f"model `{model}` has {len(ports_)} {role}s, data `{data}` hold one array",
                f"name an array for each {role}: " + ", ".join(f"{KEYS[role]}_train/{n}" for n in names),
                code="array-names-mismatch",
            )
        return part
    if set(part.names) == set(names):
        ordered = part.in_order(names)
    else:
        raise InputError(
            f"data `{data}` hold {_list(part.names)}, model `{model}` has the {role}{'s' * (len(names) > 1)} "
            f"{', '.join(names)}",
            f"name the arrays as the model names its {role}s"
            if len(names) > 1
            else f"give one array, {KEYS[role]}_train and {KEYS[role]}_test",
            code="array-names-mismatch",
        )
    return ordered if len(names) > 1 else ordered.arrays[0]


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:_LISTED]) + ", ..." * (len(names) > _LISTED)


def with_axes(dataset: Dataset, preprocessing: Preprocessing, inputs: Sequence[Port]) -> Dataset:
    """Return the data with the axes of the inputs, which are in the order of its arrays, as `fit` gives them."""
    parts = {key: _axes(getattr(dataset, key), inputs, preprocessing) for key in ("x_train", "x_test")}
    return replace(dataset, **parts)


def reshaped(before: Dataset, after: Dataset) -> list[str]:
    """Return a sentence for every input whose samples were flattened or unfolded."""
    found = []
    names = after.x_train.names if isinstance(after.x_train, NamedArrays) else ("",)
    stored = (
        before.x_train.in_order(names) if isinstance(before.x_train, NamedArrays) and names != ("",) else before.x_train
    )
    for name, old, new in zip(names, arrays_of(stored), arrays_of(after.x_train), strict=False):
        a, b = tuple(old.shape[1:]), tuple(new.shape[1:])
        if sorted(n for n in a if n != 1) != sorted(n for n in b if n != 1):
            of = f" of {name}" if name else ""
            found.append(f"{before.name}: samples{of} of shape {a} are taken as {b}, row by row as they are stored")
    return found


def _axes(part: Stored, inputs: Sequence[Port], preprocessing: Preprocessing) -> Stored:
    fitted = [
        _with_axes(array, port.shape, preprocessing.of(port.name))
        for array, port in zip(arrays_of(part), inputs, strict=True)
    ]
    return NamedArrays(dict(zip(part.names, fitted, strict=True))) if isinstance(part, NamedArrays) else fitted[0]


def _with_axes(array: Stored, wanted: Shape, how: Preprocessing) -> Stored:
    """Return samples with the axes of an input: with one more or less of size one, flattened, or unfolded."""
    given = tuple(array.shape[1:])
    if how.layout == "NCHW" and len(wanted) == 3:
        wanted = (wanted[1], wanted[2], wanted[0])  # as samples are stored
    if fits(given, wanted):
        return array
    if fits((*given, 1), wanted):
        return array[..., np.newaxis]
    if given and given[-1] == 1 and fits(given[:-1], wanted):
        return array[..., 0]
    shape = tuple(n for n in wanted if n is not None)
    if len(shape) == len(wanted) and math.prod(shape) == math.prod(given) and _alike(given, shape):
        return array.reshape(len(array), *shape)
    return array


def _alike(given: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether two shapes are the same but for axes of one, or one of them is a single row."""
    a, b = ([n for n in sizes if n != 1] for sizes in (given, shape))
    return a == b or len(a) <= 1 or len(b) <= 1


def _check_shape(port: Port, array: Stored, how: Preprocessing, model: str, data: str) -> None:
    given = how.apply(array[:1]).shape[1:]
    expected = port.shape
    if len(expected) != len(given) or any(e is not None and e != g for e, g in zip(expected, given, strict=True)):
        raise InputError(
            f"model `{model}` takes samples of shape {expected}, data `{data}` hold {tuple(array.shape[1:])}",
            "check --data"
            + (", and --layout if the model wants channels first" if len(expected) == len(given) == 3 else ""),
            code="shape-mismatch",
        )


def coded(y: Stored, task: Task, outputs: Sequence[Port]) -> Stored:
    """Return labels as a task that is known takes them: classes 0, 1, ... where they are classes.

    Args:
        y: as stored; of several outputs in the task's order.
        task: as found for these or like labels.
        outputs: of a file, in the task's order.

    Raises:
        InputError: there are labels of no class of the task.
    """
    if len(arrays_of(y)) != len(task.heads) or task.main.kind in ("reconstruction", "unlabelled", KIND):
        return y
    return _for_heads(y, task.heads, outputs, "y_test")


def with_classes(dataset: Dataset) -> tuple[Dataset, str]:
    """Return data for a model that is yet to be made, a class for every label, and a note where labels are mapped.

    Whole numbers in floating point are classes; -1 and 1, 0 and 255, and those from 1 on become 0, 1, ...

    Raises:
        InputError: the test part holds labels that the training part does not.
    """
    y = dataset.y_train
    if not isinstance(y, np.ndarray) or y.ndim != 1 or not (values := values_of(y)).whole:
        return dataset, ""
    coding = of_two(values) or (Coding(1) if values.low == 1 else PLAIN)
    count = (int(values.high) - coding.first) // coding.step + 1
    if values.low < coding.first or not 2 <= count <= MOST_TRAINED or (coding == PLAIN and dataset.classes):
        return dataset, ""
    found: dict[str, Stored] = {
        key: coding.classes(getattr(dataset, key)).astype(np.int64) for key in ("y_train", "y_test")
    }
    names = tuple(coding.name(number) for number in range(count))
    check_classes(found["y_train"], found["y_test"], count, dataset.name)
    note = "" if coding == PLAIN else f"the labels {names[0]} to {names[-1]} are taken as the classes 0, 1, ..."
    return replace(dataset, class_names=names, **found), note


def _for_heads(y: Stored, heads: Sequence[Head], outputs: Sequence[Port], key: str) -> Stored:
    arrays = [_for_head(array, head, port, key) for array, head, port in zip(arrays_of(y), heads, outputs, strict=True)]
    return NamedArrays(dict(zip(y.names, arrays, strict=True))) if isinstance(y, NamedArrays) else arrays[0]


def _for_head(y: Stored, head: Head, port: Port, key: str) -> Stored:
    """Integers that are values become floating point numbers; labels of classes become 0, 1, ..."""
    if head.kind == "regression" and y.dtype.kind in "iu":
        return y.astype(np.float32)
    if head.kind not in SOFTMAX | SIGMOID:
        return y
    if head.kind == "segmentation" and not head.indices and _is_one_hot(y, port):
        return y.argmax(axis=-1).astype(np.uint8 if y.shape[-1] < 256 else np.int64)
    if head.coding != PLAIN or y.dtype.kind not in "iu":
        y = head.coding.classes(y)
        y = y.astype(np.int64) if y.ndim == 1 or head.kind in SOFTMAX else np.where(y < 0, 255, y).astype(np.uint8)
    if y.ndim == len(port.shape) + 1 and y.ndim > 2 and y.shape[-1] == 1 and head.kind != "multilabel":
        y = y[..., 0]
    classes = 2 if head.kind in SIGMOID else port.shape[-1] if port.shape and not head.indices else None
    low, high = int(y.min()), int(y.max())
    if low < 0 or (classes is not None and high >= classes):
        raise InputError(
            f"`{key}` holds labels that `y_train` does not: output `{head.name}` has {classes or 'the'} classes, "
            f"{head.coding.name(0)} to {head.coding.name((classes or high) - 1)}",
            "every class must occur in `y_train`",
            code="labels-do-not-fit",
        )
    return y


def _is_one_hot(y: Stored, port: Port) -> bool:
    return bool(y.ndim == len(port.shape) + 1 and y.shape[-1] == port.shape[-1] and y.shape[-1] > 1)


def _class_names(dataset: Dataset, heads: Sequence[Head], outputs: Sequence[Port]) -> tuple[str, ...]:
    """Return the names of the classes, numbers as the labels had them; of other tasks nothing."""
    head, known = heads[0], dataset.class_names
    if len(heads) > 1 or head.kind not in ("classification", "binary"):
        return ()
    count = 2 if head.kind == "binary" else outputs[0].shape[-1] if outputs[0].shape and not head.indices else None
    if count is None:
        count = max(int(np.max(dataset.y_train)), int(np.max(dataset.y_test))) + 1
    if head.coding != PLAIN:
        known = ()
    elif head.kind == "binary" and known:
        return known
    names = _names(known, count)
    return names if head.coding == PLAIN else tuple(head.coding.name(number) for number in range(len(names)))


def _names(known: tuple[str, ...], classes: int | None) -> tuple[str, ...]:
    """Return the names of the classes; a class that no sample has is called by its number."""
    count = max(len(known), classes or 0)
    if count > MOST_CLASSES:
        raise InputError(
            f"the model's output has {count:,} classes, expected up to {MOST_CLASSES:,}",
            "is the file damaged? see: edgekit inspect FILE",
            code="too-many-classes",
        )
    return (*known, *(str(c) for c in range(len(known), count)))
