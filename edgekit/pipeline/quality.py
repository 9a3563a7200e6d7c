"""How much quality the files of a bundle lost against the model they come from: paired, on the same samples.

Which samples are fair: a model that was trained elsewhere has mostly seen all of x_train, and validation samples are
cut from it. So files are judged on the test part where no stage trains, and once more on the test part at the end where
stages train and choose their epochs by validation samples. No choice looks at the test part.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekit.bundle.manifest import Artifact, JudgedOn
from edgekit.data.dataset import Dataset
from edgekit.data.split import Splits, sample
from edgekit.data.stored import write_samples
from edgekit.devices.device import Device
from edgekit.files.temporary import temporary_folder
from edgekit.measuring.agreement import Outputs, compare
from edgekit.measuring.core import run_file
from edgekit.pipeline.check import answers
from edgekit.pipeline.job import Job
from edgekit.schema.types import JsonObject
from edgekit.stats import Interval, mean_interval, sqnr_db
from edgekit.tasks.channels import MOST_OF_LIKE, SPLIT, SPLIT_BOXES, channels_of
from edgekit.tasks.metrics import decisions, picks, scores_form
from edgekit.tasks.samples import Array, Samples
from edgekit.tasks.scores import score_text
from edgekit.tasks.scoring import judged, labels, score, scores
from edgekit.tasks.task import SIGMOID, SOFTMAX, VALUES, Head, Task

SOURCE = "source model"
CLEAR, LARGE = 0.01, 0.10
"""Share of the samples: a loss is mentioned from 1 point on, and a bundle with 10 points is none to use."""
CLEAR_ERROR, LARGE_ERROR = 0.02, 0.25
"""The same of values, as a share of the error that their mean would make as a guess."""
CLEAR_NOISE, LARGE_NOISE = 10 ** (-10 / 20), 10 ** (-3 / 20)
"""The same of values without labels, as noise to signal: 10 and 3 dB."""
VARIES = 0.01
"""A channel whose own variation is less than this share of its largest value may be one that is not used."""


@dataclass(frozen=True)
class Part:
    """Samples that files are judged on.

    Attributes:
        name: `test` or `validation`.
        x, y: as stored; y is None without labels.
    """

    name: str
    x: Samples
    y: Samples | None


@dataclass(frozen=True)
class Loss:
    """What a file lost.

    Attributes:
        file: its name.
        sentence: both numbers, without the name.
        share: of what there was to lose.
        large: whether the file is none to use.
        advice: what helps, where that is known already.
    """

    file: str
    sentence: str
    share: float
    large: bool
    advice: str = ""


@dataclass(frozen=True)
class Judged:
    """Files and the model that they come from, judged on the same samples.

    Attributes:
        part: what the samples are.
        samples: how many.
        scores: by the name of the file, and of `SOURCE`; the JSON form of a score.
        losses: of files that lost clearly, the largest first.
    """

    part: str
    samples: int
    scores: JsonObject
    losses: tuple[Loss, ...]


def part_to_check(splits: Splits, dataset: Dataset, count: int, *, trains: bool) -> Part:
    """Return the samples that files are run on for the table: validation where stages train, else test.

    Args:
        splits: of the training part.
        dataset: that they are of.
        count: how many samples, at most.
        trains: whether a stage trains.
    """
    if trains:
        return _part("validation", splits.x_validation, splits.y_validation, count)
    return _part("test", dataset.x_test, dataset.y_test, count)


def _part(name: str, x: Samples, y: Samples | None, count: int) -> Part:
    rows = sample(y, len(x), count)
    return Part(name, x[rows], None if y is None else y[rows])


def judge(
    part: Part, reference: Outputs, files: Iterable[Outputs], truth: Sequence[Array], task: Task, name: str = SOURCE
) -> Judged:
    """Return scores and losses of files that were run on the same samples as the model they come from.

    Args:
        part: what the samples are.
        reference: outputs of the model.
        files: outputs of the files.
        truth: of every output what it is scored against.
        task: what the outputs are for.
        name: of the model, for messages.
    """
    several = list(files)
    outputs = {SOURCE: reference.real} | {f.name: f.real for f in several}
    by_name = {name: scores_form(scores(real, truth, task)) for name, real in outputs.items()}
    losses = [loss for f in several if (loss := _loss(part.name, reference, f, truth, task, name)) is not None]
    losses.sort(key=lambda loss: (not loss.large, -loss.share))
    return Judged(part.name, len(reference.real[0]), by_name, tuple(losses))


def judge_on_test(job: Job, device: Device, artifacts: Sequence[Artifact], folder: Path) -> Judged:
    """Run the final files and the source on the test part, once, for the report.

    Args:
        job: the run.
        device: the machine that runs files.
        artifacts: of the bundle.
        folder: that holds them.
    """
    task, how = job.task, job.preprocessing
    part = _part("test", job.dataset.x_test, job.dataset.y_test, job.recipe.check_samples)
    real = answers(job.source.model.model, how.apply(part.x))
    truth = real if task.main.kind == "unlabelled" else labels(task, part.x, part.y, how)
    with temporary_folder("test") as scratch:
        samples = scratch / "test.npz"
        write_samples(samples, part.x)
        files = [
            run_file(device, folder / a.file, a.inputs, a.outputs, samples, how, task, scratch)
            for a in artifacts
            if a.format != "c"
        ]
    return judge(part, Outputs(SOURCE, real, (None,) * len(real)), files, truth, task)


def _loss(part: str, reference: Outputs, file: Outputs, truth: Sequence[Array], task: Task, name: str) -> Loss | None:
    clear_drops = []
    models, files = judged(reference.real, task), judged(file.real, task)
    for index, head in enumerate(task.scored):
        before, after, y = models[index], files[index], truth[index]
        for channel, (a, b, t) in _parts(before, after, y, head):
            drop, clear, large = _drop(a, b, t, head)
            certain = math.isnan(drop.low) or drop.low > 0
            if certain and drop.value >= clear and (channel < 0 or drop.value >= large):
                severe = drop.value >= large and not drop.low < large / 2
                clear_drops.append((severe, drop.value, index, channel))
    if not clear_drops:
        return None
    severe, share, index, channel = max(clear_drops)
    if channel >= 0 and not any(other < 0 for *_, other in clear_drops):
        lost = f"channel {channel} of output {task.heads[index].name}"
        return Loss(file.name, f"{lost} is hardly better than a constant on {len(truth[index])} {part} samples", share,
                    severe, SPLIT)  # fmt: skip
    head = task.heads[index]
    of = f" of output {head.name}" if len(task.scored) > 1 else ""
    first, last = (score(o[index], truth[index], head) for o in (models, files))
    sentence = f"{last.metric.rpartition(':')[2]} {score_text(last)}{of} on {last.samples} {part} samples"
    advice = ""
    if task.detection is not None and (ruined := _ruined(reference, file, task)):
        sentence, advice = f"{ruined}; {sentence}", SPLIT_BOXES
    if head.kind != "unlabelled":
        sentence += f", of the {name} {score_text(first)}"
    return Loss(file.name, sentence, share, severe, advice)


def _ruined(reference: Outputs, file: Outputs, task: Task) -> str:
    """Return which parts of a detector's only output share a scale that leaves nothing of one; empty if none does."""
    lost = compare(reference, file, task).lost if len(file.real) == 1 and file.steps[0] else ()
    channels = [str(one.channel) for one in lost]
    return f"channels {', '.join(channels)} of output {task.main.name} are lost in its one scale" if lost else ""


