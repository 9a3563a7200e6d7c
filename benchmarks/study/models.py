"""Models by the stages that made them; what several rows need is trained once a seed and kept in the work folder."""

from __future__ import annotations

import gc
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.bundle.recipe import StageSpec
from edgekit.data.dataset import Dataset
from edgekit.data.split import Splits, split, stratified
from edgekit.files.whole import atomic_file, write_json
from edgekit.frameworks.tensorflow import seed_everything, tf_keras
from edgekit.models.files.saving import bare
from edgekit.models.reference.train_reference import train_in_memory
from edgekit.models.training.training import TrainConfig
from edgekit.progress import Progress
from edgekit.schema.gate import read_json
from edgekit.techniques.qat_finish import load_quantized, save_quantized
from edgekit.techniques.registry import resolve
from edgekit.techniques.stage import QUANTIZED, ModelState, StageContext

from .budgets import Budget
from .records import baseline_key, stage_key
from .rows import Row

CALIBRATION_SAMPLES = 500


def splits_of(dataset: Dataset, budget: Budget) -> Splits:
    """Return the splits of the training part, cut down to the samples that the budget allows."""
    splits = split(dataset, min(CALIBRATION_SAMPLES, len(dataset.y_train) // 2))
    train = stratified(splits.y_train, budget.train_samples or len(splits.y_train))
    validation = stratified(splits.y_validation, budget.validation_samples or len(splits.y_validation))
    return replace(
        splits,
        x_train=splits.x_train[train],
        y_train=splits.y_train[train],
        x_validation=splits.x_validation[validation],
        y_validation=splits.y_validation[validation],
    )


@dataclass
class Workshop:
    """Makes the model of a row.

    Attributes:
        dataset, splits, budget: of the study.
        work: the folder for models.
        shared: keys of models that more than one row needs, for every seed; these are kept on disk.
        progress: told of every training.
    """

    dataset: Dataset
    splits: Splits
    budget: Budget
    work: Path
    shared: frozenset[str]
    progress: Progress

    def baseline(self, seed: int) -> str:
        """Train the baseline of a seed unless it is there; return its key."""
        key = baseline_key(self.budget, self.dataset.fingerprint, seed)
        if not self._note(key).exists():
            budget = self.budget
            config = TrainConfig(
                budget.baseline, budget.batch_size, augment=budget.augment, schedule=budget.schedule, seed=seed
            )
            model, history = train_in_memory(
                budget.model, self.dataset, self.splits, config, budget.width, self.progress
            )
            self._save(key, ModelState(model), [{"step": "train", **history.to_dict()}])
        return key

    def after(self, stages: Sequence[StageSpec], seed: int) -> tuple[ModelState, list[dict[str, Any]]]:
        """Return the model after these stages and what they noted; a fresh object at every call.

        What is shared goes through its file even when it was just trained, so that a row gives the same result
        whatever ran before it in this process.
        """
        tf_keras().backend.clear_session()
        gc.collect()
        baseline = self.baseline(seed)
        keys = [baseline]
        for spec in stages:
            keys.append(stage_key(keys[-1], spec))
        done = max(i for i, key in enumerate(keys) if self._note(key).exists())
        state, lineage = self._load(keys[done])
        for index in range(done, len(stages)):
            spec = stages[index]
            seed_everything((seed + 1000003 * (index + 1)) % 2**32)
            scratch = self.work / "scratch"
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(parents=True)
            original = self._load(baseline)[0].model
            context = StageContext(self.splits, self.dataset.preprocessing, seed, self.progress, scratch, original)
            state, told = resolve(spec, f"stage {index + 1}").run(state, context)
            shutil.rmtree(scratch, ignore_errors=True)
            lineage = [*lineage, {"step": spec.use, "options": dict(spec.options), "seed": seed, **told}]
            if keys[index + 1] in self.shared:
                self._save(keys[index + 1], state, lineage)
                state, lineage = self._load(keys[index + 1])
        return state, lineage

    def _note(self, key: str) -> Path:
        return self.work / "models" / f"{key}.json"

    def _save(self, key: str, state: ModelState, lineage: list[dict[str, Any]]) -> None:
        """Write the model, then the note that makes it count."""
        if QUANTIZED in state.traits:
            with atomic_file(self._note(key).with_suffix(".h5")) as temporary:
                save_quantized(state.model, temporary)
        else:
            with atomic_file(self._note(key).with_suffix(".keras")) as temporary:
                bare(state.model).save(temporary, save_format="keras")
        write_json(self._note(key), {"traits": sorted(state.traits), "lineage": lineage})

    def _load(self, key: str) -> tuple[ModelState, list[dict[str, Any]]]:
        note = read_json(self._note(key), "note of a model")
        traits = frozenset(note["traits"])
        if QUANTIZED in traits:
            return ModelState(load_quantized(self._note(key).with_suffix(".h5")), traits), note["lineage"]
        path = str(self._note(key).with_suffix(".keras"))
        model = tf_keras().models.load_model(path, compile=False, safe_mode=False)
        return ModelState(model, traits), note["lineage"]


def shared_keys(rows: Sequence[Row], baselines: Sequence[str]) -> frozenset[str]:
    """Return the keys of models at which more than one row stops or passes by."""
    passed: Counter[str] = Counter()
    for key in baselines:
        for row in rows:
            current = key
            for spec in row.stages:
                current = stage_key(current, spec)
                passed[current] += 1
    return frozenset(key for key, count in passed.items() if count > 1)
