"""What a search came to: `front.json` in its folder, rewritten after every trial."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Annotated

from edgekit.bundle.budget import Budget
from edgekit.bundle.trials import Trial
from edgekit.schema.gate import read
from edgekit.schema.rules import Count, Line, Seconds, Wrong, one_of
from edgekit.schema.tables import fields_written, written
from edgekit.schema.types import JsonMapping, JsonObject
from edgekit.schema.versions import Versions
from edgekit.tasks.metrics import Score, ScoreForm

VERSIONS = Versions("search result", 1)
FRONT = "front.json"
COSTS = ("latency", "macs")


@dataclass(frozen=True)
class Point:
    """A trial on the front.

    Attributes:
        trial: its record.
        test: score of its file on test samples, which are read once, for the bundle; None before.
        bundle: folder of its bundle, from the search's; empty where there is none here.
        recipe: file of its recipe, likewise.
    """

    trial: Trial
    test: ScoreForm | None = None
    bundle: Line = ""
    recipe: Line = ""

    @property
    def tested(self) -> Score | None:
        """The score on test samples."""
        return None if self.test is None else Score.from_dict(self.test)

    def check_consistent(self) -> None:
        """Raise `Wrong` for a trial that made no file."""
        if self.trial.measured is None:
            raise Wrong(
                "is missing, and a trial on the front has a file", path=("trial", "measured"), code="key-missing"
            )

    def to_dict(self) -> JsonObject:
        """Return the JSON form; the trial is of this edgekit's schema, as the whole is."""
        own = {f.name: written(getattr(self, f.name)) for f in fields(self) if f.name != "trial"}
        return {"trial": fields_written(self.trial), **own}


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """A search.

    Attributes:
        edgekit: version.
        metric: of the scores.
        cost: what files cost: latency on `target`, or MACs.
        target: that latency was measured on, or empty.
        gzip: whether sizes count after gzip.
        budget: what files may spend.
        met: whether a file keeps to it.
        front: the trials on the Pareto front of those that keep to the budget, or, if none does, of all.
        nearest: number of the trial that comes nearest to a budget that none keeps to; None otherwise.
        misses: by how much that one misses, as a share of each bound.
        complete, pruned, failed: how many trials are.
        seconds: for which somebody searched.
    """

    edgekit: Line
    metric: Line
    cost: Annotated[str, one_of(*COSTS)]
    target: Line = ""
    gzip: bool = False
    budget: Budget = field(default_factory=Budget)
    met: bool = True
    front: tuple[Point, ...] = ()
    nearest: Count | None = None
    misses: dict[str, float] = field(default_factory=dict)
    complete: Count = 0
    pruned: Count = 0
    failed: Count = 0
    seconds: Seconds = 0.0

    def to_dict(self) -> JsonObject:
        """Return the JSON form."""
        return {"schema": VERSIONS.newest, **fields_written(self)}

    @classmethod
    def from_dict(cls, value: JsonMapping, source: str) -> SearchResult:
        """Read the JSON form; `source` names it in messages.

        Raises:
            InputError: it is of another form.
        """
        return read(cls, value, source, "search result", versions=VERSIONS)
