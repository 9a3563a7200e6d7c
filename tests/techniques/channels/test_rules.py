"""Layer by layer: what goes together, what stays whole and why, and what a model looks like afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edgekit.frameworks.tensorflow import tensorflow, tf_keras
from edgekit.techniques.channels.groups import Analysis, analyse
from edgekit.techniques.channels.prune import prune_channels
from edgekit.techniques.channels.surgery import resized
from tests.support.raised import raised
from tests.techniques.channels.cases import functional, head, image

pytestmark = pytest.mark.tensorflow


def layer(kind: str, *args: Any, **kwargs: Any) -> Any:
    return getattr(tf_keras().layers, kind)(*args, **kwargs)


def conv(name: str, channels: int = 4, **kwargs: Any) -> Any:
    return layer("Conv2D", channels, 3, padding="same", name=name, **kwargs)


def groups(model: Any) -> dict[str, int]:
    return {group.name: group.size for group in analyse(model).groups}


def without(model: Any, name: str, *units: int) -> Any:
    analysis = analyse(model)
    return resized(analysis, analysis.kept({name: units}))


def test_a_chain() -> None:
    x = inputs = image()
    x = layer("ReLU")(layer("BatchNormalization", name="bn")(conv("a")(x)))
    analysis = analyse(functional(inputs, head(conv("b", 6)(x))))
    a, b = analysis.groups
    assert (a.name, a.producers, a.followers, a.consumers, a.size) == ("a", ("a",), ("bn",), ("b",), 4)
    assert (b.name, b.followers, b.consumers, b.size) == ("b", (), ("logits",), 6)
    assert analysis.not_pruned == {"logits": "its channels are an output of the model"}


def test_a_residual_sum_couples() -> None:
    x = inputs = image()
    x = layer("Add")([conv("a")(x), conv("b")(x)])
    model = functional(inputs, head(layer("Add")([x, conv("d")(conv("c", 5)(x))])))
    assert groups(model) == {"a+b+d": 4, "c": 5}


def test_a_sum_with_the_input_stays() -> None:
    inputs = image()
    analysis = analyse(functional(inputs, head(layer("Add")([inputs, conv("a")(inputs)]))))
    assert analysis.groups == ()
    assert analysis.not_pruned["a"] == "its channels are tied to those of the model's input"


def test_a_concatenation_keeps_channels_apart() -> None:
    inputs = image()
    both = layer("Concatenate")([conv("a", 3)(inputs), inputs, conv("b", 5)(inputs)])
    model = functional(inputs, head(conv("c")(both)))
    assert groups(model) == {"a": 3, "b": 5, "c": 4}
    smaller = without(model, "b", 0, 4)
    kernel, old = (m.get_layer("c").kernel.numpy() for m in (smaller, model))
    assert kernel.shape[2] == 3 + 4 + 3
    assert (kernel == old[:, :, [0, 1, 2, 3, 4, 5, 6, 8, 9, 10]]).all()


def test_a_concatenation_over_positions_couples() -> None:
    inputs = image()
    both = layer("Concatenate", axis=1)([conv("a")(inputs), conv("b")(inputs)])
    assert groups(functional(inputs, head(both))) == {"a+b": 4}


def test_a_sum_with_a_concatenation_couples_by_parts() -> None:
    inputs = image()
    both = layer("Concatenate")([conv("a", 3)(inputs), conv("b", 5)(inputs)])
    analysis = analyse(functional(inputs, head(layer("Maximum")([both, conv("c", 8)(inputs)]))))
    assert {group.name: group.size for group in analysis.groups} == {"a+c": 3, "b+c": 5}
    assert analysis.groups[1].members[0] == (("b", 0), ("c", 3))


def test_flatten_gives_the_dense_layer_blocks() -> None:
    inputs = image((2, 2, 4))
    model = functional(inputs, layer("Dense", 3, name="logits")(layer("Flatten")(conv("a")(inputs))))
    smaller = without(model, "a", 1)
    rows = [i for i in range(16) if i % 4 != 1]
    assert (smaller.get_layer("logits").kernel.numpy() == model.get_layer("logits").kernel.numpy()[rows]).all()


def test_a_depthwise_convolution_goes_with_its_input() -> None:
    x = inputs = image()
    x = layer("DepthwiseConv2D", 3, depth_multiplier=2, name="dw")(conv("a")(x))
    model = functional(inputs, head(x))
    assert groups(model) == {"a+dw": 4}
    smaller = without(model, "a+dw", 2)
    assert smaller.get_layer("dw").depthwise_kernel.shape == (3, 3, 3, 2)
    assert smaller.get_layer("logits").kernel.shape == (6, 3)


def test_a_depthwise_convolution_of_the_input_stays() -> None:
    inputs = image()
    analysis = analyse(functional(inputs, head(layer("DepthwiseConv2D", 3, name="dw")(inputs))))
    assert analysis.not_pruned["dw"] == "its channels are tied to those of the model's input"


def test_groups_of_a_convolution_stay_equal() -> None:
    inputs = image()
    model = functional(inputs, head(conv("b", 8, groups=2)(conv("a", 6)(inputs))))
    assert groups(model) == {"a": 3, "b": 4}
    smaller = without(model, "a", 1)
    assert smaller.get_layer("b").kernel.shape == (3, 3, 2, 8)
    assert smaller.get_layer("a").filters == 4
    smaller = without(model, "b", 0, 3)
    assert (smaller.get_layer("b").groups, smaller.get_layer("b").filters) == (2, 4)


def test_a_group_of_one_channel_goes_whole() -> None:
    inputs = image()
    model = functional(inputs, head(conv("b", 12, groups=6)(conv("a", 6)(inputs))))
    assert groups(model) == {"a+b": 6}
    smaller = without(model, "a+b", 1, 5)
    assert (smaller.get_layer("b").groups, smaller.get_layer("b").filters) == (4, 8)
    assert smaller.get_layer("a").filters == 4


def test_a_shared_layer_has_the_same_channels_at_every_call() -> None:
    inputs = image()
    twice = conv("twice")
    model = functional(inputs, head(twice(layer("ReLU")(twice(conv("first")(inputs))))))
    assert groups(model) == {"first+twice": 4}
    smaller = without(model, "first+twice", 3)
    assert smaller.get_layer("twice").kernel.shape == (3, 3, 3, 3)
    assert len(smaller.get_layer("twice").inbound_nodes) == 2


def test_nested_models_are_followed() -> None:
    keras = tf_keras()
    base = keras.Sequential(
        [keras.layers.Input((6, 6, 5)), conv("inner"), layer("ReLU"), conv("outer", 6)], name="base"
    )
    inputs = image()
    model = functional(inputs, head(base(conv("before", 5)(inputs))))
    assert groups(model) == {"before": 5, "base/inner": 4, "base/outer": 6}
    smaller = without(model, "before", 0)
    assert isinstance(smaller.get_layer("base"), keras.Sequential)
    assert smaller.get_layer("base").input_shape == (None, 6, 6, 4)


def test_names_with_a_slash_do_not_collide() -> None:
    keras = tf_keras()
    inputs = image()
    base = keras.Sequential([keras.layers.Input((6, 6, 5)), conv("b")], name="a")
    model = functional(inputs, head(base(conv("a/b", 5)(inputs))))
    assert groups(model) == {"a/b": 5, "a/b#2": 4}


def test_squeeze_and_excitation_couples_the_gate() -> None:
    x = inputs = image()
    x = conv("a")(x)
    gate = layer("Dense", 3, activation="relu", name="squeeze")(layer("GlobalAveragePooling2D")(x))
    gate = layer("Reshape", (1, 1, 4), name="spread")(layer("Dense", 4, activation="sigmoid", name="excite")(gate))
    model = functional(inputs, head(layer("Multiply")([x, gate])))
    assert groups(model) == {"a+excite": 4, "squeeze": 3}
    assert without(model, "a+excite", 0).get_layer("spread").target_shape == (1, 1, 3)


def test_a_single_channel_that_scales_the_others_stays() -> None:
    inputs = image()
    x = conv("a")(inputs)
    model = functional(inputs, head(layer("Multiply")([x, conv("map", 1)(x)])))
    assert groups(model) == {"a": 4}
    assert "spreads it over all others" in analyse(model).not_pruned["map"]


def sigmoid_of(x: Any) -> Any:
    return tensorflow().sigmoid(x)


def reshaped(x: Any) -> Any:
    return layer("Reshape", (36, 2, 2), name="mixing")(x)


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "layer normalisation": (lambda x: layer("LayerNormalization", name="n")(x), "reach n (LayerNormalization), which"),
    "softmax over channels": (lambda x: layer("Softmax", name="n")(x), "sets every channel against the others"),
    "softmax in an activation": (lambda x: layer("Activation", "softmax", name="n")(x), "whose softmax sets every"),
    "a lambda": (lambda x: layer("Lambda", lambda t: t * 2, name="n")(x), "n (Lambda), whose way with channels is not"),
    "a sum with what is not known": (
        lambda x: layer("Add")([x, layer("Lambda", lambda t: t * 2, name="n")(image_of(x, 4))]),
        "tied to those of n (Lambda), whose way with channels is not known",
    ),
    "an unknown activation": (lambda x: layer("Activation", sigmoid_of, name="n")(x), "`sigmoid_of` is not known"),
    "another axis": (lambda x: layer("BatchNormalization", axis=1, name="n")(x), "along another axis than the last"),
    "a permutation": (lambda x: layer("Permute", (3, 1, 2), name="n")(x), "n (Permute), which moves the channel axis"),
    "a reshape": (reshaped, "mixing (Reshape), which mixes channels and positions"),
    "scaled channel by channel": (lambda x: layer("Rescaling", [1.0, 2, 3, 4], name="n")(x), "a number of its own"),
    "a constant tensor": (lambda x: x + tensorflow().ones((4,)), "an operation with a constant tensor"),
    "an operation": (lambda x: tensorflow().reduce_sum(x, axis=-1, keepdims=True), "that edgekit does not know"),
    "a slice": (lambda x: x[..., :2], "whose way with channels is not known"),
    "one channel added to all": (
        lambda x: layer("Add")([x, conv("one", 1)(image_of(x, 2))]),
        "spreads one channel over",
    ),
    "a pooling with channels first": (
        lambda x: layer("UpSampling2D", 2, data_format="channels_first", name="n")(x),
        "whose channels are not on the last axis",
    ),
}


def image_of(x: Any, channels: int) -> Any:
    return layer("Conv2D", channels, 1, name="side")(x)


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_left_whole_and_why(case: str) -> None:
    build, why = REFUSED[case]
    inputs = image()
    analysis = analyse(functional(inputs, head(build(conv("a")(conv("free", 5)(inputs))))))
    assert "free" in {group.name for group in analysis.groups}
    assert "a" not in {group.name for group in analysis.groups}
    assert why in analysis.not_pruned["a"]


def test_the_activation_of_the_layer_itself() -> None:
    inputs = image()
    x = layer("Add")([conv("a", activation="softmax")(inputs), conv("b", activation="relu")(inputs)])
    analysis = analyse(functional(inputs, head(x)))
    why = "its channels come from a (Conv2D), whose softmax sets every channel against the others"
    assert analysis.not_pruned == {"a": why, "b": why, "logits": "its channels are an output of the model"}


def test_an_unknown_layer_with_weights_is_named_itself() -> None:
    inputs = image((6, 4))
    x = layer("Conv1D", 4, 3, name="a")(inputs)
    analysis = analyse(functional(inputs, layer("Dense", 2)(layer("LSTM", 3, name="memory")(x))))
    assert analysis.not_pruned["memory"] == "how channels pass through a LSTM is not known"


def test_a_subclass_of_a_known_layer_is_not_trusted() -> None:
    class Mine(tf_keras().layers.ReLU):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            return inputs - tensorflow().reduce_mean(inputs, axis=-1, keepdims=True)

    inputs = image()
    analysis = analyse(functional(inputs, head(Mine(name="mine")(conv("a")(inputs)))))
    assert "mine (Mine), whose way with channels is not known" in analysis.not_pruned["a"]


PASSED: dict[str, Callable[[Any], Any]] = {
    "softmax over positions": lambda x: layer("Softmax", axis=(1, 2))(x),
    "a layer as activation": lambda x: layer("Activation", layer("ReLU", 6.0))(x),
    "a function of TensorFlow": lambda x: layer("Activation", tensorflow().nn.relu)(x),
    "rows": lambda x: layer("Reshape", (-1, 4))(x),
    "rows of unknown length": lambda x: layer("Reshape", (36, -1))(x),
    "positions swapped": lambda x: layer("Permute", (2, 1, 3))(x),
    "rescaled": lambda x: layer("Rescaling", 2.0, 0.5)(x),
    "arithmetic": lambda x: tensorflow().nn.relu(1.0 - x / 2.0) * x + 3.0,
    "noise": lambda x: layer("GaussianNoise", 0.1)(layer("GaussianDropout", 0.1)(layer("AlphaDropout", 0.1)(x))),
    "shared slopes": lambda x: layer("PReLU", shared_axes=[1, 2, 3])(x),
}


@pytest.mark.parametrize("case", PASSED)
def test_what_channels_pass_through(case: str) -> None:
    inputs = image()
    x = PASSED[case](conv("a")(inputs))
    pool = "GlobalMaxPooling1D" if len(x.shape) == 3 else "GlobalMaxPooling2D"
    model = functional(inputs, layer("Dense", 2, name="logits")(layer(pool)(x)))
    assert groups(model) == {"a": 4}
    assert without(model, "a", 0, 1).get_layer("logits").kernel.shape == (2, 2)


def test_images_of_unknown_size() -> None:
    inputs = image((None, None, 3))
    model = functional(inputs, head(layer("MaxPooling2D")(conv("a")(inputs))))
    assert groups(model) == {"a": 4}
    flat = layer("Dense", 2)(layer("Reshape", (36 * 4,), name="flat")(conv("a")(inputs)))
    assert "flat (Reshape), whose shape is not known" in analyse(functional(inputs, flat)).not_pruned["a"]


def test_several_inputs_and_outputs_keep_their_structure() -> None:
    inputs = {name: tf_keras().layers.Input((4,), name=name) for name in ("b", "a")}
    hidden = layer("Dense", 6, name="hidden")(layer("Concatenate")([inputs["a"], inputs["b"]]))
    out = {"y": layer("Dense", 2, name="y")(hidden), "kept": layer("Dense", 3, name="kept")(inputs["b"])}
    smaller = without(functional(inputs, out), "hidden", 0)
    assert set(smaller.input) == {"a", "b"}
    assert set(smaller.output) == {"y", "kept"}
    assert smaller.count_params() == (8 * 5 + 5) + (5 * 2 + 2) + (4 * 3 + 3)


def test_an_intermediate_output_stays() -> None:
    inputs = image()
    features = conv("features")(inputs)
    assert groups(functional(inputs, [head(conv("b")(features)), features])) == {"b": 4}


def test_the_source_is_left_as_it_was() -> None:
    inputs = image()
    model = functional(inputs, head(conv("a", 16)(inputs)))
    before, config = [value.copy() for value in model.get_weights()], model.get_config()
    prune_channels(model, 0.5)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    assert model.get_config() == config


def test_names_frozen_layers_and_kinds_stay() -> None:
    keras = tf_keras()
    parts = [conv("a", input_shape=(6, 6, 4)), layer("ReLU", name="r"), layer("Flatten"), layer("Dense", 2, name="y")]
    model = keras.Sequential(parts, name="line")
    model.get_layer("a").trainable = False
    smaller = without(model, "a", 0)
    assert isinstance(smaller, keras.Sequential)
    assert smaller.name == "line"
    assert [part.name for part in smaller.layers] == [part.name for part in model.layers]
    assert not smaller.get_layer("a").trainable


def test_the_analysis_refuses_to_take_everything() -> None:
    inputs = image()
    analysis: Analysis = analyse(functional(inputs, head(conv("a")(inputs))))
    with raised("value-out-of-range", "`a`", "4"):
        analysis.kept({"a": range(4)})
    with raised("unknown-name", "`b`"):
        analysis.kept({"b": [0]})
