"""Points drawn with characters, and which of them are on the Pareto front."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgekit.reporting.clouds import BYTES, MS, Cloud, Point
from edgekit.reporting.front import on_front
from edgekit.reporting.scatter import HEIGHT, scatter

POINTS = (("big", 100_000, 99.0), ("same", 100_000, 98.0), ("small", 10_000, 98.5), ("worse", 31_623, 98.25))


def cloud(points: tuple[tuple[str, float, float], ...] = POINTS, unit: str = BYTES) -> Cloud:
    front = on_front([(cost, score) for _, cost, score in points])
    return Cloud("rpi4", "accuracy", "%", "size", unit, tuple(map(Point, *zip(*points, strict=True), front)))


def test_the_drawing() -> None:
    assert scatter(cloud(), 50).splitlines() == [
        "rpi4: accuracy against size, capitals on the Pareto front",
        " 99.00 % |                                       C",
        "         |",
        "         |",
        "         |",
        "         | A",
        "         |",
        "         |                    b",
        "         |",
        " 98.00 % |                                       d",
        "         +----------------------------------------",
        "           10,000 B                      100,000 B",
        "  A small  b worse  C big    d same",
    ]


def test_the_width_is_kept_and_needed() -> None:
    for width in (36, 40, 72, 200):
        assert max(map(len, scatter(cloud(), width).splitlines()[1:])) <= min(width, 72)
    assert scatter(cloud(), 35) == ""
    assert scatter(cloud()) == scatter(cloud(), 72)


def test_points_at_one_place_stand_beside_each_other() -> None:
    text = scatter(cloud((("a", 10, 1.0), ("b", 10, 1.0), ("c", 10, 1.0), ("d", 20, 2.0))), 40)
    assert "| ABC\n" in text


def test_many_points_have_no_letters() -> None:
    text = scatter(cloud(tuple((f"f{i}", 10 + i, 90 + i / 100) for i in range(27))), 60)
    assert text.startswith("rpi4: accuracy against size, * on the Pareto front")
    assert len(text.splitlines()) == HEIGHT + 3
    assert text.isascii()


def test_names_of_strangers_and_times() -> None:
    text = scatter(cloud((("\x1b[2Ja\n", 0.07, 1.0), ("x" * 99, 20.0, 2.0)), MS), 72)
    assert r"A \x1b[2Ja\n" in text
    assert "70.0 us" in text and "20.0 ms" in text
    assert "x" * 41 not in text


@pytest.mark.parametrize("scores", [(1.0, 1.0), (1e308, -1e308)])
def test_scores_without_a_scale(scores: tuple[float, float]) -> None:
    assert len(scatter(cloud((("a", 1, scores[0]), ("b", 2, scores[1]))), 40).splitlines()) == HEIGHT + 4


def test_the_front_is_what_nothing_dominates(rng: np.random.Generator) -> None:
    points = [(float(a), float(b)) for a, b in rng.integers(0, 12, (60, 2))]
    dominated = [
        any((c <= cost and s >= score) and (c < cost or s > score) for c, s in points) for cost, score in points
    ]
    assert on_front(points) == [not one for one in dominated]
    assert on_front([(1, math.nan), (math.inf, 2), (3, 1)]) == [False, False, True]
    assert on_front([]) == []
