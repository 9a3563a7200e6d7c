"""The rows of the study, as data."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from edgekit.bundle.recipe import StageSpec
from edgekit.errors import InputError
from edgekit.techniques.registry import resolve
from edgekit.techniques.stage import check_order

from .budgets import Budget

BASELINE = "baseline"
CONTROL_ROW = "finetune"
BOTH = ("float32", "int8")
PRUNED = 0.5
"""Share of the channels that the prune stage of a sequence removes."""
STUDENT = 0.5
"""Width of the student of a sequence."""
ORDERED = 0.8
"""Share of the weights that is pruned where the order of the stages is compared."""


@dataclass(frozen=True)
class Row:
    """One line of the study.

    Attributes:
        id: unique, and fit for a file name.
        family: `baseline`, `control`, `post-training`, `qat`, `prune`, `distill`, `sequence` or `order`.
        label: for the table.
        stages: after the baseline, in order.
        schemes: of the files; `int8` after a float stage is post-training quantization.
    """

    id: str
    family: str
    label: str
    stages: tuple[StageSpec, ...]
    schemes: tuple[str, ...]

    @property
    def epochs(self) -> int:
        """All epochs of the stages, those of assistants included."""
        return sum(int(s.options["epochs"]) * (1 + int(s.options.get("assistants", 0))) for s in self.stages)

    def refusal(self) -> str:
        """Return why edgekit does not do this row, or an empty string."""
        try:
            check_order([resolve(spec, self.id) for spec in self.stages])
        except InputError as error:
            return error.message
        return ""


def rows(budget: Budget) -> list[Row]:
    """Return all rows of a study, the baseline first."""
    finetune = _stage(budget, "finetune", budget.prune, learning_rate=1e-3)
    return [
        Row(BASELINE, BASELINE, "baseline", (), ("float32",)),
        *(
            Row(f"ptq-{scheme}", "post-training", f"post-training {scheme}", (), (scheme,))
            for scheme in ("dynamic", "float16", "int8")
        ),
        Row(CONTROL_ROW, "control", "trained on, nothing compressed", (finetune,), BOTH),
        Row("qat", "qat", "quantization-aware training", (_quantize(budget, budget.quantize),), ("int8",)),
        *_pruned(budget),
        *_distilled(budget),
        *_sequences(budget),
        *_orders(budget),
    ]


def choose(known: list[Row], pattern: str) -> list[Row]:
    """Return the rows whose id or family matches one of the patterns (`*`, `?`, separated by commas), and the baseline.

    Raises:
        InputError: nothing matches.
    """
    wanted = [p.strip() for p in pattern.split(",") if p.strip()]
    found = [row for row in known if any(fnmatchcase(row.id, p) or fnmatchcase(row.family, p) for p in wanted)]
    if not found:
        families = dict.fromkeys(row.family for row in known)
        raise InputError(
            f"--only {pattern}: no row matches", f"families: {', '.join(families)}; rows: qat, prune-*, ..."
        )
    return [row for row in known if row.id == BASELINE or row in found]


def _pruned(budget: Budget) -> Iterator[Row]:
    for granularity in ("weight", "channel"):
        for scope in ("global", "local"):
            for layers in ("conv", "dense", "all"):
                for level in budget.levels:
                    yield Row(
                        prune_id(scope, granularity, layers, level),
                        "prune",
                        f"prune {level:.0%} {granularity}s, {scope}, {layers}",
                        (_prune(budget, level, budget.prune, granularity, scope, layers),),
                        BOTH,
                    )


def prune_id(scope: str, granularity: str, layers: str, level: float) -> str:
    """Return the id of a pruning row."""
    return f"prune-{scope}-{granularity}-{layers}-{100 * level:.0f}"


def _distilled(budget: Budget) -> Iterator[Row]:
    for width in budget.widths:
        for assistants in (0, 1):
            through = ", one assistant" if assistants else ""
            stages = (_distill(budget, width, budget.distill, assistants),)
            yield Row(distill_id(width, assistants), "distill", f"distil to width {width:g}{through}", stages, BOTH)


def distill_id(width: float, assistants: int) -> str:
    """Return the id of a distillation row."""
    return f"distill-{width:g}" + "-assistant" * assistants


def _sequences(budget: Budget) -> Iterator[Row]:
    distill = _distill(budget, STUDENT, budget.distill)
    prune = _prune(budget, PRUNED, budget.prune)
    quantize = _quantize(budget, budget.quantize)
    for stages, schemes in (
        ((distill, prune), BOTH),
        ((prune, quantize), ("int8",)),
        ((distill, quantize), ("int8",)),
        ((distill, prune, quantize), ("int8",)),
    ):
        names = [spec.use for spec in stages]
        yield Row("seq-" + "-".join(names), "sequence", " + ".join(names), stages, schemes)


def _orders(budget: Budget) -> Iterator[Row]:
    """Yield the six orders of three stages of as many epochs, on a model that keeps its architecture.

    Pruning is of single weights and distillation teaches the model itself, so that every order may end with the same
    sparse int8 model, and none starts from fresh weights.
    """
    epochs = budget.order
    stages = {
        "p": _prune(budget, ORDERED, epochs, "weight", "global"),
        "q": _quantize(budget, epochs),
        "d": _stage(budget, "distill", epochs, student="current", learning_rate=3e-4),
    }
    for order in itertools.permutations("pqd"):
        chosen = tuple(stages[letter] for letter in order)
        yield Row(f"order-{''.join(order)}", "order", " → ".join(spec.use for spec in chosen), chosen, ("int8",))


def _prune(
    budget: Budget,
    amount: float,
    epochs: int,
    granularity: str = "channel",
    scope: str = "local",
    layers: str = "all",
) -> StageSpec:
    options: dict[str, Any] = {"granularity": granularity, "scope": scope, "layers": layers, "amount": amount}
    if granularity == "channel":
        options["multiple_of"] = 1  # so that the share asked for is the share removed
    return _stage(budget, "prune", epochs, **options)


def _quantize(budget: Budget, epochs: int) -> StageSpec:
    return _stage(budget, "quantize", epochs)


def _distill(budget: Budget, width: float, epochs: int, assistants: int = 0) -> StageSpec:
    return _stage(budget, "distill", epochs, width=width, assistants=assistants)


def _stage(budget: Budget, use: str, epochs: int, **options: Any) -> StageSpec:
    """Return a stage that trains as all others do."""
    training = {"batch_size": budget.batch_size, "augment": budget.augment, "schedule": budget.schedule}
    return StageSpec(use, {**options, "epochs": epochs, **training})
