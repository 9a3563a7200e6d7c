"""The main path: a model and a recipe become a bundle.

recipe -> stages -> export -> check -> bundle
"""

from __future__ import annotations

import importlib.metadata
import re
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from edgekit import __version__
from edgekit.compress.registry import resolve
from edgekit.compress.stage import ModelState, Stage, StageContext
from edgekit.config import Recipe
from edgekit.data.dataset import Dataset
from edgekit.data.loading import load_data
from edgekit.data.split import Splits, split, stratified
from edgekit.devices.device import Device, open_device
from edgekit.errors import InputError
from edgekit.export.check import Outputs, compare, doubts, run_file
from edgekit.export.exporter import Exported, export
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
from edgekit.models.saving import ModelCard, read_card
from edgekit.preprocessing import Preprocessing
from edgekit.progress import SILENT, Progress
from edgekit.stats import wilson

DEMO_MODEL = "digits-cnn"
FLOAT_MODEL = "float model"
PACKAGES = ("tensorflow", "tf_keras", "keras", "tf2onnx", "onnx", "onnxruntime", "ai-edge-litert", "numpy")


@dataclass(frozen=True)
class Source:
    """The model to compress, with what is known about it."""

    name: str
    model: Any
    card: ModelCard


def compress(
    model: Path | None,
    data: str,
    recipe: Recipe,
    out: Path,
    *,
    preprocessing: Preprocessing | None = None,
    allow_unsafe: bool = False,
    force: bool = False,
    progress: Progress = SILENT,
) -> Bundle:
    """Compress a model into a bundle.

    Args:
        model: a `.keras` or `.h5` file of Keras 2 or 3; None trains and takes the demo model.
        data: a data set name or `.npz` file.
        recipe: what to do.
        out: the folder to create.
        preprocessing: how the model is fed; by default what its card says, else what is usual for the data.
        allow_unsafe: load Lambda layers, which run code from the model file.
        force: replace an existing bundle at `out`.
        progress: told of every step.

    Raises:
        InputError: the model, the data or the recipe cannot be used.
        ConversionError: an artifact cannot be made.
        OutputError: `out` exists, or cannot be written.
    """
    check_free(out, force=force, marker=MANIFEST)
    stages = [resolve(spec, f"recipe {recipe.name}: stage[{i}]") for i, spec in enumerate(recipe.stages)]
    dataset = load_data(data)
    splits = split(dataset, min(recipe.calibration_samples, len(dataset.y_train) // 2))
    source = _load(model, dataset, splits, recipe, preprocessing, allow_unsafe, progress)
    _check_fit(source, dataset)
    final, lineage = _run_stages(source, stages, splits, recipe, progress)
    with atomic_folder(out, force=force, marker=MANIFEST) as folder, open_device() as desktop:
        calibration = source.card.preprocessing.apply(splits.x_calibration)
        exported = export(final, recipe, calibration, folder, source.name, progress)
        artifacts, agreement = _check(desktop, final, exported, source, splits, recipe, progress)
        manifest = _manifest(source, dataset, splits, recipe, lineage, artifacts, agreement, folder)
        write_manifest(folder, manifest)
    return Bundle(out, manifest)


def _load(
    path: Path | None,
    dataset: Dataset,
    splits: Splits,
    recipe: Recipe,
    preprocessing: Preprocessing | None,
    allow_unsafe: bool,
    progress: Progress,
) -> Source:
    if path is None:
        return _demo(dataset, splits, recipe.seed, progress)
    card = read_card(path) if path.is_file() else None
    from edgekit.models.loader import load_model

    loaded = load_model(path, allow_unsafe=allow_unsafe, progress=progress)
    used = preprocessing or (card.preprocessing if card else dataset.preprocessing)
    progress.say(f"{path.name}: {loaded.model.count_params():,} parameters; inputs are {used}")
    lineage = [*(card.lineage if card else []), loaded.source]
    return Source(_file_name(path.stem), loaded.model, ModelCard(used, dataset.class_names, lineage))


def _demo(dataset: Dataset, splits: Splits, seed: int, progress: Progress) -> Source:
    from edgekit.models.train_reference import find, train_in_memory
    from edgekit.models.training import TrainConfig

    usual = find(DEMO_MODEL)
    progress.say(f"No model given: training the demo model {DEMO_MODEL}, {usual.epochs} epochs")
    config = TrainConfig(usual.epochs, usual.batch_size, augment=usual.augment, schedule=usual.schedule, seed=seed)
    model, history = train_in_memory(DEMO_MODEL, dataset, splits, config, 1.0, progress)
    step = {"step": "train", "model": DEMO_MODEL, "data": dataset.name, **history.to_dict()}
    return Source(DEMO_MODEL, model, ModelCard(dataset.preprocessing, dataset.class_names, [step]))


def _file_name(stem: str) -> str:
    return re.sub(r"[^\w.-]+", "-", stem).strip(".-") or "model"


def _check_fit(source: Source, dataset: Dataset) -> None:
    """Raise unless the model takes the data's samples and answers with its classes."""
    model = source.model
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise InputError(
            f"{source.name} has {len(model.inputs)} inputs and {len(model.outputs)} outputs",
            "edgekit compresses classifiers with one input and one output so far",
        )
    expected = tuple(model.inputs[0].shape[1:])
    given = source.card.preprocessing.apply(dataset.x_train[:1]).shape[1:]
    if len(expected) != len(given) or any(e is not None and e != g for e, g in zip(expected, given, strict=True)):
        raise InputError(
            f"{source.name} takes samples of shape {expected}, {dataset.name} has {given} after preprocessing",
            "check --data, and --layout if the model wants channels first",
        )
    classes = model.outputs[0].shape[-1]
    if len(model.outputs[0].shape) != 2 or classes != dataset.classes:
        raise InputError(
            f"{source.name} answers with shape {tuple(model.outputs[0].shape[1:])}, "
            f"{dataset.name} has {dataset.classes} classes"
        )


def _run_stages(
    source: Source, stages: list[Stage], splits: Splits, recipe: Recipe, progress: Progress
) -> tuple[Any, list[dict[str, Any]]]:
    state, lineage = ModelState(source.model), list(source.card.lineage)
    if stages:
        from edgekit.backend import seed_everything

        for stage in stages:
            progress.say(f"Expect: {stage.expectation}")
        seed_everything(recipe.seed)
    with tempfile.TemporaryDirectory(prefix="edgekit-stages-") as work:
        for index, (spec, stage) in enumerate(zip(recipe.stages, stages, strict=True)):
            folder = Path(work) / f"{index}-{spec.use}"
            folder.mkdir()
            context = StageContext(splits, source.card.preprocessing, recipe.seed, progress, folder)
            state, note = stage.run(state, context)
            lineage.append({"step": spec.use, "options": dict(spec.options), "seed": recipe.seed, **note})
    return state.model, lineage


def _check(
    device: Device,
    model: Any,
    exported: list[Exported],
    source: Source,
    splits: Splits,
    recipe: Recipe,
    progress: Progress,
) -> tuple[list[Artifact], list[Agreement]]:
    """Run every file over the same validation samples; compare each with the float model, and ONNX with TFLite."""
    rows = stratified(splits.y_validation, min(recipe.check_samples, len(splits.y_validation)))
    x, y = splits.x_validation[rows], splits.y_validation[rows]
    preprocessing = source.card.preprocessing
    reference = Outputs(FLOAT_MODEL, model.predict(preprocessing.apply(x), verbose=0).astype(np.float64), None)
    _warn_if_blind(reference, y, preprocessing, progress)
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
                inputs, outs = _specs(info.inputs), _specs(info.outputs)
                result = run_file(device, item.path, inputs[0], outs[0], samples, preprocessing, Path(scratch))
                outputs[item.format, item.scheme] = result
                agreement.append(compare(reference, result))
                artifacts.append(_artifact(item, inputs, outs, {"correct": result.correct, "samples": len(y)}))
            task.advance(item.path.name)
    for (format_, scheme), result in outputs.items():
        if format_ == "onnx" and ("tflite", scheme) in outputs:
            agreement.append(compare(outputs["tflite", scheme], result))
    for found in filter(None, map(doubts, agreement)):
        progress.warn(found)
    return artifacts, agreement


def _warn_if_blind(reference: Outputs, y: Any, preprocessing: Preprocessing, progress: Progress) -> None:
    """Say so if the float model itself cannot do better than chance: then the inputs are usually scaled wrongly."""
    correct = int((reference.real.argmax(axis=1) == y).sum())
    chance = np.bincount(y).max() / len(y)
    found = wilson(correct, len(y))
    if found.low <= 1.5 * chance:
        progress.warn(
            f"the float model is right on only {found.value:.1%} of {len(y)} validation samples (chance {chance:.1%}) "
            f"with inputs {preprocessing}: is that how it was trained? See --scale, --mean, --std"
        )


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


def _manifest(
    source: Source,
    dataset: Dataset,
    splits: Splits,
    recipe: Recipe,
    lineage: list[dict[str, Any]],
    artifacts: list[Artifact],
    agreement: list[Agreement],
    folder: Path,
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
        lineage=lineage,
        artifacts=tuple(artifacts),
        agreement=tuple(agreement),
        files={},
        packages=_packages(),
    )
    (folder / README).write_text(readme(manifest), encoding="utf-8")
    return replace(manifest, files={name: describe_file(folder / name) for name in (EVAL, RECIPE, README)})


def _packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
