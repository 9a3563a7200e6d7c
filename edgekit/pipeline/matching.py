"""The data matched to the model, before any work: what each output is for, and what could not be trained."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.data.dataset import Dataset
from edgekit.data.fitting import fit, reshaped
from edgekit.errors import InputError
from edgekit.models.keras.natures import natures_of
from edgekit.pipeline.source import Source
from edgekit.progress import Progress
from edgekit.tasks.heads import chosen_kinds
from edgekit.tasks.task import Task
from edgekit.techniques.stage import Stage


def match(
    source: Source, dataset: Dataset, stages: Sequence[Stage], asked: str, progress: Progress, *, allow_unsafe: bool
) -> tuple[Dataset, Task]:
    """Return the data as the model takes them, and what its outputs are for.

    Args:
        source: the model.
        dataset: as stored.
        stages: resolved, in the recipe's order.
        asked: what `--task` says; may be empty.
        progress: told how labels are taken, where that is not plain.
        allow_unsafe: model files that stages name may hold Lambda layers.

    Raises:
        InputError: the data do not fit the model, or a stage cannot train it.
    """
    how, outputs = source.card.preprocessing, source.outputs
    stored = dataset
    dataset, task = fit(
        stored,
        how,
        source.inputs,
        outputs,
        source.name,
        look=natures_of(source.model, how),
        kinds=chosen_kinds(asked, [port.name for port in outputs]),
    )
    for note in reshaped(stored, dataset):
        progress.notify(note)
    for head in task.heads:
        if head.note:
            progress.notify(f"{source.name}: {head.note}")
        if head.indices and stages:
            raise InputError(
                f"{source.name}: output {head.name} is class numbers, as of ArgMax: nothing can be learned through it",
                "give the model without its last operation, or use a recipe without stages: --recipe int8",
            )
    for stage in stages:
        stage.preflight(source.model, progress, allow_unsafe=allow_unsafe)
    return dataset, task
