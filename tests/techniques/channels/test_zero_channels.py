"""The promise of channel removal: what is zero can go, and nothing changes; for random graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.techniques.channels.groups import Analysis, analyse
from edgekit.techniques.channels.surgery import resized
from edgekit.techniques.channels.tracking import Kept
from tests.techniques.channels.cases import BLOCKS, HEADS, difference, make_zero, random_model, samples

pytestmark = pytest.mark.tensorflow


def some_units(analysis: Analysis, seed: int) -> dict[str, list[int]]:
    rng = np.random.default_rng(seed)
    return {
        group.name: rng.choice(group.size, int(rng.integers(0, group.size)), replace=False).tolist()
        for group in analysis.groups
    }


def check_removal(model: Any, seed: int) -> Analysis:
    """Make random units zero, remove exactly those, and compare outputs, shapes and parameter counts."""
    analysis = analyse(model)
    removed = some_units(analysis, seed)
    make_zero(analysis, removed)
    kept = analysis.kept(removed)
    smaller = resized(analysis, kept)
    assert difference(model, smaller, samples(seed=seed)) < 1e-5
    assert smaller.count_params() == analysis.parameters(kept)
    assert smaller.count_params() == sum(int(np.prod(value.shape)) for value in smaller.get_weights())
    check_sizes(analysis, smaller, kept)
    return analysis


def check_sizes(analysis: Analysis, smaller: Any, kept: Kept) -> None:
    for path, (_, after) in analysis.sizes(kept).items():
        layer: Any = smaller
        for name in path.split("/"):
            layer = layer.get_layer(name)
        shape = layer.get_output_shape_at(0)
        assert shape[-1] == after, path


@pytest.mark.parametrize("name", BLOCKS)
def test_every_block(name: str) -> None:
    analysis = check_removal(random_model(["conv", name, "strided"], "pooled", 3), 3)
    assert len(analysis.groups) >= 3 - (name == "unknown")


@pytest.mark.parametrize("ending", HEADS)
def test_every_ending(ending: str) -> None:
    assert len(check_removal(random_model(["conv"], ending, 4), 4).groups) >= 2


@given(
    blocks=st.lists(st.sampled_from(sorted(BLOCKS)), min_size=2, max_size=4),
    ending=st.sampled_from(sorted(HEADS)),
    seed=st.integers(0, 999),
)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
def test_random_graphs(blocks: list[str], ending: str, seed: int) -> None:
    check_removal(random_model(blocks, ending, seed), seed)


def test_channels_that_are_not_zero_do_change_the_outputs() -> None:
    model = random_model(["conv"], "pooled", 5)
    analysis = analyse(model)
    kept = analysis.kept({analysis.groups[0].name: [0]})
    assert difference(model, resized(analysis, kept), samples()) > 1e-4
