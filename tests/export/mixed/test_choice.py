"""The fewest regions that pass, by few calls of a judge."""

from __future__ import annotations

import pytest

from edgekit.export.mixed.choice import MOST_CALLS, Choice, shortest
from edgekit.export.mixed.regions import Region, reordered

LAYERS = 50
ORDER = [Region(index, frozenset({index}), 1 / LAYERS) for index in range(LAYERS)]


def asked(
    needed: set[int], order: list[Region] = ORDER, calls: int = MOST_CALLS
) -> tuple[Choice, list[frozenset[int]]]:
    sets: list[frozenset[int]] = []

    def judge(operators: frozenset[int]) -> bool:
        assert operators not in sets, "judged twice"
        sets.append(operators)
        return needed <= operators

    return shortest(order, range(LAYERS), judge, calls), sets


@pytest.mark.parametrize(("place", "fewest"), [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7), (7, 8)])
def test_a_culprit_among_50_layers_is_found(place: int, fewest: int) -> None:
    choice, sets = asked({place})
    assert choice.reached and choice.operators == set(range(fewest))
    assert len(sets) <= MOST_CALLS
    assert [tried.operators for tried in choice.tried] == sets
    assert [tried.passed for tried in choice.tried] == [place in operators for operators in sets]


@pytest.mark.parametrize("place", range(LAYERS))
def test_wherever_it_is_few_calls_are_enough(place: int) -> None:
    choice, sets = asked({place})
    assert choice.reached and place in choice.operators
    assert len(sets) <= MOST_CALLS
    others, _ = asked({place}, calls=20)
    assert others.operators == set(range(place + 1))


def test_several_culprits() -> None:
    choice, _ = asked({1, 4})
    assert choice.operators == {0, 1, 2, 3, 4}


def test_everything_float_is_the_last_resort() -> None:
    choice, sets = asked(set(range(LAYERS)))
    assert choice.reached and choice.operators == set(range(LAYERS))
    assert choice.tried[4].regions is None
    assert len(sets) == MOST_CALLS


def test_not_reachable() -> None:
    choice, sets = asked({99})
    assert not choice.reached and choice.operators == set(range(LAYERS))
    assert [len(operators) for operators in sets] == [1, 2, 4, 8, LAYERS]


def test_regions_that_add_nothing_are_not_judged_again() -> None:
    pair = Region(0, frozenset({0, 1}), 0.9)
    order = [pair, Region(1, frozenset({1}), 0.1), Region(0, frozenset({0}), 0.1), Region(2, frozenset({1, 2}), 0.1)]
    choice, sets = asked({2}, order)
    assert sets[:2] == [{0, 1}, {0, 1, 2}]
    assert choice.operators == {0, 1, 2}


@pytest.mark.parametrize("calls", [1, 2, 3])
def test_fewer_calls(calls: int) -> None:
    choice, sets = asked({0}, calls=calls)
    assert choice.operators == ({0} if calls > 1 else set(range(LAYERS)))
    assert len(sets) <= calls


def test_without_regions_everything_is_judged() -> None:
    choice, sets = asked({5}, [])
    assert choice.reached and sets == [set(range(LAYERS))]


def test_order_by_what_was_measured() -> None:
    hidden, small, good, pair, refuted = (
        Region(0, frozenset({0}), 0.02), Region(1, frozenset({1}), 0.01), Region(2, frozenset({2}), 0.3),
        Region(3, frozenset({3, 4}), 0.2), Region(5, frozenset({5}), 0.4),
    )  # fmt: skip
    gains = {refuted: 0.01, good: 3.0, pair: 8.0, hidden: 0.0}
    assert reordered([refuted, good, pair, hidden, small], gains) == [pair, good, hidden, small, refuted]
