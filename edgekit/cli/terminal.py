"""The edge to the terminal: all that is printed passes here, and nothing that passes moves a cursor.

`show` and `message` are what commands print with. `guarded` puts the same rule around `sys.stdout` and `sys.stderr` for
as long as an application runs, for what others print: Typer's usage errors, Python's warnings and tracebacks.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

import typer

from edgekit.errors.printable import visible
from edgekit.text.colours import ESCAPES, RESET

_COLOUR = re.compile(f"({'|'.join(map(re.escape, [*ESCAPES.values(), RESET]))})")


def show(text: str = "", *, nl: bool = True) -> None:
    """Print a result of several lines, whose parts from files have lost their newlines and escapes already."""
    stream = sys.stdout
    shown = (_coloured(text) if stream.isatty() else visible(text, "\n")) + "\n" * nl
    if isinstance(stream, Guard):
        stream.coloured(shown)
    else:
        stream.write(shown)
    stream.flush()


def message(text: str) -> None:
    """Print a message on stderr: one line, whatever it quotes."""
    typer.echo(visible(text), err=True)


class Guard:
    """A text stream that shows controls as escapes, and characters that its encoding lacks, too."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text, its newlines and tabs as they are."""
        encoding = self._stream.encoding or "utf-8"
        fit = visible(text, "\n\t").encode(encoding, "backslashreplace").decode(encoding)
        self._stream.write(fit)
        return len(text)

    def coloured(self, text: str) -> None:
        """Write text whose colours are `edgekit.text.columns`' own."""
        encoding = self._stream.encoding or "utf-8"
        self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))

    def writelines(self, texts: Any) -> None:
        """Write several texts."""
        for text in texts:
            self.write(text)


def _coloured(text: str) -> str:
    """Return text with escapes for all that cannot be seen but newlines and a table's colours."""
    return "".join(part if _COLOUR.fullmatch(part) else visible(part, "\n") for part in _COLOUR.split(text))


@contextmanager
def guarded() -> Iterator[None]:
    """Guard `sys.stdout` and `sys.stderr`."""
    kept = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast(TextIO, Guard(stream)) if stream else stream for stream in kept)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = kept
