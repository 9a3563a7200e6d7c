"""The page "supported layers and operations", made from the register of layers and the tables of the bridge."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from edgekit.frameworks.layers.knowledge import (
    BOTH,
    KERAS_2,
    KERAS_3,
    NOT_FOLLOWED,
    Handling,
    LayerKnowledge,
    LeftOut,
    No,
    Role,
    Sparse,
    ToKeras2,
)
from edgekit.frameworks.layers.register import CONVOLUTIONS, LAYERS, of_role
from edgekit.models.bridge.ops import operations

HEAD = """# Supported layers and operations

Made from the register of layers (`edgekit/frameworks/layers`) by `make docs`; a test keeps it up to date.

A model of layers that are not in these tables (your own, or of another package) can still be compressed where its
weights need no change: post-training schemes take any model that TensorFlow can save. The columns:

- **Keras**: the generations that have the layer. TensorFlow Model Optimization works on Keras 2 models.
- **3 to 2**: whether a Keras 3 model with it can be trained and pruned here; it becomes a Keras 2 model, proved equal.
- **back**: whether the result can be had as a Keras 3 model again (`NAME-keras3.keras` in the bundle).
- **channels**: channel pruning. *pruned*: its own channels can go; *follows*: it loses the channels that the layer
  before it loses; *not pruned*: it keeps its channels, and those of its neighbours.
- **weights**: weight pruning and clustering; *2:4*: in that pattern, too.
- **training for int8**: `quantize`. *simulated*: weights and output; *output*: the output alone; *calibrated*: nothing
  is simulated, the file gets its ranges from samples; *rewritten*: as other layers first.
- **int8**: how it computes in an int8 `.tflite` file.
- **in files**: whether a model file may hold it without `--allow-unsafe`.
"""
COLUMNS = ("layer", "Keras", "3 to 2", "back", "channels", "weights", "training for int8", "int8", "in files")
MAKES = ("conv", "conv-transpose", "dense", "separable")
"""Flows of layers that make channels of their own."""
SECTIONS: tuple[tuple[str, tuple[Role, ...]], ...] = (
    ("Convolutions and dense layers", (Role.DENSE, *CONVOLUTIONS, Role.WEIGHTED)),
    ("Recurrent layers", (Role.RECURRENT, Role.CELL)),
    ("Normalization", (Role.NORMALIZATION,)),
    ("Activations and attention", (Role.ACTIVATION, Role.ATTENTION)),
    ("Pooling, shapes and merges", (Role.POOLING, Role.SHAPE, Role.MERGE)),
    ("Layers that act while training", (Role.REGULARIZATION, Role.AUGMENTATION)),
    ("Inputs and preprocessing", (Role.PREPROCESSING,)),
    ("Wrappers, code and base classes", (Role.WRAPPER, Role.CODE, Role.BASE)),
)
OPERATIONS = """## Operations

What stands between the layers of a Keras 3 model (`x + y`, `keras.ops.relu(x)`), and what it becomes in Keras 2. Where
the table names an operation of TensorFlow's, the model holds that operation.
"""


def markdown() -> str:
    """Return the page."""
    parts = [HEAD]
    for title, roles in SECTIONS:
        chosen = [name for role in roles for name in of_role(role)]
        parts.append(f"## {title}\n\n{_table(COLUMNS, list(_rows(chosen)))}")
    rows = [(f"`{name}`", becomes) for name, becomes in sorted(operations().items())]
    parts.append(f"{OPERATIONS}\n{_table(('operation', 'becomes'), rows)}")
    return "\n".join(parts)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (columns, ["---"] * len(columns), *rows))


def _rows(chosen: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield a row for layers that stand together and have the same answers."""
    for cells, group in itertools.groupby(chosen, lambda name: _cells(LAYERS[name])):
        yield (", ".join(f"`{name}`" for name in group), *cells)


def _cells(row: LayerKnowledge) -> tuple[str, ...]:
    return (
        " and ".join(map(str, row.keras)) if row.keras == BOTH else f"{row.keras[0]} only",
        _bridge(row),
        _back(row),
        _channels(row),
        _weights(row),
        ", ".join(_training(row)),
        str(row.export.int8),
        f"no: {row.file.why}" if isinstance(row.file, No) else "yes",
    )


def _bridge(row: LayerKnowledge) -> str:
    if isinstance(row.bridge, ToKeras2):
        return f"as `{row.bridge.kind}`" if row.bridge.kind else "yes"
    if isinstance(row.bridge, LeftOut):
        return "left out"
    return "-" if row.keras == KERAS_2 else "no"


def _back(row: LayerKnowledge) -> str:
    if isinstance(row.back, No):
        return "-" if row.keras == KERAS_3 else "no"
    return "yes"


def _channels(row: LayerKnowledge) -> str:
    if isinstance(row.channels, No):
        return (
            "not pruned" if row.channels is NOT_FOLLOWED else f"not pruned: {row.channels.why.removeprefix('which ')}"
        )
    return "pruned" if row.channels in MAKES else "follows"


def _weights(row: LayerKnowledge) -> str:
    if isinstance(row.sparse, Sparse):
        return f"`{row.sparse.kernel}`{', 2:4' * row.sparse.two_of_four}"
    return "not pruned" if row.kernels else "-"


def _training(row: LayerKnowledge) -> Iterator[str]:
    if row.qat.rewrite in ("rescaling", "halves"):
        yield "rewritten"
        return
    yield {Handling.TRAINED: "simulated", Handling.OUTPUT: "output", Handling.CALIBRATED: "calibrated"}[
        row.qat.handling
    ]
    if row.qat.rewrite:
        yield "some activations rewritten"
