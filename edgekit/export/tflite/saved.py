"""A model as the exporters read it: a SavedModel, its recurrent layers unrolled where a scheme needs that."""

from __future__ import annotations

from pathlib import Path

from edgekit.export.signature import Signature
from edgekit.export.tflite import convert as tflite
from edgekit.export.tflite.unroll import ALL, unrolled
from edgekit.frameworks.types import KerasModel


def without_loops(model: KerasModel, path: Path) -> Saved:
    """Return a model with its recurrent layers unrolled as far as TensorFlow's quantizer needs it."""
    flat = unrolled(model)
    saved = Saved(flat, path, unrolled=flat is not model)
    if not (saved.signature.has_loops() and tflite.keeps_loops(saved.folder(), saved.signature)):
        return saved
    further = unrolled(flat, ALL)
    return saved if further is flat else Saved(further, path.with_name(f"{path.name}-unrolled"), unrolled=True)


class Saved:
    """A model's signature, and its SavedModel, written when it is first needed.

    Attributes:
        model: as it is saved.
        signature: of it.
        unrolled: whether recurrent layers of the original were unrolled in it.
    """

    def __init__(self, model: KerasModel, path: Path, *, unrolled: bool = False) -> None:
        self.model, self.signature, self.unrolled = model, Signature(model), unrolled
        self._path = path

    def folder(self) -> Path:
        """Return the folder of the SavedModel."""
        if not self._path.exists():
            self.signature.save(self._path)
        return self._path
