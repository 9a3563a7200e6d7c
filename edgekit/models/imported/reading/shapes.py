"""What moves, cuts and reduces values in ONNX. Definitions: https://onnx.ai/onnx/operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from edgekit.models.imported.graph import (
    Concatenate,
    DepthToSpace,
    Extreme,
    Pad,
    Permute,
    Reduction,
    Repeat,
    Reshape,
    Resize,
    Slice,
    SpaceToDepth,
    Step,
)
from edgekit.models.imported.operators import Unsupported
from edgekit.models.imported.reading.at import At, Reading


def reshaped(at: At) -> Sequence[Step]:
    """Reshape, Flatten, Squeeze and Unsqueeze: shape inference knows what comes out."""
    return [at.step(Reshape(at.made))]


def transpose(at: At) -> Sequence[Step]:
    """Transpose."""
    return [at.step(Permute(at.node.integers("perm") or tuple(reversed(range(at.rank)))))]


def concatenate(at: At) -> Sequence[Step]:
    """Concat."""
    return [at.step(Concatenate(at.axis(at.node.integer("axis", 1))), at.node.inputs)]


def slice_(at: At) -> Sequence[Step]:
    """Slice; its parameters are attributes before opset 10. The sizes are those that come out."""
    starts, ends = at.integers("starts", 1), at.integers("ends", 2)
    if starts is None or ends is None:
        raise Unsupported("it has no `starts` or `ends`")
    axes, steps = at.integers("axes", 3) or tuple(range(len(starts))), at.integers("steps", 4) or (1,) * len(starts)
    begin, stride = [0] * at.rank, [1] * at.rank
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        i = at.axis(axis)
        cut = slice(start, None if end < -(1 << 31) and step < 0 else end, step).indices(at.shape()[i])
        begin[i], stride[i] = cut[0], step
    return [at.step(Slice(tuple(begin), at.made, tuple(stride)))]


def split(at: At) -> Sequence[Step]:
    """Split: one slice a part."""
    axis, steps, start = at.axis(at.node.integer("axis")), [], 0
    for name in at.node.outputs:
        sizes = at.graph.shapes[name]
        begin = tuple(start if i == axis else 0 for i in range(at.rank))
        steps.append(at.step(Slice(begin, sizes, (1,) * at.rank), output=name))
        start += sizes[axis]
    return steps


def pad(at: At) -> Sequence[Step]:
    """Pad; its parameters are attributes before opset 11."""
    given, mode = at.integers("pads", 1) or (), at.node.text("mode", "constant")
    axes = at.integers("axes", 3) or tuple(range(at.rank))
    if mode not in ("constant", "reflect", "edge"):
        raise Unsupported(f"its mode is `{mode}`")
    if len(given) != 2 * len(axes):
        raise Unsupported(f"its `pads` {list(given)} do not fit {len(axes)} axes")
    pads = [(0, 0)] * at.rank
    for i, axis in enumerate(axes):
        pads[at.axis(axis)] = (given[i], given[i + len(axes)])
    value = at.number("value", 2, 0.0) if at.graph.opset >= 11 else at.node.real("value")
    return [at.step(Pad(tuple(pads), mode, value))]


def reduction(kind: str) -> Reading:
    """Return the reading of ReduceMean and the like; axes are attributes in old opsets."""

    def read(at: At) -> Sequence[Step]:
        axes = at.integers("axes", 1)
        if not axes and at.node.integer("noop_with_empty_axes"):
            raise Unsupported("it reduces nothing")
        return [at.step(Reduction(kind, at.axes(axes or range(at.rank)), bool(at.node.integer("keepdims", 1))))]

    return read


def extreme(kind: Literal["max", "min"]) -> Reading:
    """Return the reading of ArgMax and ArgMin."""

    def read(at: At) -> Sequence[Step]:
        if at.node.integer("select_last_index"):
            raise Unsupported("it takes the last of equal values")
        return [at.step(Extreme(kind, at.axis(at.node.integer("axis")), bool(at.node.integer("keepdims", 1))))]

    return read


def resize(at: At) -> Sequence[Step]:
    """Resize and Upsample of the axes behind the channels; which pixels are meant is in attributes.

    What the layers compute is compared with the file, so that modes which agree for the sizes at hand may pass.
    """
    node, mode = at.node, at.node.text("mode", "nearest")
    if at.rank not in (3, 4) or at.made[:2] != at.shape()[:2]:
        raise Unsupported("it resizes other axes than one or two behind batch and channels")
    if node.integer("antialias") or node.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise Unsupported("it uses antialiasing or keeps the aspect ratio")
    old = node.kind == "Upsample" or at.graph.opset < 11
    how = "asymmetric" if old else node.text("coordinate_transformation_mode", "half_pixel")
    ways = ("asymmetric", "half_pixel", "pytorch_half_pixel", "align_corners", "half_pixel_symmetric")
    if mode not in ("nearest", "linear") or how not in ways:
        raise Unsupported(f"its mode is `{mode}` with `{how}`")
    return [at.step(Resize(at.made[2:], mode, how == "align_corners", "half_pixel" in how, 1))]


def depth_to_space(at: At) -> Sequence[Step]:
    """DepthToSpace."""
    return [at.step(DepthToSpace(at.node.integer("blocksize", 1), at.node.text("mode", "DCR") == "DCR", 1))]


def space_to_depth(at: At) -> Sequence[Step]:
    """SpaceToDepth."""
    return [at.step(SpaceToDepth(at.node.integer("blocksize", 1), 1))]


def tile(at: At) -> Sequence[Step]:
    """Tile."""
    times = at.integers("repeats", 1)
    if times is None or len(times) != at.rank:
        raise Unsupported("its `repeats` do not fit its axes")
    return [at.step(Repeat(times))]
