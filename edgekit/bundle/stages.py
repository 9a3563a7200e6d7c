"""The stages that a recipe may name: one row each. A new technique is one module and one row here.

The row is text, so that help can be shown without importing what trains; `edgekit.techniques.registry` binds it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StageRow:
    """A training stage.

    Attributes:
        where: the class, as `module:Class`. Its fields are the options, its docstring explains them.
        does: what it does, one sentence without the full stop.
        brings: what the model has from it.
    """

    where: str
    does: str
    brings: str


STAGES = {
    "distill": StageRow(
        "edgekit.techniques.distill:Distill",
        "a smaller student learns from the model, or from a teacher in a file",
        "fewer bytes and multiplications",
    ),
    "prune": StageRow(
        "edgekit.techniques.prune:Prune",
        "channels are removed, or weights set to zero",
        "channels: fewer bytes and multiplications on every runtime; weights: fewer bytes after gzip only",
    ),
    "cluster": StageRow(
        "edgekit.techniques.cluster:Cluster",
        "few distinct weights a layer",
        "fewer bytes after gzip only",
    ),
    "quantize": StageRow(
        "edgekit.techniques.qat:Quantize",
        "quantization-aware training",
        "int8 with less loss than by calibration, where that loses any",
    ),
    "finetune": StageRow("edgekit.techniques.finetune:Finetune", "training goes on", "accuracy"),
}
"""By the name under `use`, in the order in which they make sense."""
