"""What one worker of a search is asked for: the settings that all share, and its own files, places and limits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.errors import InputError
from edgekit.files.opening import expanded
from edgekit.files.whole import sha256
from edgekit.pipeline.searching.settings import Settings
from edgekit.schema.gate import read
from edgekit.schema.types import JsonMapping


@dataclass(frozen=True)
class Limits:
    """When a search ends.

    Attributes:
        seconds: for which somebody searched, or None.
        trials: that are finished, or None.
        trial_seconds: after which one trial is given up.
    """

    seconds: float | None = None
    trials: int | None = None
    trial_seconds: float = 24 * 3600.0

    def checked(self) -> Limits:
        """Return it.

        Raises:
            InputError: something is not above 0, or nothing is limited.
        """
        for option, value in (
            ("--time", self.seconds),
            ("--trials", self.trials),
            ("--trial-timeout", self.trial_seconds),
        ):
            if value is not None and not 0 < value <= 1e9:
                raise InputError(f"`{option}` is {value:g}, expected a number above 0", code="value-out-of-range")
        if self.seconds is None and self.trials is None:
            raise InputError(
                "a search has no end of its own",
                "say when it ends with `--time 2h` or `--trials 40`",
                code="search-without-end",
            )
        return self


@dataclass(frozen=True, kw_only=True)
class Options:
    """A worker: the settings of its search, and what is its own.

    Attributes:
        settings: that it gives.
        limits: of this search, as this worker has them.
        model, data: what is compressed.
        out: folder of the search.
        storage: a database's URL or a journal file; None: in `out`.
        study: name of the search in its storage.
        join: whether the search must be there already.
        fresh: whether what is in `out` is thrown away.
        target, host, identity, trust_target: the target as it was typed, a name or a file, and how it is reached.
        student_files, teacher: model files.
        allow_unsafe, custom, anyway: as for `compress`.
        cache_bytes: of finished stages that are kept for later trials.
    """

    settings: Settings
    limits: Limits
    model: Path | None
    data: str
    out: Path
    storage: str | None = None
    study: str = "edgekit"
    join: bool = False
    fresh: bool = False
    target: str = ""
    host: str | None = None
    identity: str | None = None
    trust_target: bool = False
    student_files: tuple[str, ...] = ()
    teacher: str = ""
    allow_unsafe: bool = False
    custom: tuple[str, ...] = ()
    anyway: bool = False
    cache_bytes: int = 4 << 30


def options_of(request: JsonMapping) -> Options:
    """Return a request of the Python face or the command line, checked as far as that goes without a model.

    Raises:
        InputError: something is out of range, or excludes something else.
    """
    files = [text for text in request["students"] if "/" in text or text.endswith((".keras", ".h5"))]
    paths = {text: expanded(text) for text in (*files, *filter(None, [request["teacher"]]))}
    for text, path in paths.items():
        if not path.is_file():
            raise InputError(f"{text}: no such model file", code="file-missing")
    settings: Settings = read(
        Settings,
        {
            **request["settings"],
            "target": target_name(request["settings"]["target"]),
            "students": [text for text in request["students"] if text not in files],
            "files": [sha256(paths[text]) for text in files],
            "teacher": sha256(paths[request["teacher"]]) if request["teacher"] else "",
        },
        "search",
        "search",
    )
    if not settings.effort > 0:
        raise InputError(f"`--effort` is {settings.effort:g}, expected a number above 0", code="value-out-of-range")
    limits = request["limits"]
    own = (
        "data", "storage", "study", "join", "fresh", "host", "identity", "trust_target", "allow_unsafe", "anyway",
        "cache_bytes",
    )  # fmt: skip
    return Options(
        settings=replace(settings, budget=settings.budget.checked()),
        limits=Limits(limits["seconds"], limits["trials"], limits["trial_seconds"] or Limits.trial_seconds).checked(),
        model=None if request["model"] is None else Path(request["model"]),
        out=Path(request["out"]),
        student_files=tuple(str(paths[text]) for text in files),
        teacher=str(paths[request["teacher"]]) if request["teacher"] else "",
        target=request["settings"]["target"],
        custom=tuple(request["custom"]),
        **{name: request[name] for name in own},
    )


def target_name(text: str) -> str:
    """Return the name of a target, which may be typed as a file's path."""
    return Path(text).stem if "/" in text or text.endswith(".toml") else text
