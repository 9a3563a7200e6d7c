"""The main path: a model and a recipe become a bundle.

recipe -> stages -> export -> check -> bundle
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import tempfile
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from edgekit import __version__
from edgekit.techniques.registry import resolve
from edgekit.techniques.stage import Stage
from edgekit.config import Recipe
from edgekit.data.dataset import Dataset
from edgekit.data.loading import load_data
from edgekit.data.split import Splits, split, stratified
from edgekit.devices.device import Device, open_device
from edgekit.errors import InputError
from edgekit.export.check import Outputs, compare, doubts, run_file
from edgekit.export.effect import EffectMeter
from edgekit.export.exporter import Exported, export, of_int8, plan
from edgekit.export.readme import readme
from edgekit.files import atomic_folder, check_free
from edgekit.inspect.info import TensorInfo
from edgekit.inspect.reading import inspect_file
from edgekit.manifest import (
    EVAL,
    MANIFEST,
    README,
    RECIPE,
    Agreement,
    Artifact,
    Bundle,
    Manifest,
    TensorSpec,
    artifact_numbers,
    describe_file,
    write_manifest,
)
from edgekit.models.saving import ModelCard, card_path, read_card, save_model
from edgekit.models.targets import check_probabilities
from edgekit.progress import SILENT, Progress
from edgekit.stages import Outcome, check_order, run_stages, work_folder
from edgekit.stats import wilson

DEMO_MODEL = "digits-cnn"
LOOK = 500
"""Validation samples that the source model answers before any work."""
FLOAT_MODEL = "float model"
FAKE_QUANT_MODEL = "fake-quant model"
PACKAGES = ("tensorflow", "tf_keras", "keras", "tf2onnx", "onnx", "onnxruntime", "ai-edge-litert", "numpy")


@dataclass(frozen=True)
class Source:
    """The model to compress, with what is known about it."""

    name: str
    model: Any
    card: ModelCard
    key: str
    """The same for the same model: the file's SHA-256, or the name of the demo model."""


