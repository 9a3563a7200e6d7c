from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.formats.reading import inspect_file
from edgekit.frameworks.tensorflow import tf_keras
from edgekit.models.training.training import TrainConfig, train
from edgekit.techniques.masks import keep_zeros
from edgekit.techniques.sparsity import prune_weights
from edgekit.techniques.sparsity_targets import global_keeps, local_keeps, magnitudes
from tests.support.heard import Heard
from tests.support.raised import raised
from tests.techniques.tiny import UNIT as HOW
from tests.techniques.tiny import (
    context,
    dense_network,
    file_kernels,
    inputs,
    int8_file,
    kernel,
    network,
    single_layer,
    splits,
    trained,
    trained_dense,
    unfit,
    weights,
)

pytestmark = pytest.mark.tensorflow
PRUNABLE = {"stem": 72, "conv": 864, "dense": 3072, "logits": 48}


def prune(model: Any, progress: Any = None, epochs: int = 2, **options: Any) -> tuple[Any, dict[str, Any]]:
    usual = {"sparsity": 0.6, "scope": "local", "granularity": "weight", "layers": "all", "schedule": "polynomial"}
    return prune_weights(model, context(progress), config=TrainConfig(epochs, 32, 1e-3), **{**usual, **options})


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.8, 0.95])
def test_a_global_threshold_hits_the_total(sparsity: float) -> None:
    rng = np.random.default_rng(1)
    kernels = [rng.normal(0, s, shape) for s, shape in ((0.3, (3, 3, 4, 8)), (0.05, (100, 30)), (0.01, (40, 10)))]
    layers = [magnitudes(k, (1, 1)) for k in kernels]
    keeps, held = global_keeps(layers, sparsity)
    assert sum(keeps) / sum(k.size for k in kernels) == pytest.approx(1 - sparsity, abs=0.002)
    if not held:
        threshold = np.sort(np.concatenate([v for v, _ in layers]))[::-1][sum(keeps) - 1]
        assert keeps == [int((np.abs(k) >= threshold).sum()) for k in kernels]
    assert all(k > 0 for k in keeps)


def test_no_layer_is_emptied_and_the_others_pay() -> None:
    big, small = np.full((100, 10), 2.0), np.full((10, 10), 1e-3)
    keeps, held = global_keeps([magnitudes(big, (1, 1)), magnitudes(small, (1, 1))], 0.5)
    assert held == [1]
    assert keeps == [545, 5]  # a tenth of what a local share would leave, and 550 in all


def test_blocks_are_ranked_by_their_mean_and_zeros_never_count_as_kept() -> None:
    values, sizes = magnitudes(np.arange(1, 13).reshape(2, 6), (1, 4))
    np.testing.assert_allclose(values, [2.5, 5.5, 8.5, 11.5])
    np.testing.assert_array_equal(sizes, [4, 2, 4, 2])
    sparse = magnitudes(np.array([[0.0, 0.0, 0.0, 5.0]]), (1, 1))
    assert local_keeps([sparse], 0.25) == [1]


def test_local_pruning(tmp_path: Path) -> None:
    heard = Heard()
    model, note = prune(trained(), heard, sparsity=0.6)
    assert {name: entry["weights"] for name, entry in note["layers"].items()} == PRUNABLE
    for name, size in PRUNABLE.items():
        zeros = int((kernel(model, name) == 0).sum())
        assert zeros == note["layers"][name]["zeros"] == pytest.approx(0.6 * size, abs=0.5)
    assert "depthwise" in note["not_pruned"]
    assert any("depthwise" in said for said in heard.notified)
    assert note["best_epoch"] == 1  # the first epoch is not at the final sparsity
    assert not any("prune" in layer.name for layer in model.layers)
    assert [layer.name for layer in model.layers] == [layer.name for layer in network().layers]
    info = inspect_file(int8_file(model, tmp_path / "m.tflite"))
    by_size = {w.elements: w.zeros for w in info.weights if w.dtype == "int8"}
    for size in PRUNABLE.values():  # quantization makes zeros of small weights, and loses none
        assert (by_size[size] or 0) >= 0.6 * size - 0.5


@pytest.mark.parametrize("scope", ["local", "global"])
def test_the_asked_total_is_hit_at_once(scope: str) -> None:
    model, note = prune(trained_dense(), sparsity=0.8, scope=scope, schedule="constant", epochs=1)
    kernels = [kernel(model, name) for name in ("dense", "scores")]
    total = sum(int((k == 0).sum()) for k in kernels) / sum(k.size for k in kernels)
    assert total == pytest.approx(0.8, abs=0.005)
    assert note["sparsity"] == pytest.approx(total, abs=1e-5)


