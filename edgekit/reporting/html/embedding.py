"""JSON and scripts inside of HTML, and the policy that lets a browser run these scripts and load nothing.

Content Security Policy Level 3 (W3C), https://www.w3.org/TR/CSP3/; the restrictions on what a `script` element may
hold are those of the HTML standard.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable

from edgekit.errors.printable import visible
from edgekit.reporting.html.markup import Markup, element
from edgekit.schema.types import JsonObject, JsonValue

_IN_SCRIPT = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
_ENDS = re.compile(r"</(?:script|style)|<!--|<script", re.IGNORECASE)
_MAP = re.compile(r"\n?//# sourceMappingURL=\S+\s*\Z")


def shown(value: JsonValue) -> JsonValue:
    """Return JSON whose texts show what cannot be seen as an escape, keys too; numbers as they are."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {visible(key): shown(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [one if type(one) in (float, int) else shown(one) for one in value]
    return value


def data(identifier: str, value: JsonValue) -> Markup:
    """Return an element that holds JSON, which nothing in it can end.

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(shown(value), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return element("script", Markup(text.translate(_IN_SCRIPT)), type="application/json", id=identifier)


def script(source: str) -> Markup:
    """Return an element that runs a script of edgekit's own or of the charting library."""
    return element("script", Markup(_whole(source)))


def style(source: str) -> Markup:
    """Return an element with the page's style."""
    return element("style", Markup(_whole(source)))


def _whole(source: str) -> str:
    """Return a script or a style as it can stand in HTML; the place of a source map would be asked for.

    Raises:
        ValueError: something in it would end the element, or be read as another character.
    """
    source = _MAP.sub("\n", source)
    if _ENDS.search(source) or "\r" in source or "\0" in source:
        raise ValueError("a script or style cannot stand in HTML as it is")
    return source


def policy(scripts: Iterable[str], styles: Iterable[str]) -> str:
    """Return a Content Security Policy that allows these scripts and styles, by their digests, and nothing else.

    No request is allowed, no evaluation of text, no inline handler, no form and no other base address.
    """
    allowed: JsonObject = {"script-src": scripts, "style-src": styles}
    parts = ["default-src 'none'"]
    parts += [f"{name} {' '.join(map(_digest, sources))}" for name, sources in allowed.items()]
    return "; ".join([*parts, "base-uri 'none'", "form-action 'none'"])


def _digest(source: str) -> str:
    found = hashlib.sha256(_whole(source).encode()).digest()
    return f"'sha256-{base64.b64encode(found).decode()}'"
