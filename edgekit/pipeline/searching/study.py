"""The trials of all workers, and what they are about, in Optuna's storage."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgekit.bundle.trials import FAILED, Trial
from edgekit.errors import InputError
from edgekit.errors.printable import clipped, plain_name
from edgekit.pipeline.searching.settings import Settings, differences, joined
from edgekit.pipeline.searching.shared import AGAIN, RECIPE, RECORD, Shared, number_of
from edgekit.schema.gate import read
from edgekit.schema.rules import AnyFloat, Line
from edgekit.schema.tables import fields_written
from edgekit.schema.types import JsonObject, JsonValue
from edgekit.schema.versions import WRITER, Versions

if TYPE_CHECKING:
    import optuna

VERSIONS = Versions("search", 1)
IDENTITY, PREPARED = "edgekit", "prepared"
"""User attributes of a study: what it is about, and that its first trials are queued."""
PREPARE_SECONDS = 30.0
"""In which a worker queues the first trials; one that takes longer has died of it."""
STARTUP = 8
"""Trials before the sampler learns from them."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a search is about. Whoever joins it or goes on with it must have the same.

    Attributes:
        edgekit: version.
        model: SHA-256 of the file, or the name of the demo model.
        data: SHA-256 of all samples and labels.
        settings: of the search.
        reference_ms: latency of the reference file on the target, or None.
    """

    edgekit: Line
    model: Line
    data: Line
    settings: Settings
    reference_ms: AnyFloat | None = None

    def to_dict(self) -> JsonObject:
        """Return the JSON form."""
        return {"schema": VERSIONS.newest, **fields_written(self)}


def known_identity(shared: Shared, name: str) -> Identity | None:
    """Return what the search of a name in a storage is about; None if there is none.

    Raises:
        InputError: there is a study of that name that is no search of edgekit's.
    """
    import optuna

    with shared.explained():
        names = optuna.get_all_study_names(shared.storage)
        if name not in names:
            return None
        study = optuna.load_study(study_name=name, storage=shared.storage)
        value = study.user_attrs.get(IDENTITY)
    source = f"{shared.where}: search `{name}`"
    if value is None:
        raise InputError(
            f"{source}: is a study of Optuna's that edgekit did not make",
            "choose another name with `--study`",
            code="storage-foreign",
        )
    identity: Identity = read(Identity, value, source, "search", versions=VERSIONS)
    return identity


def agreed(known: Identity | None, given: Settings, *, join: bool, where: str, name: str) -> Settings:
    """Return the settings of a worker.

    Args:
        known: of the search in the storage, if there is one.
        given: what this worker asks for.
        join: whether there must be one, whose settings count.
        where: the storage, for messages.
        name: of the search.

    Raises:
        InputError: there is none to join, or it is another one; with what differs.
    """
    if known is None:
        if join:
            raise InputError(
                f"{where}: no search `{clipped(name)}` to join",
                "start it without `--join`, or name it with `--study`",
                code="study-missing",
            )
        return given
    settings = joined(known.settings, given) if join else given
    check_same(known, replace(known, edgekit=WRITER, settings=settings), where)
    return settings


def check_same(known: Identity, here: Identity, where: str) -> None:
    """Raise `InputError` unless two workers are about the same, naming what is not."""
    pairs = (("edgekit", "edgekit"), ("SHA-256 of the model", "model"), ("SHA-256 of the data", "data"))
    each = [(what, getattr(known, field), getattr(here, field)) for what, field in pairs]
    found = [(what, one, other) for what, one, other in each if one != other]
    if found := [*found, *differences(known.settings, here.settings)]:
        raise _other(where, found)


def _other(where: str, found: Iterable[tuple[str, str, str]]) -> InputError:
    listed = "; ".join(f"{what} is {one} there and {other} here" for what, one, other in found)
    return InputError(
        f"{where}: holds another search: {listed}",
        "give what it was started with, or another `-o` and `--study` for a new search",
        code="study-differs",
    )


def open_study(
    shared: Shared, name: str, identity: Identity, first: Sequence[tuple[str, Mapping[str, JsonValue]]], *, more: bool
) -> tuple[optuna.Study, Identity]:
    """Return the study, made if it is missing, with its first trials queued, and what it is about.

    Args:
        shared: the storage.
        name: of the study.
        identity: what it is about, as far as it is this worker's to say.
        first: parameters of the first trials, each with the recipe of the package that it is, or with an empty name.
        more: whether less of the metric is worse.

    Raises:
        InputError: it is there, and about something else.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    with shared.explained(), shared.turn():
        made = name not in optuna.get_all_study_names(shared.storage)
        study = optuna.create_study(
            storage=shared.storage,
            study_name=name,
            directions=["maximize" if more else "minimize", "minimize", "minimize"],
            sampler=_sampler(identity.settings, made=made),
            load_if_exists=True,
        )
        if made or not _prepared(study):
            study.set_user_attr(IDENTITY, identity.to_dict())
            there = {trial.user_attrs.get(RECIPE) for trial in study.get_trials(deepcopy=False)}
            for recipe, params in first:
                if recipe not in there:
                    study.enqueue_trial(dict(params), user_attrs={RECIPE: recipe})
            study.set_user_attr(PREPARED, True)
    known = known_identity(shared, name)
    assert known is not None
    check_same(known, identity, shared.where)
    return study, known