def test_global_pruning_and_what_is_zero_stays_zero() -> None:
    source = trained()
    before = weights(source)
    model, note = prune(source, sparsity=0.7, scope="global")
    np.testing.assert_array_equal(weights(source), before)
    assert note["sparsity"] == pytest.approx(0.7, abs=0.005)
    shares = [entry["sparsity"] for entry in note["layers"].values()]
    assert max(shares) - min(shares) > 0.1
    # trained on with the mask, then pruned again less than it is
    mask = kernel(model, "dense") == 0
    callbacks = keep_zeros(model)
    train(model, splits(), HOW, TrainConfig(1, 32, 1e-2), Heard(), callbacks=callbacks)
    np.testing.assert_array_equal(kernel(model, "dense") == 0, mask)
    again, note = prune(model, sparsity=0.1, epochs=1, layers="conv", schedule="constant")
    assert (kernel(again, "dense")[mask] == 0).all()
    assert (kernel(again, "conv")[kernel(model, "conv") == 0] == 0).all()


def test_two_in_four(tmp_path: Path) -> None:
    model, note = prune(trained(), sparsity=0.5, granularity="2:4", epochs=1)
    assert note["not_pruned"]["stem"].startswith("1 input channels")
    for name in ("conv", "dense", "logits"):
        values = kernel(model, name)
        along_inputs = np.moveaxis(values, -2, -1).reshape(-1, values.shape[-2] // 4, 4)
        assert ((along_inputs == 0).sum(axis=-1) == 2).all()
        assert note["layers"][name]["sparsity"] == 0.5
    zeros = {w.elements: w.zeros for w in inspect_file(int8_file(model, tmp_path / "m.tflite")).weights}
    for name in ("conv", "dense", "logits"):
        assert (zeros[PRUNABLE[name]] or 0) >= PRUNABLE[name] // 2


def test_blocks(tmp_path: Path) -> None:
    model, note = prune(dense_network(), granularity="block", sparsity=0.5, epochs=1, scope="global")
    assert list(note["layers"]) == ["dense"]
    assert "more than one block" in note["not_pruned"]["scores"]
    blocks = (kernel(model, "dense").reshape(-1, 4) == 0).sum(axis=1)
    assert set(blocks) == {0, 4}
    assert note["sparsity"] == pytest.approx(0.5, abs=0.005)
    stored = file_kernels(int8_file(model, tmp_path / "m.tflite"))[16, 36].T
    assert (stored[kernel(model, "dense") == 0] == 0).all()


def test_same_seed_same_weights_and_nested_models_are_flattened() -> None:
    keras = tf_keras()
    inner, outer = dense_network(), keras.Input((6, 6, 1), name="outer")
    model = keras.Model(outer, inner(outer), name="nested")
    made = [prune(model, layers="name:d*s?", epochs=1)[0] for _ in range(2)]
    np.testing.assert_array_equal(weights(made[0]), weights(made[1]))
    assert made[0].get_layer("dense") is not None
    assert made[0].input_names == ["outer"]
    assert (kernel(made[0], "dense") == 0).mean() == pytest.approx(0.6, abs=0.01)
    assert inputs().shape[1:] == made[0].input_shape[1:]


@pytest.mark.parametrize(
    ("options", "code", "name"),
    [
        ({"sparsity": 1.0}, "value-out-of-range", "1.0"),
        ({"sparsity": -0.1}, "value-out-of-range", "-0.1"),
        ({"sparsity": float("nan")}, "value-out-of-range", "nan"),
        ({"scope": "all"}, "unknown-name", "scope `all`"),
        ({"granularity": "filter"}, "unknown-name", "granularity `filter`"),
        ({"schedule": "linear"}, "unknown-name", "`linear`"),
        ({"granularity": "2:4"}, "value-out-of-range", "`2:4`"),
        ({"granularity": "block", "block": (0, 4)}, "value-out-of-range", "(0, 4)"),
        ({"granularity": "block", "layers": "conv"}, "nothing-to-prune", "convolution kernels"),
        ({"layers": "convs"}, "unknown-name", "`convs`"),
        ({"layers": "name:conw"}, "no-layer-matches", "`conv`"),
        ({"layers": "name:depthwise"}, "nothing-to-prune", "depthwise"),
    ],
)
def test_refusals(options: dict[str, Any], code: str, name: str) -> None:
    with raised(code, name) as caught:
        prune(trained(), **options)
    assert caught.value.hint


def test_models_without_layers_to_prune() -> None:
    for code, model in unfit().items():
        with raised(code):
            prune(model)


def test_a_model_of_one_layer() -> None:
    model, note = prune(single_layer(), sparsity=0.5, epochs=1)
    assert list(note["layers"]) == ["scores"]
    assert (kernel(model, "scores") == 0).mean() == 0.5


def test_nothing_to_keep_needs_no_callback() -> None:
    assert keep_zeros(network()) == []
