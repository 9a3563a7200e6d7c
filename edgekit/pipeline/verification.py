"""Every exported file verified: run over the same samples, compared with the model it is made of, and scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgekit.bundle.agreement import Agreement
from edgekit.bundle.manifest import Artifact, artifact_numbers
from edgekit.bundle.schemes import from_int8
from edgekit.data.stored import write_samples
from edgekit.devices.device import Device
from edgekit.export.exporter import Exported
from edgekit.files.temporary import temporary_folder
from edgekit.formats.reading import inspect_file
from edgekit.formats.shares import weight_share
from edgekit.frameworks.types import KerasModel
from edgekit.measuring.agreement import Outputs, compare
from edgekit.measuring.core import run_file
from edgekit.measuring.ports import specs
from edgekit.pipeline.check import answers, doubts, reference_labels
from edgekit.pipeline.job import Job
from edgekit.pipeline.quality import Judged, judge, part_to_check
from edgekit.pipeline.stages import Outcome
from edgekit.tasks.samples import ModelInputs
from edgekit.tasks.tensors import TensorSpec

FLOAT_MODEL = "float model"
FAKE_QUANT_MODEL = "fake-quant model"


@dataclass(frozen=True)
class Verified:
    """Files, run.

    Attributes:
        artifacts: with their scores.
        agreement: of each with its model, and of ONNX with TFLite.
        judged: scores and losses on the same samples.
    """

    artifacts: list[Artifact]
    agreement: list[Agreement]
    judged: Judged


def verify(job: Job, device: Device, outcome: Outcome, exported: Sequence[Exported]) -> Verified:
    """Run every file over the same samples; compare each with its model, and ONNX with TFLite.

    Args:
        job: the run.
        device: the machine that runs files.
        outcome: the models that the files are made of.
        exported: the files.

    Raises:
        RunnerError: a runtime cannot run a file.
    """
    part = part_to_check(job.splits, job.dataset, job.recipe.check_samples, trains=bool(outcome.ledger))
    inputs = job.preprocessing.apply(part.x)
    reference = _outputs(FLOAT_MODEL, outcome.float_model or outcome.model, inputs)
    trained = _outputs(FAKE_QUANT_MODEL, outcome.model, inputs) if outcome.float_model else reference
    truth = reference_labels(job.task, job.source.model.model, part.x, part.y, job.preprocessing)
    artifacts, agreement, outputs = [], [], dict[tuple[str, str], Outputs]()
    with (
        temporary_folder("check") as scratch,
        job.progress.task("checking", len(exported)) as progress,
    ):
        samples = scratch / f"{part.name}.npz"
        write_samples(samples, part.x)
        for item in exported:
            if item.format == "c":
                artifacts.append(_artifact(item, (), ()))
            else:
                info = inspect_file(item.path)
                ins, outs = specs(info.inputs), specs(info.outputs)
                result = run_file(device, item.path, ins, outs, samples, job.preprocessing, job.task, scratch)
                outputs[item.format, item.scheme] = result
                agreement.append(compare(trained if from_int8(item.scheme) else reference, result, job.task))
                artifacts.append(replace(_artifact(item, ins, outs), weights_in_8_bits=weight_share(info).value))
            progress.advance(item.path.name)
    for (format_, scheme), result in outputs.items():
        if format_ == "onnx" and ("tflite", scheme) in outputs:
            agreement.append(compare(outputs["tflite", scheme], result, job.task))
    for warning in filter(None, (doubts(a, part.name) for a in agreement)):
        job.progress.warn(warning, "disagreement")
    judged = judge(part, reference, outputs.values(), truth, job.task, FLOAT_MODEL)
    scored = [replace(artifact, validation=judged.scores.get(artifact.file)) for artifact in artifacts]
    return Verified(scored, agreement, judged)


def _outputs(name: str, model: KerasModel, inputs: ModelInputs) -> Outputs:
    real = answers(model, inputs)
    return Outputs(name, real, (None,) * len(real))


def _artifact(item: Exported, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> Artifact:
    return Artifact(
        file=item.path.name,
        format=item.format,
        scheme=item.scheme,
        inputs=inputs,
        outputs=outputs,
        made_by=item.made_by,
        rewrites=item.rewrites,
        reverted=item.reverted,
        **artifact_numbers(item.path),
    )
