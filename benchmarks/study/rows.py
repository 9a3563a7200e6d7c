"""The rows of the study, as data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from edgekit.compress.registry import resolve
from edgekit.config import StageSpec
from edgekit.errors import InputError
from edgekit.stages import check_order

from .budgets import Budget

BASELINE = "baseline"
CONTROL_ROW = "finetune"
BOTH = ("float32", "int8")
PRUNED = 0.5
"""Share of the channels that the prune stage of a sequence removes."""
STUDENT = 0.5
"""Width of the student of a sequence."""


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

    def refusal(self) -> str:
        """Return why edgekit does not do this row, or an empty string."""
        try:
            check_order([resolve(spec, self.id) for spec in self.stages])
        except InputError as error:
            return error.message
        return ""


def rows(budget: Budget) -> list[Row]:
    """Return all rows of a study, the baseline first."""
    finetune = StageSpec("finetune", {"epochs": budget.prune, "learning_rate": 1e-3, "batch_size": budget.batch_size})
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
    """Yield the six orders, and prune, quantize and distil of the model itself with distillation first.

    Every stage has the same number of epochs, and all end with the same architecture: where a fresh student of width
    `STUDENT` comes first, `PRUNED` of its channels go; elsewhere as many channels go at once as those two remove.
    """
    epochs = budget.order
    quantize, teach = _quantize(budget, epochs), _teach(budget, epochs)
    fresh = _distill(budget, STUDENT, epochs)
    prune_rest = _prune(budget, PRUNED, epochs)
    prune_once = _prune(budget, 1 - STUDENT * (1 - PRUNED), epochs)
    for name, stages in (
        ("pqd", (prune_once, quantize, teach)),
        ("pdq", (prune_once, teach, quantize)),
        ("dpq", (fresh, prune_rest, quantize)),
        ("dpq-self", (teach, prune_once, quantize)),
        ("dqp", (fresh, quantize, prune_rest)),
        ("qpd", (quantize, prune_once, teach)),
        ("qdp", (quantize, teach, prune_once)),
    ):
        label = " → ".join(spec.use for spec in stages)
        own = " (teaching the model itself)" if name == "dpq-self" else ""
        yield Row(f"order-{name}", "order", label + own, stages, ("int8",))


def _prune(
    budget: Budget,
    amount: float,
    epochs: int,
    granularity: str = "channel",
    scope: str = "local",
    layers: str = "all",
) -> StageSpec:
    # Channels in multiples of 1, so that the share asked for is the share removed.
    options = {"granularity": granularity, "scope": scope, "layers": layers, "amount": amount, "multiple_of": 1}
    return StageSpec("prune", {**options, "epochs": epochs, "batch_size": budget.batch_size})


def _quantize(budget: Budget, epochs: int) -> StageSpec:
    return StageSpec("quantize", {"epochs": epochs, "batch_size": budget.batch_size})


def _distill(budget: Budget, width: float, epochs: int, assistants: int = 0) -> StageSpec:
    options = {"width": width, "assistants": assistants, "epochs": epochs, "batch_size": budget.batch_size}
    return StageSpec("distill", options)


def _teach(budget: Budget, epochs: int) -> StageSpec:
    options = {"student": "current", "epochs": epochs, "learning_rate": 3e-4, "batch_size": budget.batch_size}
    return StageSpec("distill", options)
