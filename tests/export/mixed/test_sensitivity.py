"""Planted culprits in a chain of 50 layers: found by one pass, and proved on the file."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edgekit.bundle.sensitivity import STANDS_OUT_DB
from edgekit.export.mixed.choice import shortest
from edgekit.export.mixed.regions import ranked
from edgekit.export.mixed.sensitivity import measured, outputs_db, trace
from tests.export.mixed.chain import (
    Chain,
    Node,
    plain_chain,
    samples,
    with_cancellation,
    with_exponential,
    with_outliers,
    with_uneven_channels,
    with_unlike_weights,
)

Plant = Callable[[list[Node], int], None]
CULPRITS = [
    (with_outliers, 3, {3, 4}),
    (with_outliers, 23, {23, 24}),
    (with_uneven_channels, 31, {31, 32}),
    (with_unlike_weights, 23, {23}),
    (with_unlike_weights, 43, {43}),
    (with_exponential, 13, {13, 14}),
    (with_exponential, 43, {43, 44}),
    (with_cancellation, 33, {33, 34}),
]
FEW = 6


def planted(rng: np.random.Generator, plant: Plant | None = None, at: int = 0) -> tuple[Chain, np.ndarray]:
    nodes, x = plain_chain(rng), samples(rng, FEW)
    if plant:
        plant(nodes, at)
    return Chain(nodes, x), x


@pytest.mark.parametrize(("plant", "at", "operators"), CULPRITS)
def test_the_culprit_is_first(rng: np.random.Generator, plant: Plant, at: int, operators: set[int]) -> None:
    chain, x = planted(rng, plant, at)
    traced = trace(chain, [x])
    first = ranked(traced.flow, traced.origin)[0]
    assert first.lead == at and first.operators == operators
    found = measured(chain, [x], most=3)
    assert found.order[0].operators == operators
    assert {gain.region: gain.db for gain in found.gains}[found.order[0]] > STANDS_OUT_DB
    layer = found.layers[at]
    assert layer.rank == 1 and layer.gain_db is not None and layer.gain_db > STANDS_OUT_DB
    assert layer.with_it == tuple(f"layer{index}" for index in sorted(operators - {at}))
    assert max(other.noise_share for other in found.layers if other.name != layer.name) < layer.noise_share


def test_what_the_table_says_of_culprits(rng: np.random.Generator) -> None:
    layers = measured(*_listed(planted(rng, with_outliers, 23)), most=1).layers
    assert (layers[23].outliers or 0) > 50 and (layers[22].outliers or 0) < 2
    assert (layers[23].range_used or 1) < 0.1 < (layers[22].range_used or 0)
    layers = measured(*_listed(planted(rng, with_uneven_channels, 31)), most=1).layers
    assert (layers[31].narrow_channels or 0) > 0.15 and layers[30].narrow_channels == 0
    layers = measured(*_listed(planted(rng, with_unlike_weights, 23)), most=1).layers
    assert (layers[23].worst_channel_sqnr_db or 0) < 20 < (layers[22].worst_channel_sqnr_db or 0)
    assert (layers[23].weights_sqnr_db or 0) > 25  # the large one hides it


def _listed(pair: tuple[Chain, np.ndarray]) -> tuple[Chain, list[np.ndarray]]:
    return pair[0], [pair[1]]


def test_regions_of_a_large_net_are_reverted_for_fewer_samples(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, x = planted(rng, with_outliers, 23)
    values = sum(tally.values for tally in trace(chain, [x]).tallies.values())
    assert measured(chain, [x], most=1).step == 1
    monkeypatch.setattr("edgekit.export.mixed.sensitivity.GAIN_VALUES", values // 2)
    found = measured(chain, [x], most=1)
    assert found.step == 2
    assert [len(outputs) for outputs in (found.true[0], found.found[0], found.gains[0].outputs[0])] == [FEW // 2] * 3
    assert found.order[0].operators == {23, 24}


def test_without_a_culprit_no_layer_stands_out(rng: np.random.Generator) -> None:
    chain, x = planted(rng)
    found = measured(chain, [x], most=4)
    assert max(gain.db for gain in found.gains) < 2
    assert max(layer.noise_share for layer in found.layers) < 0.1


def test_what_is_exact_loses_nothing(rng: np.random.Generator) -> None:
    chain, x = planted(rng)
    traced = trace(chain, [x])
    layers = measured(chain, [x], most=1).layers
    exact = [layer for layer in layers if layer.exact]
    assert [layer.kind for layer in exact] == ["RESHAPE"] * 5
    for layer in exact:
        assert layer.output_sqnr_db is None and layer.noise_share == 0 and layer.rank is None
        assert layer.accumulated_sqnr_db is not None
    assert traced.flow.exact == {8, 18, 28, 38, 48}


def test_an_operator_that_moves_values_to_another_scale_is_not_exact(rng: np.random.Generator) -> None:
    chain, x = planted(rng)
    scale, zero = chain._steps[9]
    chain._steps[9] = (2 * scale, zero)
    assert trace(chain, [x]).flow.exact == {18, 28, 38, 48}


def test_the_shares_of_the_noise_add_up(rng: np.random.Generator) -> None:
    chain, x = planted(rng)
    traced = trace(chain, [x])
    shares = [*traced.origin.rounding.values(), *traced.origin.weights.values()]
    assert sum(shares) == pytest.approx(1)
    assert min(shares) >= 0
    assert traced.inputs_share == pytest.approx(traced.origin.rounding[0])


def test_a_tensor_stays_float_up_to_the_readers_of_what_is_moved(rng: np.random.Generator) -> None:
    chain, x = planted(rng)
    flow = trace(chain, [x]).flow
    assert flow.downstream(8) == {8, 9}  # a RESHAPE, and its reader
    assert flow.downstream(3) == {3, 6}  # two readers
    assert flow.downstream(50) is None
    assert list(flow.ends()) == [50]


def test_reverting_everything_equals_float(rng: np.random.Generator) -> None:
    chain, x = planted(rng, with_outliers, 23)
    everything = range(50)
    true, found = (
        chain.outputs(file, [x]) for file in (chain.float_file, chain.reverted(everything, float_weights=True))
    )
    assert outputs_db(true, found) > 30  # input and output are int8 still
    choice = shortest([], everything, lambda chosen: outputs_db(true, chain.outputs(
        chain.reverted(chosen, float_weights=True), [x])) > 30)  # fmt: skip
    assert choice.reached and choice.operators == set(everything)


def test_a_file_that_cannot_be_made_is_no_gain(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgekit.errors import ConversionError

    chain, x = planted(rng, with_outliers, 23)

    def refused() -> bytes:
        raise ConversionError("it cannot be", code="conversion-failed")

    whole = chain.reverted((), float_weights=True)
    monkeypatch.setattr(chain, "reverted", lambda chosen, **_: refused() if chosen else whole)
    found = measured(chain, [x], most=3)
    assert not found.gains and found.order[0].operators == {23, 24}
    assert found.layers[23].gain_db is None and found.layers[23].reverting_bytes == 3 * 256


def test_files_that_are_equal_have_no_culprit(rng: np.random.Generator) -> None:
    nodes = [Node("RESHAPE", (0,), lambda i, _: i[0])]
    x = np.rint(rng.uniform(-3, 3, (6, 4)) * 10).astype(np.float32) / 10
    x[0, 0], x[0, 1] = -12.8, 12.7
    found = measured(Chain(nodes, x), [x])
    assert not found.order and not found.gains and found.sqnr_db > 100