def compress(
    model: Path | None,
    data: str,
    recipe: Recipe,
    out: Path,
    *,
    preprocessing: Mapping[str, Any] | None = None,
    allow_unsafe: bool = False,
    force: bool = False,
    fresh: bool = False,
    progress: Progress = SILENT,
) -> Bundle:
    """Compress a model into a bundle.

    Args:
        model: a `.keras` or `.h5` file of Keras 2 or 3; None trains and takes the demo model.
        data: a data set name or `.npz` file.
        recipe: what to do.
        out: the folder to create.
        preprocessing: how the model is fed: fields of `Preprocessing` that are not as its card says, or, without a
            card, not as usual for the data.
        allow_unsafe: load Lambda layers, which run code from the model file.
        force: replace an existing bundle at `out`.
        fresh: start over, in place of going on where an interrupted run of the same job stopped.
        progress: told of every step.

    Raises:
        InputError: the model, the data or the recipe cannot be used.
        ConversionError: an artifact cannot be made.
        OutputError: `out` exists, or cannot be written.
    """
    check_free(out, force=force, marker=MANIFEST)
    stages = [resolve(spec, f"recipe {recipe.name}: stage[{i}]") for i, spec in enumerate(recipe.stages)]
    check_order(stages)
    plan(recipe)
    dataset = load_data(data)
    samples = min(recipe.calibration_samples, len(dataset.y_train) // 2)
    splits = split(dataset, samples)
    source = _load(model, dataset, splits, recipe, preprocessing, allow_unsafe, progress)
    fitted = _fitted(source, dataset)
    if fitted is not dataset:
        dataset, splits = fitted, split(fitted, samples)
    _check_answers(source, splits, training=bool(stages), progress=progress)
    lent = work_folder(recipe, _key(source, dataset), fresh=fresh) if stages else nullcontext(Path())
    with open_device() as desktop, lent as work:
        outcome = _run_stages(desktop, source, stages, splits, recipe, work, progress, allow_unsafe)
        with atomic_folder(out, force=force, marker=MANIFEST) as folder:
            calibration = source.card.preprocessing.apply(splits.x_calibration)
            exported = export(outcome.model, recipe, calibration, folder, source.name, progress, outcome.float_model)
            artifacts, agreement = _check(desktop, outcome, exported, source, splits, recipe, progress)
            kept = _keep_model(source, outcome, folder) if stages else ()
            manifest = _manifest(source, dataset, splits, recipe, outcome, artifacts, agreement, folder, kept)
            write_manifest(folder, manifest)
    return Bundle(out, manifest)


def _load(
    path: Path | None,
    dataset: Dataset,
    splits: Splits,
    recipe: Recipe,
    preprocessing: Mapping[str, Any] | None,
    allow_unsafe: bool,
    progress: Progress,
) -> Source:
    if path is None:
        if preprocessing:
            raise InputError(
                f"the demo model is trained on {dataset.preprocessing}: {', '.join(preprocessing)} cannot be chosen",
                "give a MODEL, or leave the option out",
            )
        return _demo(dataset, splits, recipe.seed, progress)
    card = read_card(path) if path.is_file() else None
    from edgekit.models.loader import load_model

    loaded = load_model(path, allow_unsafe=allow_unsafe, progress=progress)
    used = replace(card.preprocessing if card else dataset.preprocessing, **(preprocessing or {}))
    progress.say(f"{path.name}: {loaded.model.count_params():,} parameters; inputs are {used}")
    lineage = [*(card.lineage if card else []), loaded.source]
    return Source(
        _file_name(path.stem), loaded.model, ModelCard(used, dataset.class_names, lineage), loaded.source["sha256"]
    )


def _demo(dataset: Dataset, splits: Splits, seed: int, progress: Progress) -> Source:
    from edgekit.models.train_reference import find, train_in_memory
    from edgekit.models.training import TrainConfig

    usual = find(DEMO_MODEL)
    progress.say(f"No model given: training the demo model {DEMO_MODEL}, {usual.epochs} epochs")
    config = TrainConfig(usual.epochs, usual.batch_size, augment=usual.augment, schedule=usual.schedule, seed=seed)
    model, history = train_in_memory(DEMO_MODEL, dataset, splits, config, 1.0, progress)
    step = {"step": "train", "model": DEMO_MODEL, "data": dataset.name, **history.to_dict()}
    return Source(DEMO_MODEL, model, ModelCard(dataset.preprocessing, dataset.class_names, [step]), DEMO_MODEL)


def _file_name(stem: str) -> str:
    return re.sub(r"[^\w.-]+", "-", stem).strip(".-") or "model"


def _fitted(source: Source, dataset: Dataset) -> Dataset:
    """Return the data with the axes the model takes; raise unless it takes them and answers with their classes."""
    model = source.model
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise InputError(
            f"{source.name} has {len(model.inputs)} inputs and {len(model.outputs)} outputs",
            "edgekit compresses classifiers with one input and one output so far",
        )
    expected = tuple(model.inputs[0].shape[1:])
    taken = dataset.with_axes(len(expected))
    given = source.card.preprocessing.apply(taken.x_train[:1]).shape[1:]
    if len(expected) != len(given) or any(e is not None and e != g for e, g in zip(expected, given, strict=True)):
        raise InputError(
            f"{source.name} takes samples of shape {expected}, {dataset.name} holds {dataset.sample_shape}",
            "check --data" + (", and --layout if the model wants channels first" if len(expected) == 3 else ""),
        )
    classes = model.outputs[0].shape[-1]
    if len(model.outputs[0].shape) != 2 or classes != dataset.classes:
        raise InputError(
            f"{source.name} answers with shape {tuple(model.outputs[0].shape[1:])}, "
            f"{dataset.name} has {dataset.classes} classes"
        )
    return taken


def _key(source: Source, dataset: Dataset) -> tuple[str, ...]:
    """Return what stages depend on besides the recipe."""
    return source.key, dataset.fingerprint(), json.dumps(source.card.preprocessing.to_dict())


def _check_answers(source: Source, splits: Splits, *, training: bool, progress: Progress) -> None:
    """Look at what the model answers before any work is put into it.

    Chance accuracy is said: the inputs are usually scaled wrongly then. Stages train, which needs probabilities.
    """
    rows = stratified(splits.y_validation, min(LOOK, len(splits.y_validation)))
    x, y = source.card.preprocessing.apply(splits.x_validation[rows]), splits.y_validation[rows]
    outputs = source.model.predict(x, verbose=0)
    if training:
        check_probabilities(outputs, source.name)
    chance = np.bincount(y).max() / len(y)
    found = wilson(int((outputs.argmax(axis=1) == y).sum()), len(y))
    if found.low <= 1.5 * chance:
        progress.warn(
            f"the float model is right on only {found.value:.1%} of {len(y)} validation samples (chance {chance:.1%}) "
            f"with inputs {source.card.preprocessing}: is that how it was trained? See --scale, --mean, --std"
        )


def _run_stages(
    device: Device,
    source: Source,
    stages: list[Stage],
    splits: Splits,
    recipe: Recipe,
    work: Path,
    progress: Progress,
    allow_unsafe: bool,
) -> Outcome:
    if not stages:
        return Outcome(source.model, None, [], [])
    with tempfile.TemporaryDirectory(prefix="edgekit-effect-") as folder:
        preprocessing = source.card.preprocessing
        meter = EffectMeter(device, source.model, recipe, splits, preprocessing, Path(folder))
        return run_stages(
            source.model, stages, recipe, splits, preprocessing, meter, work, progress, allow_unsafe=allow_unsafe
        )


def _check(
    device: Device,
    outcome: Outcome,
    exported: list[Exported],
    source: Source,
    splits: Splits,
    recipe: Recipe,
    progress: Progress,
) -> tuple[list[Artifact], list[Agreement]]:
    """Run every file over the same validation samples; compare each with its Keras model, and ONNX with TFLite."""
    rows = stratified(splits.y_validation, min(recipe.check_samples, len(splits.y_validation)))
    x, y = splits.x_validation[rows], splits.y_validation[rows]
    preprocessing = source.card.preprocessing
    inputs = preprocessing.apply(x)
    reference = _outputs(FLOAT_MODEL, outcome.float_model or outcome.model, inputs)
    trained = _outputs(FAKE_QUANT_MODEL, outcome.model, inputs) if outcome.float_model else reference
    artifacts, agreement, outputs = [], [], dict[tuple[str, str], Outputs]()
    with (
        tempfile.TemporaryDirectory(prefix="edgekit-check-") as scratch,
        progress.task("checking", len(exported)) as task,
    ):
        samples = Path(scratch) / "validation.npz"
        np.savez(samples, x=x, y=y)
        for item in exported:
            if item.format == "c":
                artifacts.append(_artifact(item, (), (), None))
            else:
                info = inspect_file(item.path)
                ins, outs = _specs(info.inputs), _specs(info.outputs)
                result = run_file(device, item.path, ins[0], outs[0], samples, preprocessing, Path(scratch))
                outputs[item.format, item.scheme] = result
                agreement.append(compare(trained if of_int8(item.scheme) else reference, result))
                artifacts.append(_artifact(item, ins, outs, {"correct": result.correct, "samples": len(y)}))
            task.advance(item.path.name)
    for (format_, scheme), result in outputs.items():
        if format_ == "onnx" and ("tflite", scheme) in outputs:
            agreement.append(compare(outputs["tflite", scheme], result))
    for found in filter(None, map(doubts, agreement)):
        progress.warn(found)
    return artifacts, agreement


def _outputs(name: str, model: Any, inputs: Any) -> Outputs:
    return Outputs(name, model.predict(inputs, verbose=0).astype(np.float64), None)


def _artifact(
    item: Exported, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], validation: dict[str, Any] | None
) -> Artifact:
    return Artifact(
        file=item.path.name,
        format=item.format,
        scheme=item.scheme,
        inputs=inputs,
        outputs=outputs,
        made_by=item.made_by,
        validation=validation,
        **artifact_numbers(item.path),
    )


