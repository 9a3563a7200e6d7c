"""What files lost, on which samples that is told, and what is said about it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgekit.bundle.ledger import Entry
from edgekit.bundle.manifest import Bundle, Manifest
from edgekit.bundle.recipe import StageSpec
from edgekit.data.dataset import build
from edgekit.data.split import split
from edgekit.measuring.agreement import Outputs
from edgekit.pipeline.advice import Conclusion, after_stages, conclude
from edgekit.pipeline.quality import Part, described, judge, part_to_check
from edgekit.reporting.bundle_table import bundle_table
from edgekit.tasks.metrics import Score
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.task import Head, Task
from edgekit.techniques.registry import resolve

RNG = np.random.default_rng(0)
N = 1000
Y = RNG.integers(0, 4, N)
SCORES = 3.0 * np.eye(4)[Y]
VALUES = RNG.normal(0, 1, (N, 2))


def outputs(name: str, real: Any) -> Outputs:
    return Outputs(name, (np.asarray(real, np.float64),), (None,))


def wrong(count: int, agreeing: int = 0) -> Any:
    """Return scores that are wrong for some samples; others are wrong in the float model, too."""
    found = SCORES.copy()
    found[:count] = np.roll(found[:count], 1, axis=1)
    found[N - agreeing :] = np.roll(found[N - agreeing :], 1, axis=1)
    return found


@pytest.mark.parametrize(
    ("head", "truth", "before", "after", "lost", "large"),
    [
        (Head("y", "classification"), Y, SCORES, wrong(35), True, False),  # 3.5 points
        (Head("y", "classification"), Y, SCORES, wrong(8), False, False),
        (Head("y", "classification"), Y, wrong(0, 200), wrong(4, 200), False, False),
        (Head("y", "classification"), Y, SCORES, wrong(234), True, True),
        (Head("y", "classification"), Y, wrong(234), SCORES, False, False),  # better
        (Head("y", "classification", indices=True), Y, Y, np.where(np.arange(N) < 300, 9, Y), True, True),
        (Head("y", "regression", "mae"), VALUES, VALUES + 0.01, VALUES + 0.02, False, False),
        (Head("y", "regression", "mae"), VALUES, VALUES + 0.01, VALUES + 0.1, True, False),
        (Head("y", "regression", "mae"), VALUES, VALUES + 0.01, VALUES * 0, True, True),
        (Head("y", "unlabelled", "sqnr"), VALUES, VALUES, VALUES * 1.1, False, False),
        (Head("y", "unlabelled", "sqnr"), VALUES, VALUES, VALUES * 1.5, True, False),
        (Head("y", "unlabelled", "sqnr"), VALUES, VALUES, -VALUES, True, True),
        (Head("y", "unlabelled", "agreement"), SCORES, SCORES, wrong(100), True, False),
        (Head("y", "classification"), Y, SCORES, SCORES * np.nan, True, True),
    ],
)
def test_losses(head: Head, truth: Any, before: Any, after: Any, lost: bool, large: bool) -> None:
    found = judge(Part("test", None, None), outputs("m", before), [outputs("f", after)], (truth,), Task((head,)))
    assert [loss.large for loss in found.losses] == [large] * lost
    assert not lost or "on 1000 test samples" in found.losses[0].sentence


def test_few_samples_prove_no_loss() -> None:
    head = Head("y", "classification")
    found = judge(
        Part("test", None, None), outputs("m", SCORES[:20]), [outputs("f", wrong(1)[:20])], (Y[:20],), Task((head,))
    )
    assert found.losses == ()


def entry(stage: str, correct: int) -> Entry:
    return Entry(stage, "int8", "0" * 64, Score.of_count(correct, N), 1, 1, 1, 1, 0.0, {}, None, 0.0)


def test_what_to_try_is_typed_as_it_stands() -> None:
    specs = [StageSpec("prune", {"granularity": "channel", "amount": 0.5}), StageSpec("quantize", {"epochs": 5})]
    stages = [resolve(spec, "r") for spec in specs]
    ledger = [entry("source", 817), entry("prune", 600), entry("quantize", 583)]
    text = after_stages(specs, stages, ledger)
    assert "--stage prune:granularity=channel,amount=0.25,epochs=10 --stage quantize:epochs=5" in text
    assert "`prune`, 81.70 %" in text
    part, task = Part("test", None, None), Task((Head("y", "classification"),))
    tested = judge(part, outputs("m", SCORES), [outputs("a", wrong(234)), outputs("b", wrong(234))], (Y,), task)
    checked = judge(part, outputs("m", wrong(234)), [outputs("a", wrong(234))], (Y,), task)
    source: Any = SimpleNamespace(layer_types={"Dense"}, untrainable="")
    found = conclude(checked, tested, specs, stages, ledger, source)
    assert found.large
    assert len(found.lost) == 1
    assert found.lost[0].startswith("a, b: accuracy 76.60 %")
    assert "prune:" in found.advice
    of_export = conclude(tested, None, [], [], [], source)
    assert "--recipe qat" in of_export.advice
    assert "percentile" in of_export.advice
    recurrent: Any = SimpleNamespace(layer_types={"LSTM", "Dense"}, untrainable="")
    assert conclude(tested, None, [], [], [], recurrent).advice.startswith("try --recipe dynamic")
    file: Any = SimpleNamespace(layer_types=set(), untrainable="a file")
    assert "all-schemes" in conclude(tested, None, [], [], [], file).advice
    assert conclude(checked, None, [], [], [], source) == Conclusion()
    trained = conclude(tested, tested, specs, stages, ledger, source)
    assert "--stage quantize:epochs=10" in trained.advice  # the float file is as good as ever


def test_a_model_is_judged_on_samples_that_it_has_not_seen() -> None:
    data = build("d", {"x_train": VALUES, "y_train": Y, "x_test": VALUES[:50] + 9, "y_test": Y[:50]}, "d.npz")
    splits = split(data, 10)
    assert part_to_check(splits, data, 30, trains=False).name == "test"
    assert part_to_check(splits, data, 30, trains=False).x.min() > 3
    assert part_to_check(splits, data, 30, trains=True).x.max() < 5


def manifest(lineage: list[dict[str, Any]], **data: Any) -> Manifest:
    score = {"correct": 80, "samples": 100}
    artifact = {"file": "m.tflite", "format": "tflite", "scheme": "float32", "sha256": "0" * 64, "bytes": 9,
                "gzip_bytes": 9, "inputs": [], "outputs": [], "made_by": "us", "validation": score}  # fmt: skip
    agreement = {"reference": "float model", "other": "m.tflite", "samples": 100, "top1": 1.0, "max_abs": 0.1,
                 "max_steps": None, "sqnr_db": 30.0}  # fmt: skip
    value = {"schema": 1, "name": "m", "recipe": "r", "seed": 0, "created": "", "edgekit": "1", "class_names": [],
             "preprocessing": Preprocessing().to_dict(), "data": {"name": "d", **data},
             "lineage": lineage, "ledger": [],
             "artifacts": [artifact], "agreement": [agreement], "files": {}}  # fmt: skip
    return Manifest.from_dict(value, "m")


def test_the_table_says_which_samples() -> None:
    def table(lineage: list[dict[str, Any]], **data: Any) -> str:
        return bundle_table(Bundle(Path("b"), manifest(lineage, **data)))

    old = table([])
    assert "val accuracy" in old
    assert "on 100 validation samples" in old
    new = table([], check={"samples": 100, "split": "test"}, held_out=True)
    assert "test accuracy" in new
    assert "val accuracy" not in new
    assert "has seen it, too" in new
    scores = {"m.tflite": {"correct": 72, "samples": 100}, "source model": {"correct": 73, "samples": 100}}
    trained = {"check": {"samples": 100, "split": "validation"}, "test": {"samples": 100, "scores": scores}}
    both = table([], **trained)
    assert "72.00 %" in both
    assert "the source model's 73.00 %" in both
    assert "may have been trained on" in both
    assert "may have been trained on" not in table([{"step": "train", "data": "d"}], **trained)
    head = Task((Head("y", "classification"),))
    found = judge(Part("test", None, None), outputs("m", SCORES), [outputs("m.tflite", SCORES)], (Y,), head)
    data: Any = SimpleNamespace(held_out=False)
    kept = manifest([], **described(found, found, data))
    assert Manifest.from_dict(kept.to_dict(), "m").data["test"]["scores"]["m.tflite"]["correct"] == N