def _prepared(study: optuna.Study) -> bool:
    """Wait until another worker, which made the study a moment ago, has queued its first trials; False: it died."""
    since = time.monotonic()
    while not study.user_attrs.get(PREPARED):
        if time.monotonic() - since > PREPARE_SECONDS:
            return False
        time.sleep(0.2)
    return True


def _sampler(settings: Settings, *, made: bool) -> optuna.samplers.BaseSampler:
    import optuna

    # Workers of one search must not all draw the same; the first draws what the seed says.
    seed = settings.seed if made else int.from_bytes(os.urandom(4), "little")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if settings.sampler == "gp":
            try:
                import torch  # noqa: F401
            except ImportError as error:
                raise InputError(
                    "`--sampler gp`: a Gaussian process needs PyTorch, which is not installed",
                    "pip install torch, or leave `--sampler` out",
                    code="sampler-needs-torch",
                ) from error
            return optuna.samplers.GPSampler(seed=seed, n_startup_trials=STARTUP)
        return optuna.samplers.TPESampler(
            seed=seed, multivariate=True, group=True, constant_liar=True, n_startup_trials=STARTUP
        )


@dataclass(frozen=True)
class Standing:
    """How far a search is.

    Attributes:
        trials: that are finished, in their order; those that are run again are not among them.
        running, waiting: how many are under way and queued.
        seconds: for which somebody ran a trial.
    """

    trials: tuple[Trial, ...]
    running: int
    waiting: int
    seconds: float

    @classmethod
    def of(cls, study: optuna.Study, where: str) -> Standing:
        """Look.

        Args:
            study: the study.
            where: its storage, for messages.

        Raises:
            InputError: the storage holds something else.
        """
        from optuna.trial import TrialState

        frozen = study.get_trials(deepcopy=False)
        again = {number_of(trial, AGAIN) for trial in frozen}
        ended = [trial for trial in frozen if trial.state.is_finished() and trial.number not in again]
        states = [trial.state for trial in frozen]
        return cls(
            tuple(_record(trial, where) for trial in ended),
            states.count(TrialState.RUNNING),
            states.count(TrialState.WAITING),
            _spent(ended),
        )


def _record(trial: optuna.trial.FrozenTrial, where: str) -> Trial:
    value = trial.user_attrs.get(RECORD)
    if value is not None:
        return replace(Trial.from_dict(value, f"{where}: trial {trial.number}"), number=trial.number)
    name = plain_name(str(trial.user_attrs.get(RECIPE, f"trial-{trial.number}")), 100)
    return Trial(
        trial.number, FAILED, name, "", "0" * 64,
        reason="its workers died while they ran it", code="trial-crashed",
    )  # fmt: skip


def _spent(trials: Iterable[optuna.trial.FrozenTrial]) -> float:
    """Return the seconds in which at least one of the trials was under way."""
    spans = sorted((t.datetime_start, t.datetime_complete) for t in trials if t.datetime_start and t.datetime_complete)
    total, until = 0.0, None
    for start, end in spans:
        begin = start if until is None or start > until else until
        if end > begin:
            total += (end - begin).total_seconds()
        until = end if until is None else max(until, end)
    return total
