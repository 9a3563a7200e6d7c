"""Where a model comes from: the first step of its lineage."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from edgekit.models.keras.proof import Proof
from edgekit.schema.types import JsonObject


@dataclass(frozen=True)
class Origin:
    """The loading of a Keras model or a SavedModel.

    Attributes:
        file: its name.
        sha256: of it; of a SavedModel over all its files.
        generation: of Keras, 2 or 3; None for a SavedModel without Keras's description.
        keras_version: that wrote it; `none` without a description.
        loss: that it was compiled with, if it is one of `edgekit.models.files.own_loss.LOSSES`; else empty.
        bridge: how equal the rebuilt model is; None where it was not rebuilt in Keras 2.
        notes: what was done to it, sentences.
    """

    file: str
    sha256: str
    generation: int | None
    keras_version: str
    loss: str = ""
    bridge: Proof | None = None
    notes: tuple[str, ...] = ()

    def noted(self, *notes: str) -> Origin:
        """Return it with more notes."""
        return replace(self, notes=(*self.notes, *notes))

    def to_dict(self) -> JsonObject:
        """Return the lineage step, JSON values."""
        return {"step": "load"} | asdict(self) | {"notes": list(self.notes)}
