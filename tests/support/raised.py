"""Expect an error by its code, which stays when its wording improves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from edgekit.errors import EdgekitError


@contextmanager
def raised(
    code: str, *names: str, kind: type[EdgekitError] = EdgekitError
) -> Iterator[pytest.ExceptionInfo[EdgekitError]]:
    """Expect an error with a code, whose message or hint names every one of `names`: files, keys, numbers."""
    with pytest.raises(kind) as caught:
        yield caught
    error = caught.value
    assert error.code == code, f"{error.code!r}: {error.message}"
    missing = [name for name in names if name not in f"{error.message} {error.hint}"]
    assert not missing, f"{missing} not in {error.message!r} {error.hint!r}"
