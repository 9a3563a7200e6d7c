"""The main path: a model and a recipe become a bundle.

recipe -> stages -> export -> check -> bundle
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.bench.ports import specs
from edgekit.bundle.manifest import (
    EVAL,
    MANIFEST,
    README,
    RECIPE,
    Agreement,
    Artifact,
    Bundle,
    Manifest,
    artifact_numbers,
    describe_file,
    strangers,
    write_manifest,
)
from edgekit.bundle.recipe import Recipe
from edgekit.bundle.schemes import from_int8
from edgekit.data.dataset import Dataset
from edgekit.data.lint.int8 import INT8
from edgekit.data.lint.report import data_doubts
from edgekit.data.split import Splits, sample, split
from edgekit.data.stored import write_samples
from edgekit.data.trial.look import LOOK
from edgekit.devices.device import Device, open_device
from edgekit.errors import ConversionError
from edgekit.export.exporter import Exported, export
from edgekit.export.foreign.from_file import export_file
from edgekit.export.honest import kept_promises
from edgekit.files.destinations import prove_bundle
from edgekit.files.temporary import temporary_folder
from edgekit.files.whole import atomic_folder
from edgekit.formats.reading import inspect_file
from edgekit.formats.shares import weight_share
from edgekit.formats.tflite.exponentials import coarse_exponentials
from edgekit.models.files.file_model import FileModel
from edgekit.models.files.saving import card_path, save_keras3, save_model
from edgekit.pipeline import int8_inputs
from edgekit.pipeline.advice import conclude
from edgekit.pipeline.check import Outputs, answers, compare, doubts, reference_labels, run_file
from edgekit.pipeline.effect import EffectMeter
from edgekit.pipeline.matching import match
from edgekit.pipeline.open_inputs import Asked
from edgekit.pipeline.quality import Judged, described, judge, judge_on_test, part_to_check
from edgekit.pipeline.readme import readme
from edgekit.pipeline.source import (
    NOTHING_ASKED,
    Source,
    check_plan,
    load_source,
    tried_out,
    with_normalization_outside,
)
from edgekit.pipeline.stages import Outcome, check_order, run_stages, untrained, work_folder
from edgekit.progress import SILENT, Progress
from edgekit.samples import NamedArrays
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.scoring import with_metric
from edgekit.tasks.task import Task
from edgekit.tasks.tensors import TensorSpec
from edgekit.techniques.outside import check_outside
from edgekit.techniques.registry import resolve
from edgekit.techniques.stage import Stage
from edgekit.version import __version__

GRAVE = ("normalised-twice", "not-normalised", "channel-order", "token-range", "not-integers", int8_inputs.SPOILED)
"""Findings about the data that are said again at the end: they spoil every number."""
FLOAT_MODEL = "float model"
FAKE_QUANT_MODEL = "fake-quant model"
PACKAGES = ("tensorflow", "tf_keras", "keras", "tf2onnx", "onnx", "onnxruntime", "ai-edge-litert", "numpy")


def compress(
    model: Path | None,
    data: str,
    recipe: Recipe,
    out: Path,
    *,
    preprocessing: Mapping[str, Any] | None = None,
    allow_unsafe: bool = False,
    metric: str | None = None,
    kinds: str = "",
    custom: Sequence[str] = (),
    force: bool = False,
    fresh: bool = False,
    anyway: bool = False,
    asked: Asked = NOTHING_ASKED,
    progress: Progress = SILENT,
) -> Bundle:
    """Compress a model into a bundle.

    Args:
        model: a `.keras` or `.h5` file of Keras 2 or 3, or a SavedModel folder; or a float `.tflite` or `.onnx` file,
            which gets post-training schemes in its own format; None trains and takes the demo model.
        data: what `--data` takes (`edgekit.data.loading.load_raw`).
        recipe: what to do.
        out: the folder to create.
        preprocessing: how the model is fed: fields of `Preprocessing` in place of the recipe's and the card's, or,
            without either, in place of what is usual for the data, or what a trial finds.
        allow_unsafe: load Lambda layers, which run code from the model file.
        metric: a key of `edgekit.tasks.register.METRICS` or `module:function`, in place of the task's default.
        kinds: what `--task` takes (`edgekit.tasks.heads.chosen_kinds`), in place of what labels and outputs show.
        custom: the user's own layers and functions, `package.module:NAME` or `file.py:NAME`.
        force: replace an existing bundle at `out`.
        fresh: start over, in place of going on where an interrupted run of the same job stopped.
        anyway: go on where the model or the files would be worthless.
        asked: sizes and values of inputs: what `--input-shape` and `--input-value` take.
        progress: told of every step.

    Raises:
        ChanceError: the model is no better than a constant guess on the data, however it is fed.
        InputError: the model, the data or the recipe cannot be used, or the files would be worthless.
        ConversionError: an artifact cannot be made.
        OutputError: `out` exists, or cannot be written.
    """
    prove_bundle(out, model, data, force=force, marker=MANIFEST, strangers=strangers)
    stages = [resolve(spec, f"recipe {recipe.name}: stage[{i}]") for i, spec in enumerate(recipe.stages)]
    check_order(stages)
    check_plan(model, recipe)
    if recipe.normalize_outside:
        check_outside(recipe, None)
    recipe = recipe.with_preprocessing(preprocessing or {})
    given: dict[str, Any] = {"allow_unsafe": allow_unsafe, "custom": custom, "progress": progress, "asked": asked}
    source, dataset = load_source(model, data, recipe, **given)
    dataset, task = match(source, dataset, stages, kinds, progress, allow_unsafe=allow_unsafe)
    if recipe.normalize_outside:
        check_outside(recipe, task)
    splits = split(dataset, min(recipe.calibration_samples, len(dataset.x_train) // 2))
    source, task, again = tried_out(source, splits, task, model or Path(source.name), anyway=anyway, progress=progress)
    if recipe.normalize_outside:
        source = with_normalization_outside(source, progress)
    int8 = any(map(from_int8, recipe.schemes))
    findings = data_doubts(dataset, source.card.preprocessing, source.model, len(splits.x_calibration), int8=int8)
    for finding in (finding for finding in findings if finding.code not in INT8):
        progress.warn(f"{finding.sentence}; {finding.hint}")
    rounded = int8_inputs.judge(findings, _subject(source, splits, task), recipe, anyway=anyway)
    for finding in rounded:
        progress.warn(f"{finding.sentence}; {finding.hint}")
    task = with_metric(task, metric).with_loss(source.loss)
    lent = work_folder(recipe, _key(source, dataset), fresh=fresh) if stages else nullcontext(Path())
    with open_device() as desktop, lent as work:
        job = _Job(desktop, source, dataset, splits, task, recipe, progress)
        outcome = _run_stages(job, stages, work, allow_unsafe)
        with atomic_folder(out, force=force, marker=MANIFEST, keep=True, strangers=strangers) as folder:
            calibration = source.card.preprocessing.apply(splits.x_calibration)
            exported = _export(job, outcome, calibration, folder)
            artifacts, agreement, checked = _check(job, outcome, exported)
            tested = judge_on_test(job, artifacts, folder) if stages else None
            kept = _keep_model(source, outcome, folder, progress) if stages else ()
            manifest = _manifest(job, outcome, artifacts, agreement, folder, kept)
            manifest = replace(manifest, data=manifest.data | described(checked, tested, dataset))
            write_manifest(folder, manifest)
    grave = [f"{finding.sentence}; {finding.hint}" for finding in (*findings, *rounded) if finding.code in GRAVE]
    for sentence in [*grave, *again]:
        progress.warn(f"once more, because the bundle may be worthless: {sentence}")
    lossy = [out / loss.file for loss in checked.losses if loss.file.endswith(".tflite")]
    coarse = [found for path in lossy for found in coarse_exponentials(path.read_bytes())]
    return Bundle(out, manifest, **conclude(checked, tested, recipe.stages, stages, outcome.ledger, source, coarse))


@dataclass(frozen=True)
class _Job:
    """What every step of a run needs."""

    device: Device
    source: Source
    dataset: Dataset
    splits: Splits
    task: Task
    recipe: Recipe
    progress: Progress

    @property
    def preprocessing(self) -> Preprocessing:
        """From stored samples to model inputs."""
        return self.source.card.preprocessing


def _export(job: _Job, outcome: Outcome, calibration: Any, folder: Path) -> list[Exported]:
    name, recipe = job.source.name, job.recipe
    if isinstance(outcome.model, FileModel):
        arrays = list(calibration) if isinstance(calibration, tuple) else [calibration]
        return kept_promises(export_file(outcome.model, recipe, arrays, folder, name, job.progress), job.progress)
    made = export(outcome.model, recipe, calibration, folder, name, job.progress, outcome.float_model)
    return kept_promises(made, job.progress)


def _key(source: Source, dataset: Dataset) -> tuple[str, ...]:
    """Return what stages depend on besides the recipe."""
    return source.key, dataset.fingerprint(), json.dumps(source.card.preprocessing.to_dict())


def _subject(source: Source, splits: Splits, task: Task) -> int8_inputs.Subject:
    rows = sample(splits.y_validation, len(splits.x_validation), LOOK)
    names = tuple(port.name for port in source.inputs)
    how, x = source.card.preprocessing, splits.x_validation[rows]
    return int8_inputs.Subject(source.model, how, names, x, splits.x_calibration, task)


def _run_stages(job: _Job, stages: list[Stage], work: Path, allow_unsafe: bool) -> Outcome:
    model = job.source.model
    if not stages:
        return untrained(model, job.source.quantized)
    with temporary_folder("effect") as folder:
        meter = EffectMeter(job.device, model, job.recipe, job.splits, job.preprocessing, job.task, folder)
        return run_stages(
            model,
            stages,
            job.recipe,
            job.splits,
            job.preprocessing,
            job.task,
            meter,
            work,
            job.progress,
            allow_unsafe=allow_unsafe,
        )


def _check(job: _Job, outcome: Outcome, exported: list[Exported]) -> tuple[list[Artifact], list[Agreement], Judged]:
    """Run every file over the same samples; compare each with its Keras model, and ONNX with TFLite."""
    part = part_to_check(job.splits, job.dataset, job.recipe.check_samples, trains=bool(outcome.ledger))
    x, y = part.x, part.y
    inputs = job.preprocessing.apply(x)
    reference = _outputs(FLOAT_MODEL, outcome.float_model or outcome.model, inputs)
    trained = _outputs(FAKE_QUANT_MODEL, outcome.model, inputs) if outcome.float_model else reference
    truth = reference_labels(job.task, job.source.model, x, y, job.preprocessing)
    artifacts, agreement, outputs = [], [], dict[tuple[str, str], Outputs]()
    with (
        temporary_folder("check") as scratch,
        job.progress.task("checking", len(exported)) as progress,
    ):
        samples = scratch / f"{part.name}.npz"
        write_samples(samples, x)
        for item in exported:
            if item.format == "c":
                artifacts.append(_artifact(item, (), ()))
            else:
                info = inspect_file(item.path)
                ins, outs = specs(info.inputs), specs(info.outputs)
                result = run_file(job.device, item.path, ins, outs, samples, job.preprocessing, job.task, scratch)
                outputs[item.format, item.scheme] = result
                agreement.append(compare(trained if from_int8(item.scheme) else reference, result, job.task))
                artifacts.append(replace(_artifact(item, ins, outs), weights_in_8_bits=weight_share(info).value))
            progress.advance(item.path.name)
    for (format_, scheme), result in outputs.items():
        if format_ == "onnx" and ("tflite", scheme) in outputs:
            agreement.append(compare(outputs["tflite", scheme], result, job.task))
    for found in filter(None, (doubts(a, part.name) for a in agreement)):
        job.progress.warn(found)
    checked = judge(part, reference, outputs.values(), truth, job.task, FLOAT_MODEL)
    scored = [replace(artifact, validation=checked.scores.get(artifact.file)) for artifact in artifacts]
    return scored, agreement, checked


def _outputs(name: str, model: Any, inputs: Any) -> Outputs:
    found = answers(model, inputs)
    return Outputs(name, found, (None,) * len(found))


def _artifact(item: Exported, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> Artifact:
    return Artifact(
        file=item.path.name,
        format=item.format,
        scheme=item.scheme,
        inputs=inputs,
        outputs=outputs,
        made_by=item.made_by,
        rewrites=item.rewrites,
        **artifact_numbers(item.path),
    )


def _keep_model(source: Source, outcome: Outcome, folder: Path, progress: Progress) -> tuple[str, ...]:
    """Save the compressed float model, to train on or to teach another, with its card; return the names of the files.

    A model that came from Keras 3 goes back there, too.
    """
    model, path = outcome.float_model or outcome.model, folder / f"{source.name}.keras"
    card = replace(source.card, lineage=[*source.card.lineage, *outcome.lineage])
    save_model(model, path, card)
    kept = [path]
    if source.generation == 3:
        again = folder / f"{source.name}-keras3.keras"
        try:
            save_keras3(model, again, card, progress)
            kept.append(again)
        except ConversionError as error:
            progress.warn(f"no Keras 3 file of the compressed model: {error.message}")
    return tuple(name for file in kept for name in (file.name, card_path(file).name))


def _manifest(
    job: _Job,
    outcome: Outcome,
    artifacts: list[Artifact],
    agreement: list[Agreement],
    folder: Path,
    kept: tuple[str, ...],
) -> Manifest:
    """Write the evaluation samples, the recipe and the README, and describe everything. The test set is read here."""
    dataset, source, recipe = job.dataset, job.source, job.recipe
    total = len(dataset.x_test)
    chosen = sample(dataset.y_test, total, recipe.eval_samples or total)
    x, y = dataset.x_test[chosen], None if dataset.y_test is None else dataset.y_test[chosen]
    if job.task.main.kind == "unlabelled":
        y = _named(answers(source.model, job.preprocessing.apply(x)), job.task)
    write_samples(folder / EVAL, x, y, compressed=True)
    (folder / RECIPE).write_text(recipe.to_toml(), encoding="utf-8")
    manifest = Manifest(
        name=source.name,
        recipe=recipe.name,
        seed=recipe.seed,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        edgekit=__version__,
        preprocessing=source.card.preprocessing,
        class_names=dataset.class_names,
        task=job.task,
        data={
            "name": dataset.name,
            "sha256": dataset.fingerprint(),
            "calibration": {"samples": len(job.splits.x_calibration)},
            "validation": {"samples": len(job.splits.x_validation)},
            "eval": {"samples": len(chosen), "of": total, "split": "test"},
        },
        lineage=[*source.card.lineage, *outcome.lineage],
        ledger=tuple(outcome.ledger),
        artifacts=tuple(artifacts),
        agreement=tuple(agreement),
        files={},
        packages=_packages(),
    )
    operators = {name for a in artifacts if a.format == "tflite" for name in inspect_file(folder / a.file).operators}
    (folder / README).write_text(readme(manifest, operators), encoding="utf-8")
    return replace(manifest, files={name: describe_file(folder / name) for name in (EVAL, RECIPE, README, *kept)})


def _named(outputs: tuple[Any, ...], task: Task) -> Any:
    """Return the float model's outputs as labels."""
    arrays = [output.astype(np.float32) for output in outputs]
    return arrays[0] if len(arrays) == 1 else NamedArrays({h.name: a for h, a in zip(task.heads, arrays, strict=True)})


def _packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
