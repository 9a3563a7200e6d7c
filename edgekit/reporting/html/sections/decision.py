"""What the page begins with: which file to ship, why, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.reporting.choosing import Name, Sentence
from edgekit.reporting.deciding import Decision
from edgekit.reporting.html.markup import Markup, element, joined
from edgekit.reporting.html.sections.parts import code_spans


def decision(found: Sequence[Decision]) -> Markup | None:
    """Return the sentences, the first one of each decision large; None: nothing is decided."""
    if not found:
        return None
    title = element("h2", "Which file to ship", id="decision-title")
    parts = [
        element("div", element("p", _sentence(one.choice.sentence), class_="choice"), *map(_note, one.choice.notes))
        for one in found
    ]
    return element("section", title, *parts, id="decision", class_="decision", aria_labelledby="decision-title")


def _note(sentence: Sentence) -> Markup:
    return element("p", _sentence(sentence))


def _sentence(sentence: Sentence) -> Markup:
    return joined([element("code", part) if isinstance(part, Name) else code_spans(part) for part in sentence.parts])