def _specs(tensors: tuple[TensorInfo, ...]) -> tuple[TensorSpec, ...]:
    specs = []
    for tensor in tensors:
        q = tensor.quantization
        scale, zero = (q.scale[0], q.zero_point[0]) if q else (None, None)
        specs.append(TensorSpec(tensor.name, tensor.shape, tensor.dtype, scale, zero))
    return tuple(specs)


def _keep_model(source: Source, outcome: Outcome, folder: Path) -> tuple[str, str]:
    """Save the compressed float model, to train on or to teach another, with its card; return the names of both."""
    path = folder / f"{source.name}.keras"
    card = replace(source.card, lineage=[*source.card.lineage, *outcome.lineage])
    save_model(outcome.float_model or outcome.model, path, card)
    return path.name, card_path(path).name


def _manifest(
    source: Source,
    dataset: Dataset,
    splits: Splits,
    recipe: Recipe,
    outcome: Outcome,
    artifacts: list[Artifact],
    agreement: list[Agreement],
    folder: Path,
    kept: tuple[str, ...],
) -> Manifest:
    """Write the evaluation samples, the recipe and the README, and describe everything. The test set is read here."""
    chosen = stratified(dataset.y_test, recipe.eval_samples or len(dataset.y_test))
    np.savez_compressed(folder / EVAL, x=dataset.x_test[chosen], y=dataset.y_test[chosen])
    (folder / RECIPE).write_text(recipe.to_toml(), encoding="utf-8")
    manifest = Manifest(
        name=source.name,
        recipe=recipe.name,
        seed=recipe.seed,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        edgekit=__version__,
        preprocessing=source.card.preprocessing,
        class_names=dataset.class_names,
        data={
            "name": dataset.name,
            "sha256": dataset.fingerprint(),
            "calibration": {"samples": len(splits.x_calibration)},
            "validation": {"samples": len(splits.y_validation)},
            "eval": {"samples": len(chosen), "of": len(dataset.y_test), "split": "test"},
        },
        lineage=[*source.card.lineage, *outcome.lineage],
        ledger=[entry.to_dict() for entry in outcome.ledger],
        artifacts=tuple(artifacts),
        agreement=tuple(agreement),
        files={},
        packages=_packages(),
    )
    (folder / README).write_text(readme(manifest), encoding="utf-8")
    return replace(manifest, files={name: describe_file(folder / name) for name in (EVAL, RECIPE, README, *kept)})


def _packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
