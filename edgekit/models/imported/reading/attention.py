"""Attention of ONNX, opset 23 and 24. Definition: https://onnx.ai/onnx/operators/onnx__Attention.html."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from edgekit.models.imported.graph import Arithmetic, Elementwise, MatrixProduct, Permute, Reshape, Softmax, Step, Take
from edgekit.models.imported.operators import Unsupported
from edgekit.models.imported.reading.at import At

FAR = -1e9
"""Added to scores that a mask leaves out: exp of it is zero."""
_HEADS = (0, 2, 1, 3)
"""From (batch, steps, heads, width) to heads in front, and back."""


def attention(at: At) -> Sequence[Step]:
    """Attention without memory of earlier runs: softmax(q k' * scale + mask) v, for every head."""
    _refuse(at)
    node, steps = at.node, list[Step]()
    base, flat = node.outputs[0], at.rank == 3
    heads = (node.integer("q_num_heads"), node.integer("kv_num_heads"))
    names, shapes = list[str](), list[tuple[int, ...]]()
    for place, (role, count) in enumerate(zip(("q", "k", "v"), (heads[0], heads[1], heads[1]), strict=True)):
        name, shape = node.inputs[place], at.shape(place)
        if flat:
            parted, moved = f"{base}:{role}:parted", f"{base}:{role}:heads"
            shape = (shape[0], shape[1], count, shape[2] // count)
            steps += [at.step(Reshape(shape), [name], parted), at.step(Permute(_HEADS), [parted], moved)]
            name, shape = moved, tuple(shape[axis] for axis in _HEADS)
        names.append(name)
        shapes.append(shape)
    groups = shapes[0][1] // shapes[1][1]
    if groups > 1:  # several heads of queries share one of keys and values
        shared = np.repeat(np.arange(shapes[1][1]), groups)
        for place in (1, 2):
            names[place], name = f"{names[place]}:repeated", names[place]
            steps.append(at.step(Take(shared, 1), [name], names[place]))
    across, scores, scaled, chances = (f"{base}:{part}" for part in ("across", "scores", "scaled", "chances"))
    steps.append(at.step(Permute((0, 1, 3, 2)), [names[1]], across))
    steps.append(at.step(MatrixProduct(), [names[0], across], scores))
    scale = node.real("scale") or 1 / math.sqrt(shapes[0][-1])
    steps.append(at.step(Elementwise("affine", (scale, 0.0)), [scores], scaled))
    for number, mask in enumerate(_masks(at, shapes[0][2], shapes[1][2])):
        masked = f"{base}:masked{number}"
        steps.append(at.step(Arithmetic("add"), [scaled, mask], masked))
        scaled = masked
    steps.append(at.step(Softmax(3, log=False), [scaled], chances))
    if not flat:
        return [*steps, at.step(MatrixProduct(), [chances, names[2]])]
    made, joined = f"{base}:made", f"{base}:joined"
    return [
        *steps,
        at.step(MatrixProduct(), [chances, names[2]], made),
        at.step(Permute(_HEADS), [made], joined),
        at.step(Reshape(at.made), [joined]),
    ]


def _refuse(at: At) -> None:
    node = at.node
    if any(at.has(place) for place in (4, 5, 6)) or len([name for name in node.outputs if name]) > 1:
        raise Unsupported("it keeps keys and values of earlier runs, or gives its scores")
    if node.real("softcap"):
        raise Unsupported("it caps its scores (`softcap`)")
    if at.rank not in (3, 4) or (at.rank == 3 and not (node.integer("q_num_heads") and node.integer("kv_num_heads"))):
        raise Unsupported(f"its queries have {at.rank} axes without a number of heads")


def _masks(at: At, steps: int, keys: int) -> list[str]:
    """Return what is added to the scores: values, or constants."""
    found = list[str]()
    if at.has(3):
        known = at.known(3)
        if known is None and at.graph.dtypes[at.node.inputs[3]] == "bool":
            raise Unsupported("its mask depends on the values of the model's inputs")
        if known is None:
            found.append(at.node.inputs[3])
        else:
            values = np.where(known, 0.0, FAR) if known.dtype == bool else np.maximum(known, FAR)
            found.append(at.constant("mask", values.astype(np.float32)))
    if at.node.integer("is_causal"):
        later = np.triu(np.full((steps, keys), FAR, np.float32), 1)
        found.append(at.constant("causal", later))
    return found
