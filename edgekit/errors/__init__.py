"""The errors edgekit raises on purpose.

    EdgekitError               anything explained to the user: what happened, and what to do next
    ├── InputError             a file, data set, recipe or option that cannot be used as given
    ├── ChanceError            a model is no better than a constant guess, whatever the preprocessing
    ├── MissingExtraError      a command needs an optional part of edgekit that is not installed
    ├── OutputError            a result could not be written (exists already, disk full, no permission)
    ├── QualityError           a bundle is made, and lost too much of the model's quality to be used
    ├── ConversionError        an exporter or a bridge could not express the model
    ├── TargetError            a device cannot do what is asked of it: unreachable, no Python, disk full, busy
    │   ├── ConnectionFailed   the way to it broke; trying again may help
    │   └── TargetTimeout      it did not answer in time; a TimeoutError, too
    └── RunnerError            the measuring child process failed
        ├── RunnerCrashed      it was killed by a signal or left no answer
        └── RunnerTimeout      it did not finish before its deadline

Exit codes are chosen in `edgekit.cli` only.
"""

from __future__ import annotations


class EdgekitError(Exception):
    """An explained failure.

    Args:
        message: what happened, naming the file or option.
        hint: the next step for the user, one sentence; empty when there is none.
        code: a slug of `edgekit.errors.codes`, which stays the same whatever the message says.
    """

    transient = False
    """Whether the same call may succeed when simply repeated (a dropped connection), so retrying makes sense."""

    def __init__(self, message: str, hint: str = "", *, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code


class InputError(EdgekitError):
    """A file, data set, recipe or option cannot be used as given."""


class ChanceError(EdgekitError):
    """A model is no better than a constant guess on the samples that it is to be compressed with."""


class QualityError(EdgekitError):
    """A bundle is made and kept, and lost too much of the model's quality to be used.

    Args:
        message: what was lost.
        hint: what to try.
        code: of `edgekit.errors.codes`.
        bundle: the bundle, an `edgekit.Bundle`; None where it is not at hand.
    """

    bundle: object = None

    def __init__(self, message: str, hint: str = "", *, code: str = "", bundle: object = None) -> None:
        super().__init__(message, hint, code=code)
        self.bundle = bundle


class MissingExtraError(EdgekitError):
    """The command needs an extra that is not installed."""

    def __init__(self, what: str, extra: str, cause: str = "") -> None:
        detail = f" ({cause})" if cause else ""
        super().__init__(
            f"{what} needs the `{extra}` extra, which is not installed{detail}",
            f"install it with: pip install 'edgekit[{extra}]'",
            code="extra-not-installed",
        )
        self.extra = extra


class OutputError(EdgekitError):
    """A result could not be written."""


class ConversionError(EdgekitError):
    """A model could not be bridged, converted or exported."""


class TargetError(EdgekitError):
    """A device cannot do what is asked of it."""


class ConnectionFailed(TargetError):
    """The connection to a device broke or was not made."""

    transient = True


class TargetTimeout(TargetError, TimeoutError):
    """A device, or a program on it, did not answer in time."""


class RunnerError(EdgekitError):
    """The measuring child process failed."""


class RunnerCrashed(RunnerError):
    """The runner was killed by a signal or ended without an answer."""


class RunnerTimeout(RunnerError):
    """The runner did not finish before its deadline."""

    transient = True
