"""Standard output that somebody may have closed, or that is full."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Printed:
    """Stands in for stdout and remembers how writing to it failed, for a `with` block.

    Attributes:
        error: the last; None: it did not fail.
    """

    def __init__(self) -> None:
        self.error: OSError | None = None
        self._stream = sys.stdout

    def __enter__(self) -> Printed:
        sys.stdout = self
        return self

    def __exit__(self, *raised: object) -> None:
        sys.stdout = self._stream
        with contextlib.suppress(OSError):
            self.flush()
        if self.error is not None:
            # So that the end of Python does not try again, and complain.
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write to stdout."""
        with self._noted():
            return self._stream.write(text)

    def flush(self) -> None:
        """Write what is still to be written."""
        with self._noted():
            self._stream.flush()

    @contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = error
            raise
