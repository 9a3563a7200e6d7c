"""A database as storage: any number of workers on any number of machines.

Optuna's heartbeat says which worker lives: one that has not been heard of for `GRACE_SECONDS` is dead.
"""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from edgekit.errors import InputError
from edgekit.errors.printable import clipped
from edgekit.pipeline.searching.shared import Shared, requeue

if TYPE_CHECKING:
    import optuna

KINDS = {"postgresql": "psycopg[binary]", "mysql": "mysqlclient", "sqlite": ""}
"""Databases that may be named, and the package that reaches them."""
HEARTBEAT_SECONDS, GRACE_SECONDS = 10, 40


class Database(Shared):
    """A database.

    Args:
        url: as SQLAlchemy takes it.

    Raises:
        InputError: it names no database of `KINDS`, or its driver is not installed.
        EdgekitError: it cannot be reached.
    """

    def __init__(self, url: str) -> None:
        from optuna.storages import RDBStorage
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError

        kind = url.partition(":")[0].partition("+")[0]
        if kind not in KINDS:
            raise InputError(
                f"`--storage {clipped(kind)}:...`: no database that a search can use",
                f"one of {', '.join(f'{name}://' for name in KINDS)}, or the path of a journal file",
                code="storage-unknown",
            )
        try:
            place = make_url(url)
            place.get_dialect()
            self.where = place.render_as_string(hide_password=True)
            with warnings.catch_warnings(), self.explained():
                warnings.simplefilter("ignore")  # parts of Optuna that are called experimental
                self.storage = RDBStorage(
                    url,
                    heartbeat_interval=HEARTBEAT_SECONDS,
                    grace_period=GRACE_SECONDS,
                    heartbeat_stale_trial_callback=requeue,
                )
        except (ArgumentError, NoSuchModuleError, ValueError) as error:
            raise InputError(
                f"`--storage {kind}:...`: not a URL that names a database",
                "such as postgresql://user@host/database; a password may stand in ~/.pgpass",
                code="storage-unknown",
            ) from error
        except ImportError as error:
            raise InputError(
                f"`--storage {kind}:...`: its driver is not installed: {error}",
                f"install it with: pip install '{KINDS[kind]}'",
                code="storage-driver-missing",
            ) from error

    def turn(self) -> AbstractContextManager[None]:
        """See `Shared`; a database gives a trial to one worker only."""
        return nullcontext()

    def lease(self, number: int) -> AbstractContextManager[None]:
        """See `Shared`; Optuna's heartbeat runs while it optimizes."""
        return nullcontext()

    def reap(self, study: optuna.Study) -> None:
        """See `Shared`."""
        import optuna

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            optuna.storages.fail_stale_trials(study)
