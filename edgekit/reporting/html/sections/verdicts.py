"""The verdicts with their reasons, by reason: what each means, where it holds, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from edgekit.bundle.facts import Unavailable
from edgekit.errors.codes import register
from edgekit.reporting.bench_columns import COLOURS
from edgekit.reporting.html.markup import Markup, element, joined
from edgekit.reporting.html.sections.limits import MOST_PLACES
from edgekit.reporting.html.sections.parts import Section, code_spans, paragraphs
from edgekit.reporting.rows import Row

IDENTIFIER = "verdicts"


def verdicts(rows: Sequence[Row]) -> Section:
    """Return how many measurements have each verdict, and every reason."""
    counts = Counter(row.verdict for row in rows)
    tags = [
        element("span", f"{counts[word]} {word}", class_=f"tag {COLOURS[word]}") for word in COLOURS if counts[word]
    ]
    by_code: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        for reason in row.reasons:
            by_code.setdefault(reason.code, {}).setdefault(reason.sentence, []).append(row)
    parts = [element("p", joined(tags, " "))]
    parts += [_reason(code, sentences, len(rows)) for code, sentences in by_code.items()]
    if not by_code:
        parts.append(element("p", "Nothing stands against any of the measurements."))
    uncompared = {
        (row.file, row.measurement.agreement.why) for row in rows if isinstance(row.measurement.agreement, Unavailable)
    }
    parts.append(paragraphs(f"{file}: not compared with the host: {why}" for file, why in sorted(uncompared)))
    return Section(IDENTIFIER, "Verdicts and their reasons", joined(parts))


def _reason(code: str, sentences: dict[str, list[Row]], of: int) -> Markup:
    known = register().get(code)
    held = sum(map(len, sentences.values()))
    where = [element("li", element("q", sentence), f": {_places(rows, of)}") for sentence, rows in sentences.items()]
    return element(
        "section",
        element("h3", element("code", code or "no code"), f" {held} of {of}"),
        element("p", code_spans(known.means)) if known else None,
        element("p", element("strong", "What to do: "), code_spans(known.mend)) if known else None,
        element("ul", *where),
        class_="reason",
        aria_label=code,
    )


def _places(rows: Sequence[Row], of: int) -> str:
    if len(rows) == of and of > 1:
        return "all of them"
    several = len({row.name for row in rows}) > 1
    places = [
        f"{row.file}, {row.threads} thread{'s' * (row.threads != 1)}" + (f" ({row.name})" if several else "")
        for row in rows
    ]
    named = list(dict.fromkeys(places))
    more = [f"{len(named) - MOST_PLACES:,} more"] if len(named) > MOST_PLACES else []
    return "; ".join([*named[:MOST_PLACES], *more])
