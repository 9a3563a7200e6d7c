"""What to try next after a large loss, as the user would type it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.bundle.ledger import Entry
from edgekit.bundle.recipe import StageSpec
from edgekit.errors.printable import visible
from edgekit.formats.tflite.exponentials import Coarse, coarse_exponentials
from edgekit.frameworks.layers.knowledge import Role
from edgekit.frameworks.layers.register import of_role
from edgekit.models.sources.source import SourceModel
from edgekit.pipeline.quality import Judged, Loss
from edgekit.schema.toml import to_toml
from edgekit.tasks.scores import score_text

Options = dict[str, Any]
"""Of a stage, as in a recipe: name to value."""
CALIBRATION = "with --calibration-method mse or percentile, or with more samples (--calibration-samples 2000)"
RECURRENT = of_role(Role.RECURRENT)
"""Layers whose state collects the rounding of every step, and that are not trained for int8."""


@dataclass(frozen=True)
class Conclusion:
    """What a run ends with.

    Attributes:
        lost: what files clearly lost against the model they come from, a sentence each.
        advice: what to try next then, as it is typed.
        large: whether so much is lost that a file is none to use.
    """

    lost: tuple[str, ...] = ()
    advice: str = ""
    large: bool = False


def conclude(
    checked: Judged,
    tested: Judged | None,
    specs: Sequence[StageSpec],
    stages: Sequence[Any],
    ledger: Sequence[Entry],
    source: SourceModel,
    coarse: Sequence[Coarse] = (),
) -> Conclusion:
    """Return what the files of a bundle lost, and what to try next.

    Args:
        checked: the files against the float model that they were made of.
        tested: after stages, the files against the source, on the test part.
        specs: the stages as written.
        stages: the same, resolved.
        ledger: the source's entry, and one a stage.
        source: the model.
        coarse: exponentials of the int8 files that lost.
    """
    of_export = {loss.file: loss for loss in checked.losses}
    of_all: dict[str, Loss] = {loss.file: loss for loss in (tested.losses if tested else ())}
    losses = [*of_all.values(), *(loss for name, loss in of_export.items() if name not in of_all)]
    if not losses:
        return Conclusion()
    worst = losses[0]
    by_export = of_export[worst.file].share if worst.file in of_export else 0.0
    if worst.advice:
        advice = worst.advice
    elif worst.file in of_all and by_export < worst.share / 2:
        advice = after_stages(specs, stages, ledger)
    elif coarse:
        advice = for_exponentials(coarse)
    else:
        trained = any(spec.use == "quantize" for spec in specs)
        recurrent = bool(source.layer_types.intersection(RECURRENT))
        advice = after_export(trainable=not source.untrainable, trained=trained, recurrent=recurrent)
    files: dict[str, list[str]] = {}
    for loss in losses:
        files.setdefault(loss.sentence, []).append(loss.file)
    sentences = tuple(f"{', '.join(names)}: {sentence}" for sentence, names in files.items())
    return Conclusion(sentences, advice, any(loss.large for loss in losses))


def limited(conclusion: Conclusion, refusal: str) -> Conclusion:
    """Return the conclusion of a run in which a limit was set for what int8 files may lose.

    Args:
        conclusion: what the files lost.
        refusal: what was tried, and how near it came; empty where a file stayed within the limit.
    """
    if refusal:
        advice = "allow more with --max-drop; or train longer (--stage quantize:epochs=20), or with more samples"
        return Conclusion((refusal, *conclusion.lost), advice, True)
    advice = "try a smaller --max-drop, or more validation samples: [check] samples in a recipe"
    return replace(conclusion, advice=advice if conclusion.lost else "")


def coarse_of_lossy(paths: Sequence[Path]) -> list[Coarse]:
    """Return the exponentials that int8 has too few steps for, of the `.tflite` files among those that lost."""
    files = [path for path in paths if path.suffix == ".tflite"]
    return [one for path in files for one in coarse_exponentials(path.read_bytes())]


def milder(use: str, stage: Any) -> Options:
    """Return options of a stage that lose less.

    Args:
        use: its name.
        stage: resolved, with all its options.
    """
    longer: Options = {"epochs": 2 * stage.epochs} if getattr(stage, "epochs", 0) else {}
    more: dict[str, Callable[[], Options]] = {
        "prune": lambda: {"amount": round(stage.amount / 2, 3)},
        "cluster": lambda: {"clusters": 2 * stage.clusters},
        "distill": lambda: {"width": min(1.0, 1.5 * stage.width)} if stage.student == "scaled" else {},
        "finetune": lambda: {"learning_rate": stage.learning_rate / 10},
        "quantize": lambda: {"learning_rate": stage.learning_rate / 10},
    }
    return {**more.get(use, dict)(), **longer}


def worst_stage(ledger: Sequence[Entry]) -> int | None:
    """Return the index of the stage after which the score fell most, from 0; None if it never fell.

    Args:
        ledger: the source's entry, and one a stage.
    """
    if len(ledger) < 2:
        return None
    sign = -1.0 if ledger[0].score.lower_is_better else 1.0
    falls = [
        sign * (before.score.interval.value - after.score.interval.value)
        for before, after in itertools.pairwise(ledger)
    ]
    worst = max(range(len(falls)), key=lambda i: falls[i])
    return worst if falls[worst] > 0 else None


def after_stages(specs: Sequence[StageSpec], stages: Sequence[Any], ledger: Sequence[Entry]) -> str:
    """Return what to try where stages lost quality: the stages again, that which lost most in a milder form.

    Args:
        specs: as written.
        stages: the same, resolved.
        ledger: the source's entry, and one a stage.
    """
    index = worst_stage(ledger)
    if index is None:
        return f"try --recipe int8, which trains nothing, {CALIBRATION}"
    spec, before, after = specs[index], ledger[index].score, ledger[index + 1].score
    options = {**spec.options, **milder(spec.use, stages[index])}
    typed = [_typed(one.use, options if number == index else one.options) for number, one in enumerate(specs)]
    lost = f"most is lost by `{spec.use}`, {score_text(before)} to {score_text(after)} on validation samples"
    other = "; or --recipe qat, which keeps every weight" if spec.use in ("prune", "cluster", "distill") else ""
    return f"try --recipe int8 {' '.join(typed)}{other} ({lost})"


def after_export(*, trainable: bool, trained: bool, recurrent: bool) -> str:
    """Return what to try where the int8 file lost quality against the float model that it is made of.

    Args:
        trainable: whether stages could be run on the model.
        trained: whether it was trained for int8.
        recurrent: whether it has recurrent layers.
    """
    if recurrent:
        return f"try --recipe dynamic (int8 weights, float activations) or --recipe int16x8; or int8 {CALIBRATION}"
    if trained:
        return "try more epochs of `quantize` (--stage quantize:epochs=10), or --recipe int16x8"
    if trainable:
        return f"try --recipe qat, which trains for int8; or int8 {CALIBRATION}; or --recipe int16x8"
    return f"try int8 {CALIBRATION}; or --recipe all-schemes, whose other files lose less"


def for_exponentials(coarse: Sequence[Coarse]) -> str:
    """Return what to do about exponentials that int8 has too few steps for.

    Args:
        coarse: at least one.
    """
    first = max(coarse, key=lambda each: each.step)
    name = "" if first.name.isdecimal() else f" `{visible(first.name)}`"  # the converter numbers what it merged
    others = f" (one of {len(coarse)})" if len(coarse) > 1 else ""
    return (
        f"an exponential{name}{others} reaches {first.largest:.4g}, in int8 steps of "
        f"{first.step:.3g}, which hide what it is of: write it so that it stays below 1, such as softplus as "
        "max(x, 0) + log(1 + exp(-abs(x))), or use Keras's own activation; or try --recipe int16x8"
    )


def _typed(use: str, options: Any) -> str:
    given = ",".join(f"{key}={_value(value)}" for key, value in options.items())
    return visible(f"--stage {use}:{given}" if given else f"--stage {use}")


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else str(to_toml(value))
