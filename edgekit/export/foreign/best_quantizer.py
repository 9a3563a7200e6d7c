"""A float .tflite file that was made elsewhere, by the quantizer that does it better.

TensorFlow's quantizer and litert-quantizer are both asked. Each file is judged by itself: whether its weights and its
inputs and outputs are quantized, how near its outputs come to those of the float file, and its bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgekit.errors import ConversionError, RunnerError
from edgekit.export.calibration import MINMAX, Ranging
from edgekit.export.foreign import litert_quantizer
from edgekit.export.honest import LEAST, stored_as_named
from edgekit.export.tflite import nearness
from edgekit.export.tflite import quantizer as tflite_quantizer
from edgekit.export.tflite.bias import Noted
from edgekit.formats.reading import inspect_file
from edgekit.formats.shares import weight_share
from edgekit.formats.tflite.pack import pack
from edgekit.processes.child import memory_for, worker
from edgekit.tasks.samples import Array

Arrays = Sequence[Array]

TENSORFLOW = "TensorFlow's quantizer"
SAME_DB = 0.5
"""Files that are as near as this are ranked by their bytes."""
SAME_BYTES = 0.01
"""Of the smaller one: files of the same size, of which TensorFlow's is taken."""
SECONDS = 600.0
"""In which a file is run on some samples."""


@dataclass(frozen=True)
class Made:
    """A quantized file.

    Attributes:
        data: the file, packed.
        how: by what it was made, and why by that, such as `litert-quantizer (41.2 dB, TensorFlow's quantizer 38.0 dB)`.
        note: what was done to it besides.
    """

    data: bytes
    how: str
    note: str = ""


@dataclass(frozen=True)
class _Candidate:
    by: str
    data: bytes
    note: str
    quantized: float
    """Share of the weights' bytes that are, in 16 bits or fewer."""
    share: float
    """The same, in 8 bits or fewer."""
    ends: bool
    db: float
    """SQNR against the float file; minus infinity for a file that does not run."""

    @property
    def whole(self) -> bool:
        return self.quantized >= LEAST and self.ends and self.db > -math.inf


def quantize(
    data: bytes, schemes: Sequence[str], calibration: Arrays, folder: Path, ranging: Ranging = MINMAX
) -> dict[str, Made]:
    """Return a float file in other schemes.

    Args:
        data: the float file, its batch fixed to one, in normal form (`edgekit.export.foreign.normal_form`).
        schemes: of `tflite_quantizer.SCHEMES`.
        calibration: one array of samples an input, (n, ...), in the order of the file.
        folder: for files that are looked at, temporary.
        ranging: how the ranges of activations are chosen.

    Raises:
        ConversionError: neither quantizer can express the file in a scheme.
        MissingExtraError: TensorFlow is not installed.
    """
    by_tensorflow = _by_tensorflow(data, schemes, calibration, ranging)
    made = {}
    for scheme in schemes:
        files: dict[str, Noted | ConversionError] = {TENSORFLOW: by_tensorflow[scheme]}
        if litert_quantizer.installed():
            try:
                files[litert_quantizer.NAME] = litert_quantizer.quantize(data, scheme, calibration, ranging)
            except ConversionError as error:
                files[litert_quantizer.NAME] = error
        made[scheme] = _better(data, files, nearness.some(calibration), folder)
    return made


def _by_tensorflow(
    data: bytes, schemes: Sequence[str], calibration: Arrays, ranging: Ranging
) -> dict[str, Noted | ConversionError]:
    try:  # in one process, which TensorFlow takes long to start
        return dict(tflite_quantizer.quantize(data, schemes, calibration, ranging))
    except ConversionError as error:
        if len(schemes) == 1:
            return {schemes[0]: error}
    return {s: found for scheme in schemes for s, found in _by_tensorflow(data, [scheme], calibration, ranging).items()}


def _better(data: bytes, files: dict[str, Noted | ConversionError], samples: Arrays, folder: Path) -> Made:
    """Return the best of the files, with why.

    Raises:
        ConversionError: there is none; of several errors the first, with the others' messages.
    """
    errors = {by: found for by, found in files.items() if isinstance(found, ConversionError)}
    made = [
        _candidate(by, data, found, samples, folder / f"{n}.tflite")
        for n, (by, found) in enumerate(files.items())
        if isinstance(found, Noted)
    ]
    if not made:
        first, *others = errors.values()
        raise ConversionError("; ".join([first.message, *(e.message for e in others)]), first.hint, code=first.code)

    def rank(one: _Candidate) -> tuple[bool, ...]:
        small = len(one.data) <= (1 + SAME_BYTES) * min(len(other.data) for other in made)
        return one.whole, one.quantized >= LEAST, one.ends, one.share >= LEAST, _as_near(one, made), small

    best = max(made, key=rank)
    reasons = [_reason(one, best) for one in made if one is not best]
    reasons += [f"{by} failed" for by in errors]
    own = f"{best.db:.1f} dB" if math.isfinite(best.db) else ""
    why = ", ".join(filter(None, [own, *reasons]))
    return Made(best.data, f"{best.by} ({why})" if reasons and why else best.by, best.note)


def _as_near(one: _Candidate, made: Sequence[_Candidate]) -> bool:
    """Return whether a file is as near as the nearest of them, or almost."""
    return one.db >= max(other.db for other in made) - SAME_DB


def _reason(one: _Candidate, best: _Candidate) -> str:
    """Return why a file was not taken."""
    if one.quantized < LEAST <= best.quantized:
        return f"{one.by} has {one.quantized:.0%} of the weights quantized"
    if one.share < LEAST <= best.share:
        return f"{one.by} has {one.share:.0%} of the weights in 8 bits"
    if one.ends < best.ends:
        return f"{one.by} leaves inputs or outputs float"
    if one.db == -math.inf:
        return f"the file of {one.by} does not run"
    if abs(one.db - best.db) <= SAME_DB and len(one.data) != len(best.data):
        return f"{one.by} {one.db:.1f} dB in {len(one.data):,} bytes"
    return f"{one.by} {one.db:.1f} dB"


def _candidate(by: str, source: bytes, found: Noted, samples: Arrays, path: Path) -> _Candidate:
    data = pack(found.data)
    path.write_bytes(data)
    info = inspect_file(path)
    share, quantized = weight_share(info).value, stored_as_named(info, "int8")
    ends = all("float" not in tensor.dtype for tensor in (*info.inputs, *info.outputs))
    try:
        value, _ = worker().call(
            f"{__name__}:compare",
            np.frombuffer(source, np.uint8),
            np.frombuffer(data, np.uint8),
            *samples,
            what=f"{path.name}: running it",
            seconds=SECONDS,
            memory=memory_for(path),
        )
        db = -math.inf if value is None else float(value)
    except RunnerError:
        db = -math.inf
    whole = 1.0 if quantized is None or quantized.value is None else quantized.value
    return _Candidate(by, data, found.note, whole, 1.0 if share is None else share, ends, db)


def compare(
    source: npt.NDArray[np.uint8], data: npt.NDArray[np.uint8], *samples: Array
) -> tuple[float | None, list[Array]]:
    """Return how near a file comes to the float one, in dB (at most 200); None where one of them does not run."""
    try:
        reference = nearness.outputs(source.tobytes(), samples)
        found = nearness.nearness_db(reference, nearness.outputs(data.tobytes(), samples))
    except (RuntimeError, ValueError):
        return None, []
    return (None if found == -math.inf else min(found, 200.0)), []
