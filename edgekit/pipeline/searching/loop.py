"""One trial after the other, until the search ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgekit.bundle.trials import COMPLETE, FAILED, PRUNED, Rung, Trial
from edgekit.errors import EdgekitError, InputError
from edgekit.pipeline.searching.choice import Choice
from edgekit.pipeline.searching.deadline import Expired
from edgekit.pipeline.searching.front import Goals, front
from edgekit.pipeline.searching.options import Limits
from edgekit.pipeline.searching.refine import refined
from edgekit.pipeline.searching.shared import RECIPE, RECORD, RUNGS, Shared, requeue
from edgekit.pipeline.searching.space import Space
from edgekit.pipeline.searching.study import Standing
from edgekit.progress import Progress
from edgekit.schema.gate import read
from edgekit.schema.tables import fields_written

if TYPE_CHECKING:
    import optuna

MOST_FAILURES = 5
"""Trials that fail one after the other, after which a search ends."""
MOST_REPEATS = 30
"""Trials that only repeat earlier ones, one after the other, after which nothing new is left."""
WAIT_SECONDS = 2.0
"""Between looks at what other workers do."""


@dataclass(frozen=True)
class Proposal:
    """What a trial is to try.

    Attributes:
        number: of the trial.
        choice: a point of the space.
        named: the recipe of the package that it is, exactly; or empty.
        others: trials that are finished.
        rungs: of other trials, finished or not, at a share of the epochs.
        reached: is called with a rung of this one.
    """

    number: int
    choice: Choice
    named: str
    others: Sequence[Trial]
    rungs: Callable[[float], list[Rung]]
    reached: Callable[[Rung], None]


Attempt = Callable[[Proposal], Trial]
"""Tries; raises what ends the search, such as a full disk, and returns a failed trial for what does not."""


class Loop:
    """The trials of one worker.

    Args:
        study: with the trials of all workers.
        shared: its storage.
        space: what may vary.
        goals: what is better.
        limits: when the search ends.
        attempt: runs a trial.
        kept: is called with every trial that is finished here, and how far the search is then.
        progress: notified of what others do.
    """

    def __init__(
        self,
        study: optuna.Study,
        shared: Shared,
        space: Space,
        goals: Goals,
        limits: Limits,
        attempt: Attempt,
        kept: Callable[[Trial, Standing], None],
        progress: Progress,
    ) -> None:
        self._study, self._shared, self._space, self._goals = study, shared, space, goals
        self._limits, self._attempt, self._kept, self._progress = limits, attempt, kept, progress
        self._began = time.monotonic()
        self._before = self.standing().seconds
        self._own: list[Trial] = []
        self._current: optuna.Trial | None = None

    def standing(self) -> Standing:
        """Return how far the search is."""
        with self._shared.explained():
            return Standing.of(self._study, self._shared.where)

    def seconds_left(self) -> float | None:
        """Return for how long the search goes on; None without such a limit."""
        if self._limits.seconds is None:
            return None
        return self._limits.seconds - self._before - (time.monotonic() - self._began)

    def run(self) -> Standing:
        """Run trials until the search ends; return how far it is then.

        Raises:
            EdgekitError: the storage is lost, the disk is full, or one trial after the other fails.
        """
        waited = False
        while not self._is_over(standing := self.standing()):
            most = self._limits.trials
            if most is not None and len(standing.trials) + standing.running >= most:
                if not waited:
                    self._progress.notify(f"waiting for {standing.running} trials of other workers")
                waited = True
                time.sleep(WAIT_SECONDS)
                with self._shared.explained(), self._shared.turn():
                    self._shared.reap(self._study)
                continue
            try:
                self._one(standing)
            except Expired:
                break
            except _Outside as error:
                raise error.error from None
            self._kept(self._own[-1], self.standing())
            self._check()
        return self.standing()

    def _is_over(self, standing: Standing) -> bool:
        left, most = self.seconds_left(), self._limits.trials
        if (left is not None and left <= 0) or (most is not None and len(standing.trials) >= most):
            return True
        repeats = self._own[-MOST_REPEATS:]
        if len(repeats) == MOST_REPEATS and all(trial.same_as is not None for trial in repeats):
            self._progress.notify(f"the last {MOST_REPEATS} trials only repeated earlier ones: nothing new is left")
            return True
        return False

    def _check(self) -> None:
        """Raise if one trial after the other failed here."""
        last = self._own[-MOST_FAILURES:]
        if len(last) == MOST_FAILURES and all(trial.state == FAILED for trial in last):
            raise EdgekitError(
                f"the last {MOST_FAILURES} trials failed; the last one: {last[-1].reason} [{last[-1].code}]",
                "mend that, and give the same command again: it goes on where it stopped",
                code="search-fails",
            )

    def _one(self, standing: Standing) -> None:
        """Run one trial; one that is interrupted is handed back."""
        with ExitStack() as turn, ExitStack() as lease, self._shared.explained():
            turn.enter_context(self._shared.turn())
            self._shared.reap(self._study)
            refined(self._study, standing, front(standing.trials, self._goals))

            def objective(trial: optuna.Trial) -> tuple[float, float, float]:
                self._current = trial
                lease.enter_context(self._shared.lease(trial.number))
                turn.close()
                return self._values(trial, self._tried(trial, standing))

            try:
                self._study.optimize(objective, n_trials=1, catch=(_Failed,))
            except BaseException:
                self._hand_back()
                raise
            finally:
                self._current = None

    def _tried(self, trial: optuna.Trial, standing: Standing) -> Trial:
        try:
            choice = self._space.suggest(trial)
        except (ValueError, TypeError) as error:
            raise InputError(
                f"{self._shared.where}: trial {trial.number}: its parameters are none of this search: {error}",
                "the storage was written by something else: name another with `--storage`",
                code="storage-foreign",
            ) from error
        rungs: list[Rung] = []

        def reached(rung: Rung) -> None:
            rungs.append(rung)
            trial.set_user_attr(RUNGS, [fields_written(rung) for rung in rungs])

        named = str(trial.user_attrs.get(RECIPE, ""))
        proposal = Proposal(trial.number, choice, named, standing.trials, self._rungs_beside(trial), reached)
        try:
            record = self._attempt(proposal)
        except Exception as error:
            raise _Outside(error) from error
        self._own.append(record)
        trial.set_user_attr(RECORD, record.to_dict())
        return record

    def _values(self, trial: optuna.Trial, record: Trial) -> tuple[float, float, float]:
        """Return what Optuna is told of a trial; a budget that is missed is a constraint that is violated."""
        import optuna

        misses: Mapping[str, float] = {}
        if record.measured is not None:
            misses = self._goals.budget.misses(record.measured, gzip=self._goals.gzip)
        elif record.known is not None:
            misses = self._goals.budget.known_misses(record.known, gzip=self._goals.gzip)
        for name, miss in misses.items():
            trial.set_constraint(name, miss)
        if record.state == COMPLETE and record.measured is not None:
            return self._goals.values(record.measured)
        if record.state == PRUNED:
            raise optuna.TrialPruned(record.reason)
        raise _Failed(record.reason)

    def _rungs_beside(self, trial: optuna.Trial) -> Callable[[float], list[Rung]]:
        def rungs(share: float) -> list[Rung]:
            others = [t for t in self._study.get_trials(deepcopy=False) if t.number != trial.number]
            source = f"{self._shared.where}: rungs"
            held = [t.user_attrs.get(RUNGS) for t in others]
            values = [value for several in held if isinstance(several, list) for value in several]
            each: list[Rung] = [read(Rung, value, source, "rung") for value in values]
            return [rung for rung in each if rung.share == share]

        return rungs

    def _hand_back(self) -> None:
        from optuna.trial import TrialState

        if self._current is None:
            return
        number = self._current.number
        [frozen] = [t for t in self._study.get_trials(deepcopy=False) if t.number == number]
        if frozen.state == TrialState.RUNNING:
            self._study.tell(number, state=TrialState.FAIL)
        if RECORD not in frozen.user_attrs:
            requeue(self._study, frozen, crashed=False)


class _Failed(Exception):
    """A trial that failed."""


class _Outside(BaseException):
    """Carries what an attempt raises past Optuna and past what explains a storage's faults."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error
