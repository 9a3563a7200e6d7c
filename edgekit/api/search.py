"""`edgekit.search`: the smallest, fastest and best files under a budget; the request, and what came of it.

Trials are run in a worker process, which another replaces if it dies: a trial may take all memory, or crash a library.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import edgekit.bundle.search_result as results
from edgekit.api.compression import PerInput, data_spec, model_path, plain_request, preprocessing_fields
from edgekit.api.frames import data_frame
from edgekit.api.reporting import ProgressOption, working
from edgekit.api.results import Bundle
from edgekit.api.words import face
from edgekit.bundle.budget import Budget
from edgekit.bundle.manifest import read_bundle
from edgekit.bundle.recipe import DEMO_MODEL, known_layout
from edgekit.bundle.trials import Trial
from edgekit.errors import InputError, RunnerCrashed
from edgekit.processes import work
from edgekit.progress import Event, Warned
from edgekit.schema.types import JsonMapping
from edgekit.tasks.metrics import Score

if TYPE_CHECKING:
    import pandas

WORKER = "edgekit.pipeline.searching.worker:search"
MOST_DEATHS = 5
"""Worker processes that may die in one call."""


@face
def search(
    model: Any = None,
    data: Any = "digits",
    out: str | Path | None = None,
    *,
    max_size_bytes: int | None = None,
    max_latency_ms: float | None = None,
    max_macs: int | None = None,
    max_memory_bytes: int | None = None,
    min_accuracy: float | None = None,
    max_error: float | None = None,
    seconds: float | None = None,
    trials: int | None = None,
    trial_timeout: float = 86400.0,
    target: str | None = None,
    host: str | None = None,
    identity: str | Path | None = None,
    trust_target: bool = False,
    gzip: bool = False,
    effort: float = 1.0,
    students: Sequence[str] = (),
    teacher: str | Path | None = None,
    augment: str | None = None,
    schemes: Sequence[str] = ("int8",),
    sampler: str = "tpe",
    storage: str | None = None,
    study: str = "edgekit",
    join: bool = False,
    cache_bytes: int = 4 << 30,
    scale: float | Mapping[str, float] | None = None,
    mean: PerInput | None = None,
    std: PerInput | None = None,
    layout: str | Mapping[str, str] | None = None,
    layout_out: str | None = None,
    channels: str | Mapping[str, str] | None = None,
    normalize_outside: bool = False,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    input_values: Mapping[str, float] | None = None,
    seed: int = 0,
    metric: str | None = None,
    task: str | None = None,
    allow_unsafe: bool = False,
    custom: Sequence[str] = (),
    fresh: bool = False,
    anyway: bool = False,
    progress: ProgressOption = False,
) -> Search:
    """Search recipes for the files that are best under a budget; the same call goes on where an earlier one stopped.

    Args:
        model: as for `edgekit.compress`.
        data: as for `edgekit.compress`.
        out: folder of the search; by default MODEL-search in the current folder.
        max_size_bytes: of the file.
        max_latency_ms: median latency on the target, this machine unless another is named.
        max_macs: multiply-accumulates of one inference.
        max_memory_bytes: of activations that are needed at the same time.
        min_accuracy: of a metric where more is better, on validation samples; of shares from 0 to 1.
        max_error: of a metric where less is better.
        seconds: for which somebody searches, earlier calls included.
        trials: that are finished, likewise. One of the two must be given.
        trial_timeout: seconds after which one trial is given up.
        target: measure latency there; without a target MACs stand in for it.
        host: as for `edgekit.bench`.
        identity: as for `edgekit.bench`.
        trust_target: as for `edgekit.bench`.
        gzip: sizes count after gzip, as in an app package; then zeros and clusters are tried, too.
        effort: factor on all epochs: 0.25 for a quick look.
        students: reference models and model files that may learn, besides smaller models of the same architecture.
        teacher: a model file that teaches them, in place of the model.
        augment: `flip`, `crop` or `flip-crop`, tried beside none.
        schemes: of the files: `int8`, `int4-dense` or `int4`.
        sampler: `tpe`, or `gp`, a Gaussian process, which needs PyTorch.
        storage: a database's URL or the path of a journal file, which workers on other machines share.
        study: name of the search in its storage.
        join: take part in a search that is there: what is not given is as it has it.
        cache_bytes: of finished stages that are kept for trials that share them.
        scale: as for `edgekit.compress`.
        mean: likewise.
        std: likewise.
        layout: likewise.
        layout_out: likewise.
        channels: likewise.
        normalize_outside: likewise.
        input_shapes: likewise.
        input_values: likewise.
        seed: governs everything random in the recipes.
        metric: as for `edgekit.compress`.
        task: likewise.
        allow_unsafe: likewise.
        custom: likewise.
        fresh: throw away what an earlier search left at `out`.
        anyway: go on where edgekit finds the model worthless.
        progress: as for `edgekit.compress`.

    Returns:
        The search; its `repr` is the table of its front.

    Raises:
        EdgekitError: what the command line would say.
        KeyboardInterrupt: Ctrl-C; the same call goes on.
    """
    given = dict(locals())
    how = {name: given.pop(name) for name in ("scale", "mean", "std", "layout", "channels")}
    return searched(preprocessing_fields(**how), **given)


def searched(
    fields: JsonMapping, *, model: Any, data: Any, out: str | Path | None, progress: ProgressOption, **given: Any
) -> Search:
    """Do what `search` does.

    Args:
        fields: of `Preprocessing`, as `preprocessing_fields` returns them.
        model: as for `search`; so are all others.
        data: likewise.
        out: likewise.
        progress: likewise.
        given: the rest.
    """
    budget = Budget(
        given["max_size_bytes"], given["max_latency_ms"], given["max_macs"], given["max_memory_bytes"],
        given["min_accuracy"], given["max_error"],
    )  # fmt: skip
    settings = {
        "budget": budget.checked().to_dict(),
        "preprocessing": fields,
        "schemes": list(given["schemes"]),
        "effort": float(given["effort"]),
        "input_shapes": {name: list(map(int, sizes)) for name, sizes in (given["input_shapes"] or {}).items()},
        "input_values": {name: float(value) for name, value in (given["input_values"] or {}).items()},
        **{name: given[name] or "" for name in ("target", "augment", "metric", "task")},
        "layout_out": known_layout(given["layout_out"]) if given["layout_out"] else "",
        **{name: given[name] for name in ("gzip", "sampler", "seed", "normalize_outside")},
    }
    limits = {name: given[name] for name in ("seconds", "trials")} | {"trial_seconds": given["trial_timeout"]}
    own = (
        "storage", "study", "join", "fresh", "host", "trust_target", "allow_unsafe", "anyway", "cache_bytes",
    )  # fmt: skip
    with working(progress) as (folder, receiver):
        path = None if model is None else model_path(model, folder, data, given["input_shapes"])
        place = Path(out) if out is not None else Path(f"{path.stem if path else DEMO_MODEL}-search")
        request = {
            "settings": settings,
            "limits": limits,
            "model": path and str(path.absolute()),
            "data": data_spec(data, folder),
            "out": str(place.absolute()),
            "students": list(map(str, given["students"])),
            "custom": list(given["custom"]),
            "teacher": str(given["teacher"] or ""),
            "identity": None if given["identity"] is None else str(given["identity"]),
            **{name: given[name] for name in own},
        }
        found = _followed(plain_request(request), receiver, f"search {place}")
    return Search(place, results.SearchResult.from_dict(found, "search"), tuple(receiver.warnings))


def _followed(request: Any, receive: Callable[[Event], object], what: str) -> Any:
    """Run workers, one after the other, until one of them comes to the end."""
    deaths = 0
    while True:
        try:
            return work.run(WORKER, request, receive, what)
        except RunnerCrashed as error:
            deaths += 1
            if deaths >= MOST_DEATHS:
                raise
            receive(Warned(f"{error.message}; another worker goes on with the search", "search-worker-died"))
            request = {**request, "fresh": False}


@dataclass(frozen=True)
class FrontPoint:
    """A file on the front.

    Attributes:
        trial: the record of its trial: number, recipe, sizes, MACs, latency.
        test: its score on test samples, read once, for its bundle; None where there is no bundle.
        bundle_path: of its bundle; None where another machine has it.
        recipe_path: of the recipe that makes it again.
    """

    trial: Trial
    test: Score | None
    bundle_path: Path | None
    recipe_path: Path | None

    @property
    def bytes(self) -> int:
        """Size of the file, in bytes."""
        return 0 if self.trial.measured is None else self.trial.measured.bytes

    @property
    def score(self) -> Score | None:
        """The score on validation samples, by which it was chosen."""
        return None if self.trial.measured is None else self.trial.measured.scored

    @cached_property
    def bundle(self) -> Bundle:
        """Its bundle.

        Raises:
            InputError: another machine has it, or it was changed.
        """
        if self.bundle_path is None:
            raise InputError(
                f"trial {self.trial.number}: its bundle is not here: it was run by {self.trial.worker}",
                f"make it with: edgekit compress MODEL --recipe {self.recipe_path}",
                code="bundle-elsewhere",
            )
        return Bundle.of(read_bundle(self.bundle_path))


@dataclass(frozen=True, repr=False)
class Search:
    """What a search came to.

    Attributes:
        path: its folder.
        result: as `front.json` has it.
        warnings: of the call, in order.
    """

    path: Path
    result: results.SearchResult
    warnings: tuple[Warned, ...] = ()

    @cached_property
    def front(self) -> tuple[FrontPoint, ...]:
        """The files that are not beaten in score, size and cost, largest first."""
        return tuple(
            FrontPoint(
                point.trial,
                point.tested,
                self.path / point.bundle if point.bundle else None,
                self.path / point.recipe if point.recipe else None,
            )
            for point in self.result.front
        )

    @property
    def met(self) -> bool:
        """Whether a file keeps to the budget."""
        return self.result.met

    def table(self) -> str:
        """Return the front as text."""
        from edgekit.reporting.search_table import search_table

        return search_table(self.result)

    def to_pandas(self) -> pandas.DataFrame:
        """Return a row a file of the front.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        from edgekit.reporting.search_table import point_values

        return data_frame([point_values(point) for point in self.result.front])

    def __repr__(self) -> str:
        return f"Search({str(self.path)!r})\n{self.table()}"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"
