"""HTML from elements: every text in it is escaped, and shows what cannot be seen as an escape."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from edgekit.errors.printable import visible

VOID = frozenset({"br", "hr", "link", "meta"})
"""Elements without an end."""
_NAME = re.compile(r"[a-z][a-z0-9-]*")

Attribute = str | int | float | bool | None


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def text(value: str) -> Markup:
    """Return a text as HTML: `<`, `>`, `&` and quotes as entities; controls and direction marks as escapes."""
    return Markup(html.escape(visible(value)))


def element(name: str, /, *children: Markup | str | None, **attributes: Attribute) -> Markup:
    """Return an element.

    Args:
        name: of the element.
        children: what is in it: markup as it is, other texts escaped; None is left out.
        attributes: by name, `_` for `-` and one at the end left out, as in `class_`; None and False: it has none such;
            True: it has one without a value.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no element")
    start = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    inside = joined(children)
    return Markup(start if name in VOID and not inside else f"{start}{inside}</{name}>")


def joined(children: Iterable[Markup | str | None], between: str = "") -> Markup:
    """Return one text of several; those that are no markup are escaped."""
    return Markup(
        between.join(
            c if isinstance(c, Markup) else text(c) for c in children if c is not None and (c != "" or between)
        )
    )


def _attribute(name: str, value: Attribute) -> str:
    key = name.rstrip("_").replace("_", "-")
    if not _NAME.fullmatch(key):
        raise ValueError(f"{name!r} is no attribute")
    if value is None or value is False:
        return ""
    return f" {key}" if value is True else f' {key}="{text(str(value))}"'
