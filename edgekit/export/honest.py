"""A file is called by a scheme only if its weights are stored so: what converters leave float is found in the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgekit.bundle.schemes import FLOAT_BITS, SCHEMES
from edgekit.errors import ConversionError
from edgekit.export.exporter import Exported
from edgekit.formats.info import FileInfo
from edgekit.formats.reading import inspect_file
from edgekit.formats.shares import Share, weight_share
from edgekit.progress import Progress

LEAST = 0.9
"""Share of the weights' bytes that are quantized in a file called int8, at least; what is not in 8 bits is shown."""
_SOME = 1e-9


@dataclass(frozen=True)
class _Promise:
    """What the name of a scheme says of weights.

    Attributes:
        bits, also: they are stored in so many bits or fewer, or in these types.
        least: share of their bytes, at least.
        words: the same, for a sentence.
    """

    bits: int
    also: tuple[str, ...]
    least: float
    words: str


# Kernels take some constants in int16 only: time weights of SVDF, and what stands beside int16 activations.
_QUANTIZED = _Promise(8, ("int16",), LEAST, "quantized")


def _promise(scheme: str) -> _Promise:
    """Return what a scheme's name says of weights."""
    row = SCHEMES[scheme]
    promise = _QUANTIZED if row.weight_bits <= 8 else _Promise(row.weight_bits, (), LEAST, _words(row.weight_bits))
    # Small weights that stay float are meant to, but a file in which all are float is the float32 file.
    return promise if row.whole else replace(promise, least=_SOME)


def _words(bits: int) -> str:
    return f"in {bits} bits or fewer"


def stored_as_named(info: FileInfo, scheme: str) -> Share | None:
    """Return how much of a file's weights is stored as its scheme says; None where the name says nothing of them."""
    promise = _promise(scheme)
    return weight_share(info, promise.bits, promise.also) if promise.bits < FLOAT_BITS else None


def kept_promises(exported: Sequence[Exported], progress: Progress) -> list[Exported]:
    """Return the files whose weights are stored as their scheme says; the others are removed, with a warning.

    Args:
        exported: what was written, files and C headers.
        progress: warned of every file that is left out.

    Raises:
        ConversionError: no file is left but float32 ones, where others were asked for.
    """
    broken: list[tuple[Exported, Share]] = []
    for item in exported:
        if item.format == "c" or item.reverted:  # what is float in these is so on purpose, and is named
            continue
        share = stored_as_named(inspect_file(item.path), item.scheme)
        if share and share.value is not None and share.value < _promise(item.scheme).least:
            broken.append((item, share))
    if not broken:
        return list(exported)
    gone = {item.path for item, _ in broken}
    gone |= {i.path for i in exported if i.format == "c" and any(_is_source(item, i) for item, _ in broken)}
    kept = [item for item in exported if item.path not in gone]
    if all(item.scheme == "float32" for item in kept):
        item, share = broken[0]
        raise ConversionError(_sentence(item, share), _hint(item), code="weights-not-quantized")
    for path in gone:
        path.unlink()
    for item, share in broken:
        progress.warn(f"{_sentence(item, share)}: the file is left out; {_hint(item)}", "weights-not-quantized")
    return kept


def _is_source(item: Exported, header: Exported) -> bool:
    return item.format == "tflite" and item.scheme == header.scheme


def _sentence(item: Exported, share: Share) -> str:
    return (
        f"{item.path.name}: only {share.value:.1%} of the bytes of its weights are {_promise(item.scheme).words}, "
        f"expected {_least(item.scheme)} of a file called {item.scheme}; the largest others are {share.wide_names()}"
    )


def _least(scheme: str) -> str:
    least = _promise(scheme).least
    return f"at least {least:.0%}" if least > _SOME else "some"


def _hint(item: Exported) -> str:
    if not SCHEMES[item.scheme].whole:
        return f"leave {item.scheme} out of the schemes: its weights are too few or too small to be stored so"
    if item.format == "onnx":
        return (
            "no tool here quantizes them in ONNX: a .tflite file of the Keras model may hold them in 8 bits, "
            'formats = ["tflite"]; for ONNX take schemes = ["float32"]'
        )
    return f"replace the layers that hold them, or take dynamic or float16 in place of {item.scheme} in the schemes"
