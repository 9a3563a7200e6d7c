"""Trials that nobody trained, and a search whose trials take no time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgekit.bundle.budget import Budget
from edgekit.bundle.trials import COMPLETE, Measured, Trial
from edgekit.pipeline.searching.front import Goals
from edgekit.pipeline.searching.journal import Journal
from edgekit.pipeline.searching.loop import Attempt, Loop, Proposal
from edgekit.pipeline.searching.options import Limits
from edgekit.pipeline.searching.settings import Settings
from edgekit.pipeline.searching.shared import Shared
from edgekit.pipeline.searching.space import Space
from edgekit.pipeline.searching.study import Identity, Standing, open_study
from edgekit.schema.versions import WRITER
from tests.support.heard import Heard

SPACE = Space(students=("none", "scaled", "sliced"))


def measured(correct: int = 90, size: int = 1000, macs: int | None = 5000, **more: Any) -> Measured:
    """Return numbers of a file that is right on so many of 100 samples."""
    fields = {"gzip_bytes": size // 2, "parameters": size, "macs": macs, **more}
    return Measured("0" * 64, {"correct": correct, "samples": 100}, size, **fields)


def trial(number: int, correct: int = 90, size: int = 1000, macs: int | None = 5000, **more: Any) -> Trial:
    """Return a complete trial."""
    fields = {"state": COMPLETE, "measured": measured(correct, size, macs), **more}
    return Trial(number, fields.pop("state"), f"trial-{number}", "made up", f"{number:064x}", **fields)


def by_size(proposal: Proposal) -> Trial:
    """Try: larger files are better, up to chance."""
    size = 200 + round(2000 * proposal.choice.width * (1 - proposal.choice.amount))
    return trial(proposal.number, min(99, 50 + size // 50), size, size * 10)


def identity(settings: Settings | None = None, **more: Any) -> Identity:
    """Return what a search is about."""
    fields = {"edgekit": WRITER, "model": "m" * 64, "data": "d" * 64, **more}
    return Identity(settings=settings or Settings(), **fields)


class Made:
    """A search whose trials are made up.

    Attributes:
        kept: trials in the order in which they ended.
        heard: what was reported.
    """

    def __init__(
        self,
        shared: Shared | Path,
        attempt: Attempt = by_size,
        *,
        trials: int | None = 5,
        seconds: float | None = None,
        budget: Budget | None = None,
        first: dict[str, dict[str, Any]] | None = None,
        space: Space = SPACE,
    ) -> None:
        self.shared = Journal(shared) if isinstance(shared, Path) else shared
        self.kept: list[Trial] = []
        self.heard = Heard()
        settings = Settings(budget=budget or Budget())
        self.study, _ = open_study(self.shared, "edgekit", identity(settings), [*(first or {}).items()], more=True)
        goals = Goals(budget=budget or Budget())
        self.loop = Loop(
            self.study, self.shared, space, goals, Limits(seconds, trials), attempt,
            lambda trial, standing: self.kept.append(trial), self.heard,
        )  # fmt: skip

    def run(self) -> Standing:
        """Run it to its end."""
        return self.loop.run()


def failing(times: int, error: Callable[[], BaseException]) -> Attempt:
    """Return what raises so many times, and then tries."""
    left = [times]

    def attempt(proposal: Proposal) -> Trial:
        left[0] -= 1
        if left[0] >= 0:
            raise error()
        return by_size(proposal)

    return attempt
