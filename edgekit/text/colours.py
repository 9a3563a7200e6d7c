"""The colours of a terminal: the only escapes that edgekit sends to one beside what progress bars do."""

from __future__ import annotations

from typing import Literal

Colour = Literal["", "green", "yellow", "red"]
ESCAPES: dict[Colour, str] = {"green": "\x1b[32m", "yellow": "\x1b[33m", "red": "\x1b[31m"}
RESET = "\x1b[0m"


def coloured(text: str, colour: Colour) -> str:
    """Return text that is shown in a colour; spaces behind it are not."""
    bare = text.rstrip()
    return f"{ESCAPES[colour]}{bare}{RESET}{text[len(bare) :]}" if colour else text
