"""Quantities as they are typed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edgekit.schema.units import count, milliseconds, share, size
from tests.support.raised import raised


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (size, "60kB", 60_000), (size, "60 KB", 60_000), (size, "1.5MB", 1_500_000), (size, "64KiB", 65_536),
        (size, "1GiB", 1 << 30), (size, "123", 123), (size, "12B", 12), (milliseconds, "5ms", 5),
        (milliseconds, "5", 5), (milliseconds, "800us", 0.8),
        (milliseconds, "0.1s", 100), (count, "3M", 3_000_000), (count, "250k", 250_000),
        (count, "12", 12), (share, "0.85", 0.85), (share, "85%", 0.85), (share, "85.5 %", 0.855), (share, "30", 30),
    ],
)  # fmt: skip
def test_units(read: Callable[[str, str], float], text: str, value: float) -> None:
    assert read(text, "--x") == pytest.approx(value)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (size, "60 kilo"), (size, "-5kB"), (size, ""), (size, "kB"), (size, "1e9"), (size, "5ms"),
        (milliseconds, "5kB"), (milliseconds, "nan"),
        (count, "3x"), (share, "85percent"), (share, "-1"), (size, "1,5MB"), (share, "0.8.5"),
    ],
)  # fmt: skip
def test_what_has_no_unit_or_another(read: Callable[[str, str], float], text: str) -> None:
    with raised("option-malformed", "--x"):
        read(text, "--x")
