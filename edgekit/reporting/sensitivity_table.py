"""The layer table as text: what int8 does in every layer, which one breaks the file, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgekit.bundle.sensitivity import FINE_DB, STANDS_OUT_DB, Layer, Sensitivity
from edgekit.errors.printable import lines, visible
from edgekit.reporting.model_page import short
from edgekit.tasks.scores import brief_text
from edgekit.text.columns import PLAIN, Column, Look, Value, render, values

ROWS = 10
"""Rows of the table where nobody says how many."""
_NAME = 22
_INSIDE = re.compile(r"(/(BiasAdd|ReadVariableOp|Conv[123]D|MatMul|depthwise|Squeeze)_?\d*)+$")
"""How TensorFlow ends the name of what a layer with weights computes."""
_MANY, _FEW, _NARROW = 8.0, 0.25, 0.1
"""Outliers from this factor on, a range used below this share, this share of narrow channels are named as causes."""
_FINER = "; finer steps may help: `--calibration-method percentile`, or of a Keras model `--normalize-outside`"
_HALF = 0.5
"""Share of the noise above which one cause is named alone."""


@dataclass(frozen=True)
class Row:
    """What a column may use.

    Attributes:
        layer: the layer.
        name: as it is shown.
        others: likewise, of those that were reverted with it.
    """

    layer: Layer
    name: str
    others: tuple[str, ...]


def _db(of: Callable[[Layer], float | None], none: str = "-") -> tuple[Callable[[Row], str], Callable[[Row], Value]]:
    """Return the text and the value of a ratio in dB."""

    def text(row: Row) -> str:
        ratio = of(row.layer)
        return none if ratio is None else f"{ratio:.1f}"

    return text, lambda row: of(row.layer)


def _share(of: Callable[[Layer], float | None]) -> tuple[Callable[[Row], str], Callable[[Row], Value]]:
    """Return the text and the value of a share."""

    def text(row: Row) -> str:
        share = of(row.layer)
        return "-" if share is None else f"{share:.0%}"

    return text, lambda row: of(row.layer)


def _own(row: Row) -> str:
    ratio = row.layer.output_sqnr_db
    return "exact" if row.layer.exact else "-" if ratio is None else f"{ratio:.1f}"


def _gain(row: Row) -> str:
    return "-" if row.layer.gain_db is None else f"{row.layer.gain_db:+.1f}"


def _outliers(row: Row) -> str:
    return "-" if row.layer.outliers is None else f"{row.layer.outliers:.3g}x"


def _with(row: Row) -> str:
    return "-" if row.layer.gain_db is None else ", ".join(row.others) or "alone"


def _with_brief(row: Row) -> str:
    others = len(row.others)
    return "-" if row.layer.gain_db is None else f"+{others}" if others else "alone"


COLUMNS: tuple[Column[Row], ...] = (
    Column(
        "name", "layer", "", 1, "The operator, by the name of its output in the file.",
        lambda row: row.name, lambda row: row.layer.name, brief=lambda row: short(row.name, _NAME), left=True,
    ),
    Column(
        "kind", "operator", "", 5, "What it computes.",
        lambda row: row.layer.kind, lambda row: row.layer.kind, left=True,
        brief=lambda row: short(row.layer.kind, 17),
    ),
    Column(
        "rank", "rank", "", 14, "Its place in the order in which layers are best reverted; null: nothing to gain.",
        lambda row: "-" if row.layer.rank is None else str(row.layer.rank), lambda row: row.layer.rank,
    ),
    Column(
        "gain_db", "gain dB", "dB", 1,
        "What output SQNR gains with the layer in float, measured on the file; of the first candidates only.",
        _gain, lambda row: row.layer.gain_db,
    ),
    Column(
        "others", "with", "layers", 6,
        "Layers that were reverted with it, which read its output: a range is cured only where both ends are float.",
        _with, lambda row: len(row.others), brief=_with_brief, left=True,
    ),
    Column(
        "noise_share", "noise", "share", 2,
        "Of the noise at the outputs, what rounding the layer's weights and outputs makes, about: from one pass.",
        *_share(lambda layer: layer.noise_share),
    ),
    Column(
        "output_sqnr_db", "SQNR dB", "dB", 3,
        "Its output's values against the same rounded and clipped to int8, by themselves; `exact`: nothing is rounded.",
        _own, lambda row: row.layer.output_sqnr_db,
    ),
    Column(
        "acting_weights_sqnr_db", "weights dB", "dB", 4,
        "Its output against the noise that rounding its weights makes there, about.",
        *_db(lambda layer: layer.acting_weights_sqnr_db),
    ),
    Column(
        "worst_channel_sqnr_db", "worst channel dB", "dB", 12,
        "Its weights against the same in int8, by themselves, of the channel that comes off worst.",
        *_db(lambda layer: layer.worst_channel_sqnr_db),
    ),
    Column(
        "weights_sqnr_db", "all channels dB", "dB", 13, "The same of all its weights.",
        *_db(lambda layer: layer.weights_sqnr_db),
    ),
    Column(
        "accumulated_sqnr_db", "so far dB", "dB", 9,
        "Its output in the float file against the int8 file's, with all that came before; it falls along the net.",
        *_db(lambda layer: layer.accumulated_sqnr_db, "equal"),
    ),
    Column(
        "range_used", "range used", "share", 8,
        "Share of the 256 steps of its output that the middle 99.8 % of the values span.",
        *_share(lambda layer: layer.range_used),
    ),
    Column(
        "outliers", "outliers", "ratio", 7,
        "Largest magnitude of its output over the magnitude that 99.9 % of the values do not exceed.",
        _outliers, lambda row: row.layer.outliers,
    ),
    Column(
        "narrow_channels", "narrow", "share", 7, "Share of its output's channels that vary, but by less than 2 steps.",
        *_share(lambda layer: layer.narrow_channels),
    ),
    Column(
        "reverting_bytes", "bytes", "bytes", 11, "What the file grows by with the layer in float, and float32 weights.",
        lambda row: f"{row.layer.reverting_bytes:+,}", lambda row: row.layer.reverting_bytes,
    ),
)  # fmt: skip


def sensitivity_table(found: Sensitivity, look: Look = PLAIN, top: int = ROWS, whole: str = "--top 0") -> str:
    """Return the table, the layer that is best reverted first, and what follows from it.

    Args:
        found: the layers.
        look: where it is shown.
        top: rows at most; 0: all.
        whole: how to see all of them.
    """
    ranked = found.ranked
    shown = rows(found, ranked[: top or None])
    left = len(ranked) - len(shown)
    more = f"\n{left} more layer{'s' * (left != 1)}: {whole}" if left else ""
    return f"{render(COLUMNS, shown, look)}{more}\n{lines(['', conclusion(found), *notes(found)])}"


def rows(found: Sensitivity, layers: Sequence[Layer]) -> list[Row]:
    """Return a row for every one of these layers."""
    names = shown_names(found)
    return [Row(layer, names[layer.name], tuple(names[name] for name in layer.with_it)) for layer in layers]


def shown_names(found: Sensitivity) -> dict[str, str]:
    """Return the names of layers as they are shown: the last operator that was fused, without folders common to all."""
    paths = {layer.name: _plain(layer.name.rpartition(";")[2]).split("/") for layer in found.layers}
    deep = [path for path in paths.values() if len(path) > 1]
    while deep and min(map(len, deep)) > 1 and len({path[0] for path in deep}) == 1:
        for path in deep:
            del path[0]
    return {name: "/".join(path) for name, path in paths.items()}


def _plain(name: str) -> str:
    """Return a name without the variables and operations that a layer of Keras is made of."""
    return _INSIDE.sub("", name) or name


def document(found: Sensitivity) -> dict[str, object]:
    """Return all of it as JSON: a layer by the names of the columns, and what follows."""
    layers = [{**values(COLUMNS, row), "with_it": list(row.layer.with_it)} for row in rows(found, found.layers)]
    culprit = found.culprit
    return {
        **found.to_dict(),
        "layers": [{**layer, "exact": row.exact} for layer, row in zip(layers, found.layers, strict=True)],
        "culprit": culprit and culprit.name,
        "conclusion": conclusion(found),
    }


def conclusion(found: Sensitivity) -> str:
    """Return which layer breaks the file and by how much reverting it helps, or that none stands out; a sentence."""
    culprit = found.culprit
    if culprit is not None:
        before = found.sqnr_db if found.sqnr_db is not None else 0.0
        others, scores = len(culprit.with_it), _scores(found)
        names = ", ".join(f"`{_shown(found, name)}`" for name in culprit.with_it[:1])
        readers = f"its {others} readers" if others > 1 else f"its reader {names}"
        cured = f"in float with {readers}" if others else "in float"
        return (
            f"`{_shown(found, culprit.name)}` ({culprit.kind}) breaks the int8 file: {cured}, output SQNR rises from "
            f"{before:.1f} to {before + (culprit.gain_db or 0.0):.1f} dB{scores}. Cause: {cause(culprit)}"
        )
    if found.sqnr_db is None or found.sqnr_db >= FINE_DB:
        at = "the same as" if found.sqnr_db is None else f"at {found.sqnr_db:.1f} dB of"
        return f"No layer stands out, and none has to: the int8 file's outputs are {at} the float file's"
    for share, what, help_ in ((found.inputs_share, "inputs", _FINER), (found.outputs_share, "outputs", "")):
        if share >= _HALF:
            return (
                f"No layer stands out: {share:.0%} of the noise comes from rounding the {what} to int8, at an output "
                f"SQNR of {found.sqnr_db:.1f} dB{help_}"
            )
    best = found.ranked[0] if found.layers else None
    gained = best.gain_db if best is not None and best.gain_db is not None else 0.0
    name = f" (`{_shown(found, best.name)}`)" if best is not None and gained > 0 else ""
    return (
        f"No layer stands out: the best one to revert{name} gains {max(gained, 0.0):.1f} dB, less than "
        f"{STANDS_OUT_DB:g}, at an output SQNR of {found.sqnr_db:.1f} dB"
    )


def _shown(found: Sensitivity, name: str) -> str:
    return visible(shown_names(found)[name])


def cause(layer: Layer) -> str:
    """Return why a layer loses what it loses, as far as the table tells."""
    if not layer.with_it:
        noise = layer.acting_weights_sqnr_db
        return "its own arithmetic in int8" if noise is None else f"its weights, {noise:.1f} dB at its output"
    if layer.outliers is not None and layer.outliers >= _MANY:
        return f"outliers, up to {layer.outliers:.3g} times what 99.9 % of its output's values stay below"
    if layer.narrow_channels is not None and layer.narrow_channels >= _NARROW:
        return f"uneven channels, {layer.narrow_channels:.0%} of which span less than 2 of the 256 steps"
    if layer.range_used is not None and layer.range_used <= _FEW:
        return f"the range of its output, of which 99.8 % of the values use {layer.range_used:.0%}"
    return "one scale for its output, whose small values matter to its readers"


def notes(found: Sensitivity) -> list[str]:
    """Return what the numbers are of."""
    db = "equal" if found.sqnr_db is None else f"{found.sqnr_db:.1f} dB"
    note = f"int8 .{found.format} against float on {found.samples} validation samples: output SQNR {db}"
    scores = [f"{name} {brief_text(score)}" for name in ("float", "int8") if (score := found.score(name))]
    metric = next((score.metric for name in ("float", "int8") if (score := found.score(name))), "")
    return [f"{note}; {metric}: {', '.join(scores)}" if scores else note]


def _scores(found: Sensitivity) -> str:
    before, after, true = (found.score(name) for name in ("int8", "reverted", "float"))
    if before is None or after is None or true is None or before == after:
        return ""
    texts = [brief_text(score) for score in (before, after, true)]
    return f", {after.metric} from {texts[0]} to {texts[1]} (float {texts[2]})"
