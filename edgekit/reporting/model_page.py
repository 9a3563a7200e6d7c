"""A model file as a page of plain text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.errors.printable import lines, visible
from edgekit.formats.info import FileInfo, Quantization, TensorInfo, WeightInfo
from edgekit.formats.shares import weight_share

_NAME_WIDTH = 48


def render(info: FileInfo) -> str:
    """Return the page, lines joined by newlines, without a newline at the end."""
    ratio = info.gzip_bytes / info.bytes if info.bytes else 1
    facts = [
        ("format", {"tflite": "TensorFlow Lite", "onnx": "ONNX"}.get(info.format, info.format)),
        ("size", f"{info.bytes:,} bytes; {info.gzip_bytes:,} after gzip -9 ({ratio:.0%})"),
        *info.description.items(),
    ]
    parts = [[visible(str(info.path)), *_table([(f"  {key}", visible(text)) for key, text in facts])]]
    for title, ends in (("inputs", info.inputs), ("outputs", info.outputs)):
        rows: list[tuple[str, ...]] = [(f"  {short(t.name)}", t.dtype, _shape(t), _meaning(t)) for t in ends]
        parts.append([title, *_table(rows)])
    operators = [(str(count), visible(name)) for name, count in info.operators.items()]
    parts.append([f"operators ({sum(info.operators.values())})", *_table([("  ", *row) for row in operators], right=1)])
    counts = [("parameters", f"{info.parameters:,}"), ("MACs", _macs(info)), ("8-bit weights", _share(info))]
    parts.append(_table(counts))
    header = ("  weights", "shape", "dtype", "bytes", "zeros", "unique", "quantization")
    rows = [(f"  {short(w.name)}", *_weight(w)) for w in info.weights]
    parts.append(_table([header, *rows], right=3, until=6) if rows else ["no weights"])
    return "\n\n".join(map(lines, parts))


def facts(info: FileInfo) -> dict[str, Any]:
    """Return the same as JSON."""
    return {**info.to_dict(), "weights_in_8_bits": weight_share(info).value}


def _meaning(tensor: TensorInfo) -> str:
    """Return what the integers of an input or output stand for."""
    return quantization(tensor.quantization) or ("without a scale" if tensor.unscaled else "")


def quantization(value: Quantization | None) -> str:
    """Return one phrase: `per-tensor scale 0.0039 zero_point -128`, `per-channel axis 0 (16 scales 0.0012..0.034)`."""
    if value is None:
        return ""
    points = sorted(set(value.zero_point))
    zero = f"zero_point {points[0]}" if len(points) == 1 else f"zero_points {points[0]}..{points[-1]}"
    if not value.scale:
        return f"{zero}, scale kept apart"
    if value.axis is None:
        return f"per-tensor scale {value.scale[0]:.6g} {zero}"
    phrase = f"{len(value.scale)} scales {min(value.scale):.3g}..{max(value.scale):.3g}"
    return f"per-channel axis {value.axis} ({phrase}{'' if points == [0] else f', {zero}'})"


def short(name: str, width: int = _NAME_WIDTH) -> str:
    """Return the name in at most `width` characters, its middle replaced by `…`."""
    name = visible(name) or "(no name)"
    if len(name) <= width:
        return name
    tail = (width - 1) // 2
    return f"{name[: width - 1 - tail]}…{name[len(name) - tail :]}"


def _shape(tensor: TensorInfo) -> str:
    return "×".join("?" if size == -1 else str(size) for size in tensor.shape) or "scalar"


def _weight(weight: WeightInfo) -> tuple[str, ...]:
    zeros = "" if weight.zeros is None else f"{weight.zeros / weight.elements:.1%}" if weight.elements else "0.0%"
    unique = "" if weight.unique is None else f"{weight.unique:,}"
    phrase = " ".join(filter(None, ["sparse" if weight.sparse else "", quantization(weight.quantization)]))
    return _shape(weight), weight.dtype, f"{weight.bytes:,}", zeros, unique, phrase


def _share(info: FileInfo) -> str:
    share = weight_share(info)
    if share.value is None:
        return "none: no weights"
    wide = f"; not {share.wide_names()}" if share.wide else ""
    return f"{share.value:.1%} of {share.total:,} bytes, without biases{wide}"


def _macs(info: FileInfo) -> str:
    least = "at least " if "not counted" in info.macs_note else ""
    total = "unknown" if info.macs is None else f"{least}{info.macs:,}"
    return f"{total} ({visible(info.macs_note)})" if info.macs_note else total


def _table(rows: Sequence[tuple[str, ...]], right: int | None = None, until: int | None = None) -> list[str]:
    """Return aligned lines; columns `right` to `until` (by default that one) are set to the right."""
    if not rows:
        return ["  none"]
    columns = range(right, until or right + 1) if right is not None else range(0)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            c.rjust(w) if i in columns else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
