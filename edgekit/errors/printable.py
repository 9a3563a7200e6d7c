r"""Text from elsewhere, made fit to be shown: nothing in it moves a cursor, hides a character or begins a line.

What may be shown as it is stands in an allow list of Unicode's categories: letters, marks, numbers, punctuation,
symbols and spaces. Everything else becomes an escape that can be seen, such as `\x1b`, `\u202e` or `\n`: controls,
format characters (bidirectional overrides and what has no width), line separators, lone surrogates, and what is not
assigned.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

LONGEST = 60
"""Characters of a value that a message quotes."""
NAME_BYTES = 255
"""Of a file's name: what file systems take."""


def visible(text: str, keep: str = "") -> str:
    """Return text with every character that cannot be seen as an escape.

    Args:
        text: from anywhere.
        keep: characters to leave as they are, such as a newline in a text of several lines.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep or unicodedata.category(c) == "Zs" else _escape(c) for c in text)


def lines(texts: Iterable[str]) -> str:
    """Return a text of one line for each of these, whatever they hold: a newline inside of one becomes an escape."""
    return "\n".join(map(visible, texts))


def clipped(text: str) -> str:
    """Return what a user typed as a message repeats it: short, and on one line."""
    return visible(text if len(text) <= LONGEST else text[:LONGEST] + "…")


def quoted(value: Any) -> str:
    """Return a value as a message quotes it: short, and whole where it is short."""
    if isinstance(value, str):
        return f'"{clipped(value)}"'
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int) and value.bit_length() > 64:
        return f"an integer of about {round(value.bit_length() * 0.30103):,} digits"
    if isinstance(value, dict):
        return f"a table of {len(value)} keys" if value else "an empty table"
    if isinstance(value, (list, tuple)):
        few = len(value) <= 8 and all(isinstance(v, (str, int, float)) for v in value)
        text = "[" + ", ".join(map(quoted, value)) + "]" if few else ""
        return text if few and len(text) <= 2 * LONGEST else f"a list of {len(value)}"
    return visible(repr(value))[: 2 * LONGEST]


def with_code(message: str, code: str) -> str:
    """Return a message with its code of `edgekit.errors.codes` behind it, if it has one."""
    return f"{message} [{code}]" if code else message


def path_text(path: Sequence[str | int], root: str = "") -> str:
    """Return a key path as text, such as `measurements[0].latency[2].samples_ns`."""
    text = root
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            named = part if re.fullmatch(r"[\w-]{1,60}", part) else quoted(part)
            text += f".{named}" if text else named
    return text


def whole(text: str) -> int:
    """Return the whole number that a device's program printed.

    Raises:
        ValueError: it printed something else, or more digits than a file or a clock has.
    """
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise ValueError(f"{clipped(text)!r} is no whole number")
    return int(text)


def name_fault(name: str, what: str = "name") -> str | None:
    """Return why a text is no plain name of a file, None if it is one.

    Plain names are of characters that can be seen, begin with none of `.`, `-` and space, hold no separator of folders,
    and take at most 255 bytes.
    """
    if not name:
        return f"the {what} is empty"
    if visible(name) != name:
        return f"the {what} holds characters that cannot be seen"
    if "/" in name or "\\" in name:
        return f"the {what} names a folder"
    if name[0] in ".- ":
        return f"the {what} begins with `{name[0]}`"
    if len(name.encode("utf-8")) > NAME_BYTES:
        return f"the {what} is longer than {NAME_BYTES} bytes"
    return None


def plain_name(text: str, longest: int = NAME_BYTES) -> str:
    """Return a plain name of a file that is as near to a text as can be, in ASCII.

    Args:
        text: from anywhere.
        longest: bytes.
    """
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "_.-") else "-" for c in text)
    return kept.lstrip(".-")[:longest] or "unnamed"


def _escape(c: str) -> str:
    known = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    code = ord(c)
    width = ("x", 2) if code < 0x100 else ("u", 4) if code < 0x10000 else ("U", 8)
    return known.get(c) or f"\\{width[0]}{code:0{width[1]}x}"
