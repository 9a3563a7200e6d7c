"""What the workers of a search share: Optuna's storage, an embedded journal file or a database.

A trial belongs to the worker that runs it for as long as that lives; a dead worker's trial is queued again. What a
storage holds is numbers and text: Optuna keeps JSON in both, and those of its storages that unpickle are not used.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from edgekit.errors import EdgekitError
from edgekit.errors.printable import visible

if TYPE_CHECKING:
    import optuna

AGAIN, CRASHES = "again", "crashes"
"""User attributes of a trial that is run again: which one it was, and how many workers died while they ran it."""
RECORD, RUNGS, RECIPE, REFINES = "trial", "rungs", "recipe", "refines"
"""User attributes of a trial: its record, what it was like by shares of its epochs, the recipe of the package that it
is, and the trial whose student it takes over."""
MOST_CRASHES = 2
"""Of a trial: it is not run again when that many workers died while they ran it."""


class Shared(ABC):
    """A storage.

    Attributes:
        where: for messages, without a password.
        storage: Optuna's.
    """

    where: str
    storage: optuna.storages.BaseStorage

    @abstractmethod
    def turn(self) -> AbstractContextManager[None]:
        """Return the turn to take the next trial: nobody else takes one meanwhile, or looks who is dead."""

    @abstractmethod
    def lease(self, number: int) -> AbstractContextManager[None]:
        """Return what says, for a `with` block, that the worker of a trial is alive."""

    @abstractmethod
    def reap(self, study: optuna.Study) -> None:
        """Queue the trials of dead workers again; in one's turn."""

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Say what is wrong with the storage, where something is.

        Raises:
            EdgekitError: it cannot be reached, or refuses what is written.
        """
        from optuna.exceptions import StorageInternalError
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (StorageInternalError, SQLAlchemyError) as error:
            cause = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
            first = str(getattr(cause, "orig", None) or cause).strip().partition("\n")[0]
            raise EdgekitError(
                f"{self.where}: the storage of the search cannot be used: {visible(first)[:300]}",
                "check that its server runs, and that its user may create tables; then give the same command again",
                code="storage-unreachable",
            ) from error


def requeue(study: optuna.Study, trial: optuna.trial.FrozenTrial, *, crashed: bool = True) -> None:
    """Queue a trial again that nobody runs any longer, with the parameters that it had by then.

    Args:
        study: of the trial.
        trial: its state is `FAIL` by now.
        crashed: whether its worker died; after `MOST_CRASHES` the trial stays failed. Else it was handed back.
    """
    kept = {key: trial.user_attrs[key] for key in (RECIPE, REFINES) if key in trial.user_attrs}
    crashes = (number_of(trial, CRASHES) or 0) + crashed
    if crashes >= MOST_CRASHES:
        return
    params = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
    study.enqueue_trial(params, user_attrs={**kept, AGAIN: trial.number, CRASHES: crashes})


def number_of(trial: optuna.trial.FrozenTrial, key: str) -> int | None:
    """Return a user attribute of a trial that is an integer; None where it has none, whatever a storage says."""
    value = trial.user_attrs.get(key)
    return value if type(value) is int else None
