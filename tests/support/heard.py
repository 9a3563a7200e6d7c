"""A `Progress` that remembers what was reported to it."""

from __future__ import annotations

from edgekit.progress import Silent


class Heard(Silent):
    """Keeps notices and warnings, the codes of the warnings, and how many units of counted work were done."""

    def __init__(self) -> None:
        self.codes: list[str] = []
        self.notified: list[str] = []
        self.warned: list[str] = []
        self.lines: list[str] = []
        self.units = 0

    def notify(self, message: str) -> None:
        self.notified.append(message)
        self.lines.append(message)

    def warn(self, message: str, code: str = "") -> None:
        self.warned.append(message)
        self.codes.append(code)
        self.lines.append(f"warning: {message}")

    def advance(self, note: str = "", units: int = 1) -> None:
        self.units += units
