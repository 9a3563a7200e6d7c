"""What sections are made of: headings, charts with their text alternatives, and tables whose columns can be sorted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from edgekit.reporting.html.embedding import data
from edgekit.reporting.html.markup import Markup, element, joined
from edgekit.schema.types import JsonObject
from edgekit.text.columns import Column, Value

R = TypeVar("R")
LINE = 36
"""Characters of a cell's text that stay on one line."""


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        identifier: of its heading, for links.
        title: its heading.
        body: what is in it.
    """

    identifier: str
    title: str
    body: Markup

    def html(self) -> Markup:
        """Return it as a landmark."""
        heading = f"{self.identifier}-title"
        return element(
            "section",
            element("h2", self.title, id=heading),
            self.body,
            id=self.identifier,
            aria_labelledby=heading,
        )


@dataclass(frozen=True)
class Figure:
    """A chart.

    Attributes:
        title: what it is of.
        spec: the chart.
        note: how to read it; may be empty.
        numbers: the same as a table, or None where a table of the page has them.
        wide: whether it takes the whole width.
    """

    title: str
    spec: JsonObject
    note: str = ""
    numbers: Markup | None = None
    wide: bool = False


def figures(prefix: str, found: Iterable[Figure], *, stretched: bool = False) -> Markup:
    """Return charts side by side, as far as the screen has room.

    Args:
        prefix: of their identifiers.
        found: the charts.
        stretched: whether few of them take the whole width.
    """
    each = [_figure(f"{prefix}-{index}", figure) for index, figure in enumerate(found, 1)]
    return element("div", *each, class_="figures stretched" if stretched else "figures") if each else Markup("")


def _figure(identifier: str, figure: Figure) -> Markup:
    title = f"{identifier}-title"
    return element(
        "figure",
        element(
            "figcaption",
            element("strong", figure.title, id=title),
            element("span", figure.note, class_="note") if figure.note else None,
        ),
        element(
            "div",
            element("div", class_="plot", data_chart=f"{identifier}-chart"),
            role="img",
            aria_label=str(figure.spec["description"]),
        ),
        data(f"{identifier}-chart", figure.spec),
        details("Numbers", figure.numbers) if figure.numbers is not None else None,
        class_="wide" if figure.wide else None,
        aria_labelledby=title,
    )


def details(summary: str, *inside: Markup | str | None, printed: bool = False) -> Markup:
    """Return what is unfolded on demand, and on paper where it is `printed`."""
    return element("details", element("summary", summary), *inside, data_print=printed)


def table(
    columns: Sequence[Column[R]],
    rows: Sequence[R],
    caption: str,
    *,
    sortable: bool = False,
    marked: Callable[[R], str] | None = None,
) -> Markup:
    """Return a table of self-describing columns; the first one names the row.

    Args:
        columns: as the terminal's table has them.
        rows: likewise.
        caption: what it is of.
        sortable: whether the headers are buttons that sort.
        marked: a word behind the name of a row, such as `baseline`; empty: none.
    """
    head = element("tr", *(_header(column, sortable) for column in columns))
    body = [
        element("tr", *(_cell(column, row, index == 0, marked) for index, column in enumerate(columns))) for row in rows
    ]
    whole = element(
        "table",
        element("caption", caption),
        element("thead", head),
        element("tbody", *body),
        class_="sortable" if sortable else None,
    )
    return element("div", whole, class_="scroll", role="region", tabindex=0, aria_label=caption)


def column_help(columns: Sequence[Column[R]]) -> Markup:
    """Return what the columns mean."""
    pairs = [
        joined([element("dt", c.header + (f", {c.unit}" if c.unit else "")), element("dd", c.help.replace("`", ""))])
        for c in columns
    ]
    return details("What the columns mean", element("dl", *pairs, class_="columns"))


def _header(column: Column[R], sortable: bool) -> Markup:
    unit = element("span", column.unit, class_="unit") if column.unit else None
    way = element("span", class_="way", aria_hidden="true") if sortable else None
    name = joined([column.header, way, unit])
    side = "left" if column.left else None
    if not sortable:
        return element("th", name, scope="col", class_=side)
    button = element("button", name, type="button", title=column.help.replace("`", ""))
    return element("th", button, scope="col", class_=side, aria_sort="none")


def _cell(column: Column[R], row: R, first: bool, marked: Callable[[R], str] | None) -> Markup:
    value = column.text(row)
    content = joined([value]) if column.colour is None else element("span", value, class_=f"tag {column.colour(row)}")
    side = "left" if column.left else None
    key = _key(column.value(row))
    if not first:
        long = column.left and len(value) > LINE
        return element("td", content, class_="left long" if long else side, data_key=key)
    word = marked(row) if marked is not None else ""
    mark = joined([" ", element("span", word, class_="tag")]) if word else None
    return element("th", content, mark, scope="row", class_=side, data_key=key)


def _key(value: Value) -> str | None:
    """Return what a cell is sorted by: a number, the number of an interval, or a text; None: it is not known."""
    if isinstance(value, dict):
        value = next(iter(value.values()), None)
    if isinstance(value, float):
        return f"{value:.12g}"
    return None if value is None else str(value)


def plain_table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """Return a table of texts; the first column names the row, and the others are set to the right."""
    names = [element("th", name, scope="col", class_=None if i else "left") for i, name in enumerate(header)]
    body = []
    for first, *others in rows:
        cells = [element("td", cell) for cell in others]
        body.append(element("tr", element("th", first, scope="row", class_="left"), *cells))
    head = element("thead", element("tr", *names))
    whole = element("table", element("caption", caption), head, element("tbody", *body))
    return element("div", whole, class_="scroll", role="region", tabindex=0, aria_label=caption)


def facts(pairs: Iterable[tuple[str, Markup | str]]) -> Markup:
    """Return names with what they are, a line each."""
    return element(
        "dl", *(joined([element("dt", name), element("dd", value)]) for name, value in pairs), class_="facts"
    )


def code_spans(sentence: str) -> Markup:
    """Return a sentence whose words between backticks are code."""
    return joined(_spans(sentence))


def _spans(sentence: str) -> Iterator[Markup | str]:
    parts = sentence.split("`")
    for index, part in enumerate(parts):
        paired = index % 2 == 1 and index < len(parts) - 1
        yield element("code", part) if paired else part if index % 2 == 0 or index == 0 else f"`{part}"


def paragraphs(texts: Iterable[str]) -> Markup:
    """Return sentences, one below the other."""
    return joined([element("p", code_spans(text)) for text in texts])
