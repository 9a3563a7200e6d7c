"""A file is called by a scheme only if its weights are stored so: what converters leave float is found in the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.errors import ConversionError
from edgekit.export.exporter import Exported
from edgekit.inspect.reading import inspect_file
from edgekit.inspect.shares import Share, weight_share
from edgekit.progress import Progress

LEAST = 0.9
"""Share of the weights' bytes that an int8 file has in 8 bits at least; what is missing shows in the table."""
_SOME = 1e-9


@dataclass(frozen=True)
class _Promise:
    """What the name of a scheme says of weights: this share of their bytes, at least, in so many bits or fewer."""

    bits: int
    least: float


_PROMISES = {
    # Kernels take constants that are added to or looked up beside int16 activations in int16 only.
    "int16x8": _Promise(16, LEAST),
    **dict.fromkeys(("int8", "int4", "int4-dense"), _Promise(8, LEAST)),
    # These leave small weights float on purpose, but a file in which all are float is the float32 file.
    "dynamic": _Promise(8, _SOME),
    "float16": _Promise(16, _SOME),
}


def kept_promises(exported: Sequence[Exported], progress: Progress) -> list[Exported]:
    """Return the files whose weights are stored as their scheme says; the others are removed, with a warning.

    Args:
        exported: what was written, files and C headers.
        progress: told of every file that is left out.

    Raises:
        ConversionError: no file is left but float32 ones, where others were asked for.
    """
    broken: dict[Exported, Share] = {}
    for item in exported:
        promise = _PROMISES.get(item.scheme)
        if promise and item.format != "c":
            share = weight_share(inspect_file(item.path), promise.bits)
            if share.value is not None and share.value < promise.least:
                broken[item] = share
    if not broken:
        return list(exported)
    gone = {item.scheme for item in broken if item.format == "tflite"}
    kept = [i for i in exported if i not in broken and not (i.format == "c" and i.scheme in gone)]
    if all(item.scheme == "float32" for item in kept):
        item, share = next(iter(broken.items()))
        raise ConversionError(_sentence(item, share), _hint(item))
    for item in exported:
        if item not in kept:
            item.path.unlink()
    for item, share in broken.items():
        progress.warn(f"{_sentence(item, share)}: the file is left out; {_hint(item)}")
    return kept


def _sentence(item: Exported, share: Share) -> str:
    return (
        f"{item.path.name}: only {share.value:.1%} of the bytes of its weights are in {share.bits} bits or fewer, "
        f"expected {_least(item.scheme)} of a file called {item.scheme}; the largest others are {share.wide_names()}"
    )


def _least(scheme: str) -> str:
    least = _PROMISES[scheme].least
    return f"at least {least:.0%}" if least > _SOME else "some"


def _hint(item: Exported) -> str:
    if item.scheme in ("dynamic", "float16"):
        return f"leave {item.scheme} out of the schemes: its weights are too few or too small to be stored so"
    if item.format == "onnx":
        return (
            'ONNX has no such operators with 8-bit weights; a .tflite file may have: formats = ["tflite"], or '
            'schemes = ["float32"] for ONNX'
        )
    return f"replace the layers that hold them, or take dynamic or float16 in place of {item.scheme} in the schemes"