def _parts(before: Array, after: Array, y: Array, head: Head) -> Iterator[tuple[int, tuple[Array, Array, Array]]]:
    """Yield an output as a whole, called -1, and where its last axis holds kinds of values, each by itself."""
    if head.kind == "detection":
        yield -1, (before, after, y)
        return
    after = after.reshape(before.shape)
    yield -1, (before, after, y)
    if head.kind in ("regression", "unlabelled") and before.shape == y.shape:
        columns = channels_of(before, head)
        for channel in range(columns.shape[1]) if columns is not None and columns.shape[1] <= MOST_OF_LIKE else ():
            one = before[..., channel]
            mean, spread = float(one.mean()), float(one.std())
            if spread >= VARIES * max(0.1, float(np.abs(one).max())):
                yield channel, (one - mean, after[..., channel] - mean, y[..., channel] - mean)


def _drop(before: Array, after: Array, y: Array, head: Head) -> tuple[Interval, float, float]:
    """Return what was lost, and from where on that is clear and large. Behind it a paired interval, if there is one."""
    if not np.isfinite(after).all():
        return (Interval(1.0, 1.0, 1.0) if np.isfinite(before).all() else Interval(0.0, 0.0, 0.0)), CLEAR, LARGE
    if head.kind == "detection":
        from edgekit.tasks.detection.precision import OVERLAPS, difference, matches

        return difference(matches(before, y), matches(after, y), OVERLAPS.get(head.metric, slice(None))), CLEAR, LARGE
    if head.kind in SOFTMAX | SIGMOID:
        right = [(decisions(o, head).reshape(y.shape) == y).reshape(len(y), -1).mean(axis=1) for o in (before, after)]
        return mean_interval(right[0] - right[1]), CLEAR, LARGE
    if head.kind in VALUES:
        wrong = [np.abs(o.reshape(y.shape) - y).reshape(len(y), -1).mean(axis=1) for o in (before, after)]
        guess = float(np.abs(y - y.mean(axis=0)).mean())
        if guess == 0:
            return Interval(0.0, 0.0, 0.0), CLEAR_ERROR, LARGE_ERROR
        return mean_interval((wrong[1] - wrong[0]) / guess), CLEAR_ERROR, LARGE_ERROR
    if head.metric == "agreement":
        same = (picks(before, head) == picks(after, head)).reshape(len(before), -1).mean(axis=1)
        return mean_interval(1 - same), 0.05, 0.20
    ratio = sqnr_db(before, after)
    noise = 0.0 if ratio == math.inf else 10 ** (-ratio / 20)
    return Interval(noise, math.nan, math.nan), CLEAR_NOISE, LARGE_NOISE


def described(checked: Judged, tested: Judged | None, dataset: Dataset) -> JudgedOn:
    """Return what the manifest's `data` holds of the samples that files were judged on.

    Args:
        checked: on what the table and the agreement are.
        tested: after training stages, the files on the test part.
        dataset: whose test part may have been cut from the only samples there are.
    """
    parts: JudgedOn = {"check": {"samples": checked.samples, "split": checked.part}}
    if tested is not None:
        parts["test"] = {"samples": tested.samples, "split": "test", "scores": tested.scores}
    if dataset.held_out:
        parts["held_out"] = True
    return parts
