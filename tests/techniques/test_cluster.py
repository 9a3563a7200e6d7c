from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.formats.reading import inspect_file
from edgekit.models.training.training import TrainConfig
from edgekit.techniques.cluster import Cluster
from edgekit.techniques.sparsity import prune_weights
from edgekit.techniques.stage import CLUSTERED, QUANTIZED, SPARSE, ModelState
from tests.support.heard import Heard
from tests.support.raised import raised
from tests.techniques.tiny import (
    context,
    dense_network,
    file_kernels,
    int8_file,
    kernel,
    network,
    single_layer,
    trained,
    trained_dense,
    unfit,
    weights,
)

pytestmark = pytest.mark.tensorflow
CLUSTERABLE = ("stem", "conv", "dense", "logits")
FAST: dict[str, Any] = {"epochs": 1, "batch_size": 32}


def test_few_distinct_weights_also_in_the_file(tmp_path: Path) -> None:
    source, heard = trained(), Heard()
    before = weights(source)
    state, note = Cluster(clusters=6, **FAST).run(ModelState(source), context(heard))
    model = state.model
    np.testing.assert_array_equal(weights(source), before)
    assert state.traits == {CLUSTERED}
    assert list(note["layers"]) == list(CLUSTERABLE)
    assert "depthwise" in note["not_clustered"]
    assert any("depthwise" in said for said in heard.notified)
    assert [layer.name for layer in model.layers] == [layer.name for layer in network().layers]
    for name in CLUSTERABLE:
        assert len(np.unique(kernel(model, name))) == note["layers"][name]["distinct"] <= 6
    path = int8_file(model, tmp_path / "m.tflite")
    kernels = file_kernels(path)
    for name in CLUSTERABLE:
        values = np.moveaxis(kernel(model, name), -1, 0)
        stored = kernels[values.shape]
        assert max(len(np.unique(channel)) for channel in stored) <= 6  # each channel has a scale of its own
    assert all(w.unique is not None for w in inspect_file(path).weights)


def test_zeros_of_pruning_are_kept(tmp_path: Path) -> None:
    pruned, _ = prune_weights(
        trained(),
        context(),
        sparsity=0.5,
        scope="global",
        granularity="weight",
        layers="name:[cd]*",
        schedule="constant",
        config=TrainConfig(1, 32, 1e-3),
    )
    state, note = Cluster(clusters=8, init="linear", layers="dense", **FAST).run(
        ModelState(pruned, frozenset({SPARSE})), context()
    )
    assert state.traits == {SPARSE, CLUSTERED}
    for name in ("conv", "dense"):
        assert (kernel(state.model, name)[kernel(pruned, name) == 0] == 0).all()
    assert note["layers"]["dense"]["distinct"] <= 8
    assert note["layers"]["logits"]["zeros"] == 0  # not pruned: no cluster is forced to zero
    stored = file_kernels(int8_file(state.model, tmp_path / "m.tflite"))[16, 192].T
    assert (stored[kernel(pruned, "dense") == 0] == 0).all()
    assert max(len(np.unique(channel)) for channel in stored.T) <= 8


def test_where_the_first_centroids_are() -> None:
    steps = {}
    for init in ("linear", "density"):
        stage = Cluster(clusters=5, init=init, layers="name:dense", epochs=1, batch_size=200, learning_rate=1e-12)
        state, _ = stage.run(ModelState(trained_dense()), context())
        steps[init] = np.diff(np.unique(kernel(state.model, "dense")))
    np.testing.assert_allclose(steps["linear"], np.ptp(kernel(trained_dense(), "dense")) / 4, rtol=1e-4)
    assert steps["density"].max() > 1.2 * steps["density"].min()


def test_same_seed_same_weights() -> None:
    from edgekit.frameworks.tensorflow import seed_everything

    made = []
    for _ in range(2):
        seed_everything(3)
        state, _ = Cluster(clusters=4, init="kmeans++", layers="name:dense", **FAST).run(
            ModelState(dense_network()), context()
        )
        made.append(weights(state.model))
    np.testing.assert_array_equal(made[0], made[1])
    assert len(np.unique(kernel(state.model, "dense"))) <= 4


def test_a_layer_with_too_few_weights_is_left_whole() -> None:
    state, note = Cluster(clusters=48, layers="dense", **FAST).run(ModelState(dense_network()), context())
    assert "only 48 weights" in note["not_clustered"]["scores"]
    assert len(np.unique(kernel(state.model, "scores"))) == 48
    with raised("nothing-to-prune", "logits", "48", "fewer clusters"):
        Cluster(clusters=48, layers="name:logits").run(ModelState(trained()), context())


@pytest.mark.parametrize(
    ("options", "code", "name"),
    [
        ({"clusters": 1}, "value-out-of-range", "`clusters` is 1"),
        ({"clusters": 256}, "value-out-of-range", "256"),
        ({"init": "kmeans"}, "unknown-name", "kmeans++"),
        ({"layers": "convolutions"}, "unknown-name", "convolutions"),
    ],
)
def test_impossible_options(options: dict[str, Any], code: str, name: str) -> None:
    with raised(code, name):
        Cluster(**options)


def test_models_without_layers_to_cluster() -> None:
    for code, model in unfit().items():
        with raised(code):
            Cluster(**FAST).run(ModelState(model), context())
    with raised("no-layer-matches", "`name:conw`", "`conv`"):
        Cluster(layers="name:conw", **FAST).run(ModelState(trained()), context())


def test_a_model_of_one_layer() -> None:
    state, note = Cluster(clusters=4, **FAST).run(ModelState(single_layer()), context())
    assert list(note["layers"]) == ["scores"]
    assert len(np.unique(kernel(state.model, "scores"))) <= 4


def test_orders() -> None:
    assert Cluster().follow(frozenset({SPARSE})) == {SPARSE, CLUSTERED}
    assert Cluster(preserve_sparsity=False).follow(frozenset({SPARSE})) == {CLUSTERED}
    with raised("stage-order", "after `quantize`"):
        Cluster().follow(frozenset({QUANTIZED}))
    with raised("stage-order", "`cluster` after `cluster`"):
        Cluster().follow(frozenset({CLUSTERED}))
    with raised("value-out-of-range", "clusters", "3"):
        Cluster(clusters=2).follow(frozenset({SPARSE}))
    assert "gzip" in Cluster().expectation
