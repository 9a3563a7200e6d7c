"""A `Progress` that remembers what it was told."""

from __future__ import annotations

from edgekit.progress import Silent


class Heard(Silent):
    """Keeps notices and warnings, and the codes of the warnings."""

    def __init__(self) -> None:
        self.codes: list[str] = []
        self.notified: list[str] = []
        self.warned: list[str] = []

    def notify(self, message: str) -> None:
        self.notified.append(message)

    def warn(self, message: str, code: str = "") -> None:
        self.warned.append(message)
        self.codes.append(code)
