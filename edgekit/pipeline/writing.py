"""What a bundle holds beside its artifacts: the compressed model, evaluation samples, recipe, README and manifest."""

from __future__ import annotations

import importlib.metadata
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from edgekit.bundle.manifest import EVAL, README, RECIPE, Manifest, describe_file, write_manifest
from edgekit.data.split import sample
from edgekit.data.stored import write_samples
from edgekit.errors import ConversionError
from edgekit.formats.reading import inspect_file
from edgekit.models.files.saving import ModelCard, card_path, save_keras3, save_model
from edgekit.pipeline.job import Job
from edgekit.pipeline.quality import Judged, described
from edgekit.pipeline.readme import readme
from edgekit.pipeline.stages import Outcome
from edgekit.pipeline.verification import Verified
from edgekit.schema.versions import WRITER
from edgekit.tasks.samples import NamedArrays, Samples

PACKAGES = ("tensorflow", "tf_keras", "keras", "tf2onnx", "onnx", "onnxruntime", "ai-edge-litert", "numpy")


def write_bundle(job: Job, outcome: Outcome, verified: Verified, tested: Judged | None, folder: Path) -> Manifest:
    """Write everything but the artifacts; return the manifest, which describes them all.

    Args:
        job: the run.
        outcome: what the stages made.
        verified: the artifacts.
        tested: after stages, the artifacts on the test part.
        folder: of the bundle.
    """
    evaluated = _write_samples(job, folder)
    kept = _keep_model(job, outcome, folder) if outcome.lineage else ()
    (folder / RECIPE).write_text(job.recipe.to_toml(), encoding="utf-8")
    manifest = _manifest(job, outcome, verified, tested, evaluated)
    operators = {
        name for a in verified.artifacts if a.format == "tflite" for name in inspect_file(folder / a.file).operators
    }
    (folder / README).write_text(readme(manifest, operators), encoding="utf-8")
    manifest = replace(manifest, files={name: describe_file(folder / name) for name in (EVAL, RECIPE, README, *kept)})
    write_manifest(folder, manifest)
    return manifest


def _write_samples(job: Job, folder: Path) -> int:
    """Write the evaluation samples, of the test part, which is read here; return how many."""
    dataset, total = job.dataset, len(job.dataset.x_test)
    chosen = sample(dataset.y_test, total, job.recipe.eval_samples or total)
    x, y = dataset.x_test[chosen], None if dataset.y_test is None else dataset.y_test[chosen]
    if job.task.main.kind == "unlabelled":
        y = _predicted_labels(job, x)
    write_samples(folder / EVAL, x, y, compressed=True)
    return len(chosen)


def _predicted_labels(job: Job, x: Samples) -> Samples:
    """Return the float model's outputs as labels."""
    arrays = [output.astype(np.float32) for output in job.source.model.predict(job.preprocessing.apply(x))]
    if len(arrays) == 1:
        return arrays[0]
    return NamedArrays({head.name: array for head, array in zip(job.task.heads, arrays, strict=True)})


def _keep_model(job: Job, outcome: Outcome, folder: Path) -> tuple[str, ...]:
    """Save the compressed float model, to train on or to teach another, with its card; return the names of the files.

    A model that came from Keras 3 goes back there, too.
    """
    source = job.source
    model, path = outcome.float_model or outcome.model, folder / f"{source.name}.keras"
    card = ModelCard(job.preprocessing, job.dataset.class_names, [*source.lineage, *outcome.lineage])
    save_model(model, path, card)
    kept = [path]
    if source.generation == 3:
        again = folder / f"{source.name}-keras3.keras"
        try:
            save_keras3(model, again, card, job.progress)
            kept.append(again)
        except ConversionError as error:
            job.progress.warn(f"no Keras 3 file of the compressed model: {error.message}", "no-keras3-model")
    return tuple(name for file in kept for name in (file.name, card_path(file).name))


def _manifest(job: Job, outcome: Outcome, verified: Verified, tested: Judged | None, evaluated: int) -> Manifest:
    """Describe everything; the files beside the artifacts are yet to come."""
    dataset, source, splits = job.dataset, job.source, job.splits
    return Manifest(
        name=source.name,
        recipe=job.recipe.name,
        seed=job.recipe.seed,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        edgekit=WRITER,
        preprocessing=job.preprocessing,
        class_names=dataset.class_names,
        task=job.task,
        data={
            "name": dataset.name,
            "sha256": dataset.fingerprint,
            "calibration": {"samples": len(splits.x_calibration)},
            "validation": {"samples": len(splits.x_validation)},
            "eval": {"samples": evaluated, "of": len(dataset.x_test), "split": "test"},
            **described(verified.judged, tested, dataset),
        },
        lineage=[*source.lineage, *outcome.lineage],
        ledger=tuple(outcome.ledger),
        artifacts=tuple(verified.artifacts),
        agreement=tuple(verified.agreement),
        files={},
        packages=_packages(),
    )


def _packages() -> dict[str, str]:
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions
