"""The register of metrics: what each measures, of which outputs, and in which unit.

A new metric is a function in `edgekit.tasks.metrics` and a line in `METRICS`. The help of `--metric`, messages, the
page `docs/metrics.md` and the check of the README come from here. Nothing heavy is imported: help texts stay quick.
"""

from __future__ import annotations

from dataclasses import dataclass

_FUNCTIONS = "edgekit.tasks.metrics"


@dataclass(frozen=True)
class Metric:
    """A metric, described.

    Attributes:
        measures: what its value is, a phrase.
        kinds: of outputs that it is for (see `edgekit.tasks.task`).
        function: `module:function`, called with outputs and labels, samples first, and the `Head`; returns a `Score`.
        unit: `%` for shares, else what stands behind the number; empty where it is that of the labels, or none.
        higher_is_better: which way is up.
        of_scores: it looks at how large values are, which class numbers do not show.
    """

    measures: str
    kinds: tuple[str, ...]
    function: str
    unit: str = ""
    higher_is_better: bool = True
    of_scores: bool = False


METRICS: dict[str, Metric] = {
    "accuracy": Metric(
        "share of right decisions",
        ("classification", "binary", "multilabel", "segmentation", "mask"),
        f"{_FUNCTIONS}:accuracy",
        unit="%",
    ),
    "top5": Metric(
        "share of samples whose class is among the five largest outputs",
        ("classification",),
        f"{_FUNCTIONS}:top5",
        unit="%",
        of_scores=True,
    ),
    "auc": Metric(
        "area under the ROC curve, of two classes or the mean over labels",
        ("classification", "binary", "multilabel"),
        f"{_FUNCTIONS}:auc",
        of_scores=True,
    ),
    "mae": Metric("mean absolute error", ("regression", "reconstruction"), f"{_FUNCTIONS}:mae", higher_is_better=False),
    "mse": Metric("mean squared error", ("regression", "reconstruction"), f"{_FUNCTIONS}:mse", higher_is_better=False),
    "miou": Metric(
        "mean intersection over union of the classes that occur",
        ("segmentation", "mask"),
        f"{_FUNCTIONS}:miou",
        unit="%",
    ),
    "map": Metric(
        "mean average precision of boxes, over overlaps from 0.50 to 0.95, as COCO has it",
        ("detection",),
        f"{_FUNCTIONS}:mean_average_precision",
        unit="%",
    ),
    "map50": Metric(
        "the same at an overlap of 0.50",
        ("detection",),
        f"{_FUNCTIONS}:mean_average_precision",
        unit="%",
    ),
    "agreement": Metric(
        "share of samples with the largest value where the float model has it",
        ("unlabelled",),
        f"{_FUNCTIONS}:agreement",
        unit="%",
    ),
    "sqnr": Metric(
        "signal-to-quantization-noise ratio to the float model or the labels",
        ("regression", "reconstruction", "unlabelled"),
        f"{_FUNCTIONS}:sqnr",
        unit="dB",
        of_scores=True,
    ),
}


def fitting(kind: str) -> str:
    """Return the names of the metrics for a kind of output, as messages list them."""
    return ", ".join(name for name, metric in METRICS.items() if kind in metric.kinds)


def help_text() -> str:
    """Return the help of `--metric`."""
    names = ", ".join(METRICS)
    return f"{names}, or your own module:function(y_true, y_pred). [default: as the labels and outputs suggest]"


def page() -> str:
    """Return the page of metrics, as Markdown."""
    rows = [
        f"| `{name}` | {metric.measures} | {metric.unit or '-'} | {'higher' if metric.higher_is_better else 'lower'} "
        f"| {', '.join(metric.kinds)} |"
        for name, metric in METRICS.items()
    ]
    head = ["| metric | measures | unit | better | outputs |", "|---|---|---|---|---|"]
    intro = "What `--metric` takes. Each comes with its 95 % interval where samples allow one."
    return "\n".join(["# Metrics", "", intro, "", *head, *rows, ""])
