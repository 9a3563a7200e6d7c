"""`edgekit.train`: a reference model, trained in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekit.api.compression import data_spec
from edgekit.api.reporting import ProgressOption, working
from edgekit.api.words import face
from edgekit.processes import work


@face
def train(
    name: str,
    data: Any,
    out: str | Path,
    *,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float = 1e-3,
    augment: str | None = None,
    schedule: str | None = None,
    optimizer: str = "adam",
    weight_decay: float = 0.0,
    width: float = 1.0,
    seed: int = 0,
    force: bool = False,
    progress: ProgressOption = False,
) -> Path:
    """Train a reference model; return the path of its `.keras` file, beside which lies its card.

    Args:
        name: of the reference model, such as `resnet8`.
        data: as for `edgekit.compress`.
        out: the `.keras` file to write.
        epochs: passes over the data; by default the model's own.
        batch_size: samples a step; by default the model's own.
        learning_rate: of the optimizer.
        augment: `none`, `flip`, `crop` or `flip-crop`; by default the model's own.
        schedule: `constant` or `cosine`; by default the model's own.
        optimizer: `adam`, or `sgd` with Nesterov momentum.
        weight_decay: of kernels, apart from the gradients.
        width: factor on the number of channels.
        seed: of initial weights, shuffling, augmentation and dropout.
        force: replace `out` if it exists.
        progress: as for `edgekit.compress`.

    Raises:
        EdgekitError: what the command line would say.
    """
    with working(progress) as (folder, receiver):
        request = {
            "name": name,
            "data": data_spec(data, folder),
            "out": str(out),
            "overrides": {
                "epochs": epochs,
                "batch_size": batch_size,
                "learning_rate": learning_rate,
                "augment": augment,
                "schedule": schedule,
                "optimizer": optimizer,
                "weight_decay": weight_decay,
            },
            "width": width,
            "seed": seed,
            "force": force,
        }
        work.run("edgekit.pipeline.worker:train", request, receiver, f"train {name}")
    return Path(out)
