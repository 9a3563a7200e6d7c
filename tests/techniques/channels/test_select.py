"""Amounts, scopes and rounding. No TensorFlow here."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.techniques.channels.groups import Group
from edgekit.techniques.channels.select import Rounding, Selection, select
from tests.support.raised import raised


def group(name: str, size: int, multiplicity: int = 1) -> Group:
    members = tuple(tuple((name, unit + size * k) for k in range(multiplicity)) for unit in range(size))
    return Group(name, (name,), (), (), tuple(range(size)), members)


def chosen(scores: dict[str, list[float]], amount: float, scope: str, multiple_of: int = 1) -> Selection:
    groups = [group(name, len(values)) for name, values in scores.items()]
    arrays = {name: np.asarray(values, np.float64) for name, values in scores.items()}
    return select(groups, arrays, amount, scope, Rounding(multiple_of))


def test_local_takes_the_same_share_everywhere() -> None:
    found = chosen({"a": [1, 9, 2, 8], "b": [90, 10, 80, 20, 70, 30]}, 0.5, "local")
    assert found.removed == {"a": [0, 2], "b": [1, 3, 5]}
    assert found.notes == ()


def test_global_takes_the_least_important_of_all() -> None:
    found = chosen({"a": [1, 9, 2, 8], "b": [90, 10, 80, 20, 70, 30]}, 0.4, "global")
    assert found.removed == {"a": [0, 2, 3], "b": []} or found.removed == {"a": [0, 2, 3], "b": [1]}
    assert sum(map(len, found.removed.values())) == 4


def test_global_leaves_one_channel_and_says_so() -> None:
    found = chosen({"a": [0.1, 0.3, 0.2], "b": [1.0, 2, 3, 4, 5]}, 0.5, "global")
    assert found.removed == {"a": [0, 2], "b": [0, 1]}
    assert found.notes == ("a: none of 3 channels would be left, so 1 stay",)


def test_local_leaves_the_minimum_and_says_so() -> None:
    found = select([group("a", 4)], {"a": np.arange(4.0)}, 0.95, "local", Rounding(8, minimum=2))
    assert found.removed == {"a": [0, 1]}
    assert found.notes == ("a: none of 4 channels would be left, so 2 stay",)


@pytest.mark.parametrize(
    ("size", "amount", "kept"),
    [
        (32, 0.5, 16), (24, 0.5, 16), (20, 0.5, 8), (16, 0.5, 8), (64, 0.8, 16), (64, 0.9, 8),
        (16, 0.7, 8), (16, 0.8, 3), (16, 0.9, 2), (15, 0.5, 8), (12, 0.5, 6), (4, 0.5, 2), (3, 0.5, 2),
        (20, 0.01, 20), (20, 0.0, 20), (17, 0.02, 17), (17, 0.04, 16), (100, 0.0, 100), (2, 0.9, 1),
    ],
)  # fmt: skip
def test_rounding_to_8(size: int, amount: float, kept: int) -> None:
    assert Rounding(8).kept(group("a", size), size * (1 - amount)) == kept


def test_rounding_counts_channels_where_several_go_together() -> None:
    assert Rounding(8).kept(group("grouped", 8, multiplicity=4), 3) == 4  # 16 channels, not 12
    assert Rounding(8).kept(group("grouped", 8, multiplicity=3), 3) == 3


@given(
    size=st.integers(1, 200),
    multiple_of=st.sampled_from([1, 2, 4, 8, 16]),
    minimum=st.integers(1, 20),
    wanted=st.lists(st.floats(0, 200), min_size=2, max_size=2),
)
def test_rounding_never_falls_and_stays_in_range(
    size: int, multiple_of: int, minimum: int, wanted: list[float]
) -> None:
    low, high = (Rounding(multiple_of, minimum).kept(group("a", size), value) for value in sorted(wanted))
    assert min(minimum, size) <= low <= high <= size


@given(sizes=st.lists(st.integers(2, 60), min_size=1, max_size=8), amount=st.floats(0, 0.9), seed=st.integers(0, 99))
def test_global_without_rounding_hits_the_amount(sizes: list[int], amount: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = chosen({str(i): rng.random(size).tolist() for i, size in enumerate(sizes)}, amount, "global")
    gone, possible = sum(map(len, found.removed.values())), sum(sizes) - len(sizes)
    assert abs(gone - min(amount * sum(sizes), possible)) <= 0.5 + 1e-6


@given(sizes=st.lists(st.integers(16, 99), min_size=4, max_size=12), seed=st.integers(0, 99))
def test_global_with_rounding_comes_as_near_as_steps_of_8_allow(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = {str(i): rng.random(size).tolist() for i, size in enumerate(sizes)}
    found = chosen(scores, 0.5, "global", multiple_of=8)
    assert abs(sum(map(len, found.removed.values())) - sum(sizes) / 2) <= 8
    for name, values in scores.items():
        assert found.removed[name] == sorted(np.argsort(values, kind="stable")[: len(found.removed[name])])


def test_equal_importances_are_taken_in_order() -> None:
    assert chosen({"a": [1, 1, 1, 1], "b": [1, 1, 1, 1]}, 0.5, "local").removed == {"a": [0, 1], "b": [0, 1]}
    assert sum(map(len, chosen({"a": [1] * 4, "b": [1] * 4}, 0.5, "global").removed.values())) == 4


@pytest.mark.parametrize("amount", [1.0, -0.1, 1.5, float("nan")])
def test_amounts_out_of_range(amount: float) -> None:
    with raised("value-out-of-range", "`amount`", str(amount)):
        chosen({"a": [1, 2]}, amount, "local")


def test_other_options_out_of_range() -> None:
    with raised("unknown-name", "`block`"):
        chosen({"a": [1, 2]}, 0.5, "block")
    with raised("value-out-of-range", "`multiple_of` is 0"):
        Rounding(0)
    with raised("value-out-of-range", "minimum 0"):
        Rounding(8, 0)
