"""The matrix as text."""

from __future__ import annotations

from edgekit.tasks.metrics import Score
from edgekit.tasks.scores import score_text
from edgekit.text.tables import table

from .cells import RECIPES, Cell
from .files import KINDS
from .networks import NETWORKS

HEADER = ("file", "model", "metric", "float32", "differs", *RECIPES)


def show(cells: list[Cell]) -> str:
    """Return the table, its legend, and the reasons of what was refused."""
    reasons: list[str] = []
    lines = []
    by_row: dict[tuple[str, str], dict[str, Cell]] = {}
    for cell in sorted(cells, key=lambda cell: (tuple(KINDS).index(cell.file), tuple(NETWORKS).index(cell.network))):
        by_row.setdefault((cell.file, cell.network), {})[cell.recipe] = cell
    for (file, network), row in by_row.items():
        calibrated = row.get("int8")
        proof = calibrated if calibrated is not None and calibrated.outcome == "works" else None
        metric = (proof.int8 or {}).get("metric", "accuracy") if proof else "-"
        difference = "-" if proof is None or proof.max_abs_diff is None else f"{proof.max_abs_diff:.0e}"
        texts = [_cell(row.get(recipe), reasons) for recipe in RECIPES]
        lines.append((file, network, metric, _score(proof.float32 if proof else None), difference, *texts))
    count = {outcome: sum(cell.outcome == outcome for cell in cells) for outcome in ("works", "refused", "bug")}
    legend = [
        "",
        f"{len(cells)} cells: " + ", ".join(f"{n} {outcome}" for outcome, n in count.items() if n),
        "differs: largest difference of an output, float32 file of recipe int8 to the model that was saved, test set",
        "recipes: score of the int8 file, SQNR of its outputs to the model it was made of,",
        "and the largest difference of an output between float32 file and that model",
        *(f"[{index + 1}] {why}" for index, why in enumerate(reasons)),
    ]
    return "\n".join([table(HEADER, lines), *legend])


def _cell(cell: Cell | None, reasons: list[str]) -> str:
    if cell is None:
        return ""
    if cell.outcome != "works":
        reason = cell.reason if cell.outcome == "refused" else f"BUG: {cell.reason}"
        if reason not in reasons:
            reasons.append(reason)
        return f"[{reasons.index(reason) + 1}]"
    ratio = "equal" if cell.sqnr_db is None else f"{cell.sqnr_db:.0f} dB"
    return f"{_score(cell.int8)}, {ratio}, {cell.max_abs_diff:.0e}"


def _score(value: object) -> str:
    return score_text(Score.from_dict(value)).partition(" [")[0] if isinstance(value, dict) else "-"
