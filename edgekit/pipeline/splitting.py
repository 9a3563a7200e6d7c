"""`--split-outputs`: a detector whose boxes and scores are outputs of their own, each with its own int8 scale."""

from __future__ import annotations

from dataclasses import replace

from edgekit.errors import InputError
from edgekit.models.keras.splitting import split_end
from edgekit.models.sources.keras_source import KerasSource
from edgekit.pipeline.source import Source
from edgekit.tasks.detection.description import Part
from edgekit.tasks.task import Head, Task


def with_split_outputs(source: Source, task: Task) -> tuple[Source, Task]:
    """Return a source whose only output is given as its parts, and the task that joins them when it scores.

    Raises:
        InputError: it is no detector with one output, has no layers, or does not end in a concatenation.
    """
    how = task.detection
    if how is None or len(how.parts) > 1 or len(how.parts[0].holds) < 2:
        raise InputError(
            f"`--split-outputs`: {source.name} has no output that holds both boxes and scores",
            "leave the option out; outputs of other tasks are split in the model",
            code="split-not-possible",
        )
    model = source.model
    if not isinstance(model, KerasSource) or model.quantized is not None:
        raise InputError(
            f"`--split-outputs`: {source.file} has no layers that can be taken apart",
            "give a Keras model, or an ONNX file that is rebuilt as layers",
            code="split-not-possible",
        )
    part, shape = how.parts[0], model.outputs[0].shape
    axis = 1 if part.axis == "first" else len(shape)
    fixed = {"objectness": 1, "scores": how.columns}
    width = int(shape[axis - 1] or 0)
    boxes = width - sum(fixed[held] for held in part.holds if held in fixed)
    made = replace(model, model=split_end(model.model, axis, [fixed.get(held, boxes) for held in part.holds]))
    parts = tuple(Part((held,), part.axis, part.anchors) for held in part.holds)
    heads = tuple(Head(port.name, task.main.kind, task.main.metric) for port in made.outputs)
    note = f"The output {task.main.name} is given as {', '.join(part.holds)}, in outputs of their own"
    changed = replace(source, model=made, key=f"{source.key} split").with_note(note)
    return changed, replace(task, heads=heads, detection=replace(how, parts=parts))
