"""prune_channels and scale_channels as others call them: reference models, choices of layers, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.frameworks.tensorflow import quiet, seed_everything, tensorflow, tf_keras
from edgekit.models.reference.reference import build
from edgekit.techniques.channels.prune import group_widths, prune_channels, scale_channels, slice_channels
from tests.support.raised import raised
from tests.techniques.channels.cases import difference, functional, head, image, samples, shaken

pytestmark = pytest.mark.tensorflow

RESNET8 = {
    "stem": (16, 8), "stack1_conv1": (16, 8), "stack1_conv2": (16, 8),
    "stack2_conv1": (32, 16), "stack2_conv2": (32, 16), "stack2_shortcut": (32, 16),
    "stack3_conv1": (64, 32), "stack3_conv2": (64, 32), "stack3_shortcut": (64, 32),
}  # fmt: skip
MNIST_CNN = {"conv1": (32, 16), "conv2": (64, 32), "dense": (128, 64)}
DS_CNN = {
    "stem": (32, 16), "block1_depthwise": (32, 16), "block1_pointwise": (64, 32), "block2_depthwise": (64, 32),
    "block2_pointwise": (128, 64), "block3_depthwise": (128, 64), "block3_pointwise": (128, 64),
    "block4_depthwise": (128, 64), "block4_pointwise": (256, 128), "block5_depthwise": (256, 128),
    "block5_pointwise": (256, 128),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "shape", "removed"),
    [("resnet8", (32, 32, 3), RESNET8), ("mnist-cnn", (28, 28, 1), MNIST_CNN), ("ds-cnn", (32, 32, 3), DS_CNN)],
)
def test_reference_models_at_one_half(name: str, shape: Any, removed: dict[str, Any]) -> None:
    model = build(name, shape, 10)
    done = prune_channels(model, 0.5)
    assert done.removed == removed
    assert set(done.not_pruned) == {"logits"}
    assert done.channels_after * 2 == done.channels_before
    half = build(name, shape, 10, width=0.5)
    assert [value.shape for value in done.model.get_weights()] == [value.shape for value in half.get_weights()]
    assert (done.parameters_before, done.parameters_after) == (model.count_params(), half.count_params())
    assert done.model.count_params() == done.parameters_after
    assert done.model.name == model.name


def test_a_pruned_model_saves_loads_and_converts(tmp_path: Path) -> None:
    tf, keras = tensorflow(), tf_keras()
    pruned = prune_channels(shaken(build("resnet8", (32, 32, 3), 10)), 0.8).model
    x = samples(2, (32, 32, 3))
    with quiet():
        pruned.save(tmp_path / "pruned.keras", save_format="keras")
        loaded = keras.saving.load_model(tmp_path / "pruned.keras", compile=False)
        flatbuffer = tf.lite.TFLiteConverter.from_keras_model(pruned).convert()
    assert difference(pruned, loaded, x) == 0
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=flatbuffer)
    index = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(index, x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(index, x)
    interpreter.invoke()
    output = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert np.abs(output - pruned(x).numpy()).max() < 1e-5


def test_the_least_important_channels_go() -> None:
    model = build("digits-cnn", (8, 8, 1), 10)
    kernel, bias = model.get_layer("conv1").get_weights()
    kernel[..., ::2] *= 10
    model.get_layer("conv1").set_weights([kernel, bias])
    smaller = prune_channels(model, 0.5, layers="name:conv1").model
    assert (smaller.get_layer("conv1").kernel.numpy() == kernel[..., ::2]).all()


def test_global_moves_the_loss_to_where_channels_are_weak() -> None:
    model = build("mnist-cnn", (28, 28, 1), 10)
    kernel, bias = model.get_layer("dense").get_weights()
    kernel[:, :100] *= 1e-3  # most of its filters are weak beside the others
    model.get_layer("dense").set_weights([kernel, bias])
    local, everywhere = (prune_channels(model, 0.4, scope=scope) for scope in ("local", "global"))
    assert local.removed["dense"] == (128, 80)
    assert everywhere.removed == {"dense": (128, 40)}
    assert abs(everywhere.channels_after - 0.6 * everywhere.channels_before) <= 4


def test_json() -> None:
    done = prune_channels(build("digits-cnn", (8, 8, 1), 10), 0.95)
    value = json.loads(json.dumps(done.to_dict()))
    assert value["removed"] == {"conv1": [16, 1], "conv2": [32, 2], "dense": [64, 3]}
    assert value["parameters_after"] == done.model.count_params()
    assert set(value) == {
        "removed", "not_pruned", "channels_before", "channels_after", "parameters_before", "parameters_after", "notes",
        "sizes",
    }  # fmt: skip


@pytest.mark.parametrize("scope", ["local", "global"])
@pytest.mark.parametrize("rounds", [2, 3, 5])
def test_several_rounds_leave_as_many_channels_as_one(scope: str, rounds: int) -> None:
    layers = tf_keras().layers
    x = inputs = image()
    for index, width in enumerate((8, 16, 20, 24, 32)):
        x = layers.Conv2D(width, 3, padding="same", name=f"conv{index}")(x)
    model = functional(inputs, head(x))
    once = prune_channels(model, 0.5, scope=scope)
    done, sizes = model, dict[str, int]()
    for number in range(1, rounds + 1):
        share = 1 - 0.5 ** (number / rounds)
        pruned = prune_channels(done, share, scope=scope, sizes=sizes, last=number == rounds)
        done, sizes = pruned.model, sizes or pruned.sizes
    left = {layer.name: layer.filters for layer in done.layers if "conv" in layer.name}
    if scope == "local":
        assert left == {layer.name: layer.filters for layer in once.model.layers if "conv" in layer.name}
    else:  # which layers lose them depends on the rounds, how many do not
        assert abs(sum(left.values()) - once.channels_after) <= 4


def test_notes_say_what_was_not_done() -> None:
    layers = tf_keras().layers
    inputs = image()
    model = functional(inputs, head(layers.Conv2D(4, 3, name="narrow")(inputs)))
    done = prune_channels(model, 0.9)
    assert done.removed == {"narrow": (4, 1)}
    assert done.notes == ("narrow: none of 4 channels would be left, so 1 stay",)
    done = prune_channels(model, 0.1)
    assert done.removed == {}
    assert done.notes == ("no channel was removed: 10.0% is less than one, after rounding to 8",)
    assert difference(model, done.model, samples()) == 0
    assert prune_channels(model, 0.0).notes == ()


def test_groups_that_a_criterion_says_nothing_about_stay_whole() -> None:
    layers = tf_keras().layers
    x = inputs = image()
    x = layers.Conv2D(4, 3, name="plain")(layers.BatchNormalization()(layers.Conv2D(4, 3, name="normed")(x)))
    done = prune_channels(functional(inputs, head(x)), 0.5, criterion="bn-gamma")
    assert done.removed == {"normed": (4, 2)}
    assert "there is no BatchNormalization after it" in done.not_pruned["plain"]


@pytest.mark.parametrize("scope", ["local", "global"])
def test_taylor(scope: str) -> None:
    model = shaken(build("digits-cnn", (8, 8, 1), 10))
    data = (samples(20, (8, 8, 1)), np.arange(20) % 10)
    done = prune_channels(model, 0.5, criterion="taylor", scope=scope, samples=data)
    assert done.channels_after == done.channels_before // 2


@pytest.mark.parametrize(
    ("layers", "removed"),
    [
        ("all", {"conv1", "conv2", "dense"}),
        ("conv", {"conv1", "conv2"}),
        ("dense", {"dense"}),
        ("name:conv*", {"conv1", "conv2"}),
        ("name:*2", {"conv2"}),
    ],
)
def test_choices_of_layers(layers: str, removed: set[str]) -> None:
    done = prune_channels(build("digits-cnn", (8, 8, 1), 10), 0.5, layers=layers)
    assert set(done.removed) == removed
    assert set(done.not_pruned) == ({"logits"} if layers in ("all", "dense") else set())


def test_a_pattern_takes_coupled_layers_along() -> None:
    done = prune_channels(build("resnet8", (32, 32, 3), 10), 0.5, layers="name:stack2_conv2")
    assert set(done.removed) == {"stack2_conv2", "stack2_shortcut"}


def test_the_gate_of_a_convolution_is_no_dense_layer_to_prune() -> None:
    layers = tf_keras().layers
    x = inputs = image()
    x = layers.Conv2D(4, 3, name="a")(x)
    x = layers.Multiply()([x, layers.Dense(4, name="gate")(layers.GlobalAveragePooling2D(keepdims=True)(x))])
    model = functional(inputs, head(x))
    assert set(prune_channels(model, 0.5, layers="conv").removed) == {"a", "gate"}
    with raised("nothing-to-prune", "gate"):
        prune_channels(model, 0.5, layers="dense")


@pytest.mark.parametrize(
    ("layers", "code", "names"),
    [
        ("name:conb1", "no-layer-matches", ("digits_cnn", "`name:conb1`", "`conv1`")),
        ("name:xyz", "no-layer-matches", ("`name:xyz`", "conv1, conv2, dense, logits")),
        ("name:logits", "nothing-to-prune", ("`name:logits`", "logits: its channels reach probabilities")),
        ("convs", "unknown-name", ("`convs`", "all, conv, dense, name:PATTERN")),
        ("name:", "unknown-name", ("`name:`",)),
    ],
)
def test_layers_that_match_nothing(layers: str, code: str, names: tuple[str, ...]) -> None:
    with raised(code, *names):
        prune_channels(build("digits-cnn", (8, 8, 1), 10), 0.5, layers=layers)


def test_no_convolution_to_choose() -> None:
    layers = tf_keras().layers
    model = tf_keras().Sequential([layers.Dense(4, input_shape=(3,), name="one"), layers.Dense(2, name="two")])
    with raised("no-layer-matches", "no convolution", "one, two"):
        prune_channels(model, 0.5, layers="conv")


def unbuilt() -> Any:
    return tf_keras().Sequential([tf_keras().layers.Dense(4)], name="unbuilt")


def subclassed() -> Any:
    class Mine(tf_keras().Model):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            return inputs

    return Mine(name="mine")


def overridden() -> Any:
    class Mine(tf_keras().Model):  # type: ignore[misc]
        def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
            return super().call(inputs) * 2

    inputs = image()
    return Mine(inputs, head(inputs), name="mine")


def without_weights() -> Any:
    return tf_keras().Sequential([tf_keras().layers.Flatten(input_shape=(2, 2))], name="empty")


def one_layer() -> Any:
    return tf_keras().Sequential([tf_keras().layers.Dense(4, input_shape=(3,), name="only")], name="one")


def only_unknown() -> Any:
    layers = tf_keras().layers
    return tf_keras().Sequential([layers.Input((5, 3)), layers.LSTM(4, name="memory")], name="recurrent")


@pytest.mark.parametrize(
    ("make", "code", "names"),
    [
        (unbuilt, "model-without-graph", ("`unbuilt`", "built")),
        (subclassed, "model-without-graph", ("`mine`", "Mine", "subclassed")),
        (overridden, "model-without-graph", ("`mine`", "Mine", "subclassed")),
        (without_weights, "nothing-to-compress", ("`empty`",)),
        (one_layer, "nothing-to-prune", ("`one`", "only: its channels are an output of the model")),
        (only_unknown, "nothing-to-prune", ("memory: how channels pass through a LSTM is not known",)),
        (lambda: "model", "model-without-graph", ("str",)),
    ],
)
def test_models_that_cannot_be_pruned(make: Any, code: str, names: tuple[str, ...]) -> None:
    model = make()
    with raised(code, *names):
        prune_channels(model, 0.5)
    with raised(code, *names):
        scale_channels(model, 0.5)


@pytest.mark.parametrize(
    ("options", "code", "name"),
    [
        ({"amount": 1.0}, "value-out-of-range", "`amount` is 1.0"),
        ({"scope": "both"}, "unknown-name", "`both`"),
        ({"criterion": "l0"}, "unknown-name", "`l0`"),
        ({"multiple_of": 0}, "value-out-of-range", "`multiple_of` is 0"),
        ({"minimum": 0}, "value-out-of-range", "minimum 0"),
        ({"criterion": "taylor"}, "criterion-unfit", "samples"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], code: str, name: str) -> None:
    with raised(code, name):
        prune_channels(build("digits-cnn", (8, 8, 1), 10), **{"amount": 0.5, **options})


def test_a_layer_that_cannot_be_made_again_is_named() -> None:
    class Mine(tf_keras().layers.Layer):  # type: ignore[misc]
        def __init__(self, factor: Any) -> None:
            super().__init__(name="mine")
            self.factor = factor

        def call(self, inputs: Any) -> Any:
            return inputs * self.factor

    layers = tf_keras().layers
    inputs = image()
    x = layers.Conv2D(4, 3)(layers.Conv2D(4, 3)(inputs))
    with raised("layer-not-rebuilt", "`mine` (Mine)", "get_config"):
        prune_channels(functional(inputs, head(Mine(tensorflow().constant(2.0))(x))), 0.5)


@pytest.mark.parametrize("name", ["resnet8", "ds-cnn"])
def test_scaled_models_are_those_of_the_reference(name: str) -> None:
    model = build(name, (32, 32, 3), 10)
    scaled, expected = scale_channels(model, 0.3), build(name, (32, 32, 3), 10, width=0.3)
    assert [value.shape for value in scaled.get_weights()] == [value.shape for value in expected.get_weights()]
    assert scaled.name == model.name


def test_scaled_models_are_untrained_but_know_the_statistics_of_the_data() -> None:
    layers = tf_keras().layers
    x = inputs = image()
    x = layers.Normalization(mean=[1.0, 2, 3, 4], variance=[4.0] * 4)(x)
    adapted = layers.Normalization(name="adapted")
    adapted.adapt(samples(8) * 3 + 5)
    x = layers.Conv2D(64, 3, name="a", trainable=False)(adapted(x))
    model = functional(inputs, head(layers.BatchNormalization(name="bn")(x)))
    adapted.adapt(samples(8) * 3 + 5)
    for width, channels in ((1.0, 64), (0.3, 19)):
        scaled = scale_channels(model, width)
        assert (scaled.get_layer("adapted").mean.numpy() == adapted.mean.numpy()).all()
        assert scaled.get_layer("a").filters == channels
        assert scaled.get_layer("a").trainable
        assert (scaled.get_layer("bn").gamma.numpy() == 1).all()
        kept = np.isin(scaled.get_layer("a").kernel.numpy(), model.get_layer("a").kernel.numpy())
        assert kept.mean() < 0.01  # two random float32 may be equal by chance
    assert scale_channels(model, 0.3, multiple_of=8).get_layer("a").filters == 16
    assert scale_channels(model, 0.001).get_layer("a").filters == 1


@pytest.mark.parametrize("width", [0.0, -1, 1.1, float("nan")])
def test_widths_out_of_range(width: float) -> None:
    with raised("value-out-of-range", "`width`", str(width)):
        scale_channels(build("digits-cnn", (8, 8, 1), 10), width)


def rates(model: Any) -> dict[str, float]:
    return {layer.name: pytest.approx(layer.rate) for layer in model.layers if hasattr(layer, "rate")}


def test_dropout_falls_with_the_channels_it_sees() -> None:
    model = build("cifar10-cnn", (32, 32, 3), 10)
    assert rates(model) == {"dropout1": 0.2, "dropout2": 0.3, "dropout3": 0.4, "dropout": 0.5}
    halved = {"dropout1": 0.1, "dropout2": 0.15, "dropout3": 0.2, "dropout": 0.25}
    assert rates(prune_channels(model, 0.5).model) == halved
    assert rates(scale_channels(model, 0.5)) == halved
    assert rates(prune_channels(model, 0.5, layers="conv").model) == {**halved, "dropout": 0.5}
    first = prune_channels(model, 0.25, last=False)
    assert rates(prune_channels(first.model, 0.5, sizes=first.sizes).model) == halved


def test_dropout_shared_by_branches_does_not_couple_them() -> None:
    layers = tf_keras().layers
    shared, inputs = layers.Dropout(0.4, name="shared"), image()
    left = shared(layers.Conv2D(4, 3, name="left")(inputs))
    right = shared(layers.Conv2D(6, 3, name="right")(inputs))
    done = prune_channels(functional(inputs, head(layers.Concatenate()([left, right]))), 0.5, multiple_of=1)
    assert done.removed == {"left": (4, 2), "right": (6, 3)}
    assert rates(done.model) == {"shared": 0.2}


def test_a_taper_moves_channels_between_first_and_last_layers() -> None:
    assert group_widths(0.5, 4.0, 3) == [0.25, 0.5, 1.0]
    assert group_widths(0.5, 0.25, 3) == [1.0, 0.5, 0.25]
    assert group_widths(0.5, 9.0, 1) == [pytest.approx(0.5 / 3)]
    assert group_widths(0.9, 4.0, 3) == [0.45, 0.9, 1.0]
    model = build("digits-cnn", (8, 8, 1), 10)
    even, early, late = (scale_channels(model, 0.5, taper=taper) for taper in (1.0, 0.25, 4.0))
    names = ("conv1", "conv2", "dense")
    assert [even.get_layer(n).output_shape[-1] for n in names] == [8, 16, 32]
    assert [early.get_layer(n).output_shape[-1] for n in names] == [16, 16, 16]
    assert [late.get_layer(n).output_shape[-1] for n in names] == [4, 16, 64]


def test_a_slice_has_the_weights_of_the_most_important_channels() -> None:
    seed_everything(0)
    model = build("digits-cnn", (8, 8, 1), 10)
    norms = np.abs(model.get_layer("conv1").kernel.numpy()).sum(axis=(0, 1, 2))
    best = np.sort(np.argsort(norms)[8:])
    sliced = slice_channels(model, 0.5)
    np.testing.assert_array_equal(
        sliced.get_layer("conv1").kernel.numpy(), model.get_layer("conv1").kernel.numpy()[..., best]
    )
    fresh = scale_channels(model, 0.5)
    assert [w.shape for w in sliced.get_weights()] == [w.shape for w in fresh.get_weights()]
    whole = slice_channels(model, 1.0)
    np.testing.assert_array_equal(whole.get_layer("logits").kernel.numpy(), model.get_layer("logits").kernel.numpy())
