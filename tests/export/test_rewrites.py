"""Every rewrite computes the same in float, applies where it should, and leaves alone what it cannot do exactly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgekit.bundle.recipe import Recipe
from edgekit.export.exporter import export
from edgekit.export.rewrites.apply import Rewritten, in_words, rewritten
from edgekit.export.rewrites.registry import Rewrite
from edgekit.frameworks.tensorflow import seed_everything, tensorflow, tf_keras
from edgekit.pipeline.readme import _rewrites
from edgekit.progress import SILENT
from edgekit.stats import sqnr_db
from edgekit.techniques.qat_finish import strip_quantization
from edgekit.techniques.qat_preflight import prepare
from edgekit.techniques.qat_ranges import calibrate
from edgekit.techniques.qat_scheme import apply

pytestmark = pytest.mark.tensorflow

Builder = Callable[[Any, Any], Any]
"""Takes Keras's layers and an input, and returns the output."""


def model_of(build: Builder, shape: tuple[int, ...] = (8, 8, 3)) -> Any:
    """A model with weights as after training: scales of both signs, some zero, unlike from channel to channel."""
    keras = tf_keras()
    seed_everything(0)
    x = keras.Input(shape)
    model = keras.Model(x, build(keras.layers, x))
    spread(model)
    return model


def spread(model: Any) -> None:
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if hasattr(layer, "layers"):
            spread(layer)
        elif type(layer).__name__ == "BatchNormalization":
            n = layer.moving_mean.shape[0]
            gamma = rng.normal(size=n) * np.exp(rng.normal(size=n))
            gamma[: n // 4] = 0
            mean, variance = rng.normal(size=n), np.exp(2 * rng.normal(size=n))
            layer.set_weights([gamma] * layer.scale + [rng.normal(size=n)] * layer.center + [mean, variance])
        elif layer.weights and type(layer).__name__ != "Normalization":
            layer.set_weights([w + 0.3 * rng.normal(size=w.shape) for w in layer.get_weights()])


def samples(model: Any, n: int = 16) -> Any:
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, *model.inputs[0].shape[1:])).astype(np.float32)


def kinds(model: Any) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


def check(model: Any, x: Any = None) -> Rewritten:
    x = samples(model) if x is None else x
    before = [w.copy() for w in model.get_weights()]
    found = rewritten(model, x)
    for a, b in zip(*(tensorflow().nest.flatten(m(x)) for m in (model, found.model)), strict=True):
        assert np.abs(a - b).max() <= 1e-5 * np.abs(a).max()
    assert all((w == v).all() for w, v in zip(before, model.get_weights(), strict=True))
    return found


def bn(L: Any, x: Any) -> Any:
    return L.BatchNormalization()(x)


def relu_conv(L: Any, x: Any, n: int = 8, **options: Any) -> Any:
    return L.Conv2D(n, 3, padding="same", activation="relu", **options)(x)


def residual(L: Any, x: Any) -> Any:
    x = relu_conv(L, x)
    return L.Conv2D(4, 1)(L.Add()([x, L.Conv2D(8, 1)(L.ReLU()(bn(L, x)))]))


def two_readers(L: Any, x: Any) -> Any:
    x = bn(L, relu_conv(L, x))
    return L.Concatenate()([L.Conv2D(2, 3)(x), L.Conv2D(3, 3)(x)])


def shared(L: Any, x: Any) -> Any:
    conv, norm = L.Conv2D(3, 3, padding="same", activation="relu"), L.BatchNormalization()
    return L.Conv2D(4, 1)(norm(conv(norm(conv(x)))))


def nested(L: Any, x: Any) -> Any:
    inside = tf_keras().Sequential([L.Conv2D(8, 3, activation="relu"), L.BatchNormalization(trainable=False)])
    return L.Dense(3)(L.Flatten()(inside(x)))


def mixed(L: Any, x: Any) -> Any:
    """Concatenated and added, then normalized."""
    a, b, c = relu_conv(L, x, 4), bn(L, L.Conv2D(8, 3, padding="same")(x)), L.LeakyReLU(0.3)(L.Conv2D(4, 1)(x))
    return L.Conv2D(4, 1)(bn(L, L.ReLU()(L.Add()([L.Concatenate()([a, c]), L.MaxPooling2D(2, 1, "same")(b)]))))


def operations(L: Any, x: Any) -> Any:
    tf = tensorflow()
    return L.Conv2D(4, 3)((tf.math.softplus(L.Conv2D(4, 1)(x / 127.5 - [1.0, 0.5, 0.2])) + 1.0) * 3.0)


def written_softplus(L: Any, x: Any) -> Any:
    """In three ways, and once with an exponential that is read elsewhere, too."""
    tf = tensorflow()
    y = L.Conv2D(4, 1)(x / 255)
    y = L.Conv2D(4, 1)(tf.math.log1p(tf.exp(y)))
    y = L.Conv2D(4, 1)(tf.math.log(1 + tf.exp(y)))
    y = L.Conv2D(4, 1)(tf.math.log1p(L.Activation("exponential")(y)))
    exponential = tf.exp(y)
    return [tf.math.log1p(exponential), exponential, tf.math.log(2 + tf.exp(y))]


CASES: dict[str, tuple[Builder, dict[str, int]]] = {
    "behind relu, before padding": (
        lambda L, x: L.Conv2D(4, 3, padding="same")(bn(L, relu_conv(L, x))),
        {"fold-behind": 1, "depthwise-affine": 1, "equalize": 1},
    ),
    "behind relu, before no padding": (
        lambda L, x: L.Conv2D(4, 3)(bn(L, relu_conv(L, x, use_bias=False))),
        {"fold-behind": 1, "fold-ahead": 1},
    ),
    "through pooling and dropout": (
        lambda L, x: bn(L, L.Dropout(0.5)(L.AveragePooling2D()(L.LeakyReLU()(L.DepthwiseConv2D(3)(x))))),
        {"fold-behind": 1, "depthwise-affine": 1, "equalize": 1},
    ),
    "whole, through a mean": (
        lambda L, x: L.ReLU()(bn(L, L.AveragePooling2D()(L.Conv2DTranspose(8, 3, use_bias=False)(x)))),
        {"fold-behind": 1},
    ),
    "without scale and centre": (
        lambda L, x: L.Dense(3)(L.GlobalAveragePooling2D()(L.BatchNormalization(scale=False)(relu_conv(L, x)))),
        {"fold-behind": 1, "fold-ahead": 1},
    ),
    "separable, PReLU, flattened": (
        lambda L, x: L.Dense(5)(
            L.Flatten()(L.BatchNormalization(center=False)(L.PReLU()(L.SeparableConv2D(8, 3, depth_multiplier=2)(x))))
        ),
        {"fold-behind": 1, "fold-ahead": 1},
    ),
    "grouped, depthwise, separable readers": (
        lambda L, x: L.SeparableConv2D(3, 2)(
            bn(L, L.ReLU()(L.DepthwiseConv2D(2, depth_multiplier=2)(bn(L, relu_conv(L, x)))))
        ),
        {"fold-behind": 2, "fold-ahead": 2, "equalize": 1},
    ),
    "grouped reader": (
        lambda L, x: L.Conv2D(6, 2, groups=2)(bn(L, relu_conv(L, x))),
        {"fold-behind": 1, "fold-ahead": 1},
    ),
    "rows of a sequence": (
        lambda L, x: L.Conv1D(4, 3, padding="causal")(bn(L, L.Conv1D(6, 3, activation="relu")(L.Reshape((8, 24))(x)))),
        {"fold-behind": 1, "depthwise-affine": 1},
    ),
    "dense": (
        lambda L, x: L.Dense(4)(bn(L, L.Dense(16, activation="relu")(L.Flatten()(x)))),
        {"fold-behind": 1, "fold-ahead": 1},
    ),
    "concatenated and added": (mixed, {"fold-behind": 1, "fold-ahead": 1}),
    "several readers, all of them convolutions": (two_readers, {"fold-behind": 1, "fold-ahead": 1}),
    "several readers before": (residual, {"depthwise-affine": 1}),
    "relu6": (lambda L, x: bn(L, L.ReLU(6.0)(L.Conv2D(8, 3)(x))), {"depthwise-affine": 1}),
    "shared": (shared, {}),
    "nested and frozen": (nested, {"fold-behind": 1, "fold-ahead": 1}),
    "another axis": (lambda L, x: L.BatchNormalization(axis=1)(relu_conv(L, x)), {}),
    "what TensorFlow folds": (lambda L, x: L.ReLU()(bn(L, L.Conv2D(8, 3)(x))), {}),
    "leading, before no padding": (
        lambda L, x: L.Conv2D(4, 3)(L.Normalization(mean=[1, 2, 3], variance=[1, 2, 3])(L.Rescaling(1 / 255.0)(x))),
        {"fold-ahead": 1},
    ),
    "leading, before padding": (
        lambda L, x: relu_conv(L, L.Rescaling(1 / 127.5, -1)(x)),
        {"depthwise-affine": 1},
    ),
    "leading, channels unlike": (
        lambda L, x: L.Conv2D(4, 3)(L.Normalization(mean=[1, 2, 3], variance=[1, 1, 1e4])(x)),
        {"depthwise-affine": 1},
    ),
    "operations with the constant first": (
        lambda L, x: L.Conv2D(4, 3)(1.0 + 3.0 * L.ReLU()(L.Conv2D(4, 1)(x / 255))),
        {"fold-behind": 1, "fold-ahead": 2},
    ),
    "operations": (operations, {"bounded-activations": 1, "fold-ahead": 2}),
    "softplus written as operations": (
        written_softplus,
        {"bounded-activations": 3, "fold-ahead": 1, "depthwise-affine": 1},
    ),
    "an output that is read as well": (
        lambda L, x: [y := relu_conv(L, x), L.Conv2D(4, 1)(L.ReLU(6.0)(bn(L, y)))],
        {"depthwise-affine": 1},
    ),
    "activations": (
        lambda L, x: L.Dense(4, "selu")(L.ELU(0.5)(L.Activation("mish")(L.Conv2D(8, 3, activation="softplus")(x)))),
        {"bounded-activations": 4},
    ),
    "activations, then scales": (
        lambda L, x: L.Conv2D(4, 3)(bn(L, L.ReLU()(L.Conv2D(8, 3)(L.ELU()(L.Conv2D(8, 3, activation="mish")(x)))))),
        {"bounded-activations": 2, "fold-behind": 1, "fold-ahead": 1},
    ),
    "channels unlike before a depthwise convolution": (
        lambda L, x: L.SeparableConv2D(4, 3)(
            L.DepthwiseConv2D(3, padding="same")(L.ReLU()(bn(L, L.Conv2D(16, 3, use_bias=False)(x))))
        ),
        {"equalize": 1},
    ),
    "activations inside": (
        lambda L, x: L.Bidirectional(L.LSTM(4, activation="softplus"))(
            L.TimeDistributed(L.Dense(5, activation="elu"))(L.Reshape((8, 24))(x))
        ),
        {"bounded-activations": 2},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_computes_the_same_and_applies(name: str) -> None:
    build, expected = CASES[name]
    assert check(model_of(build)).rewrites == expected


def test_a_rewrite_that_changes_outputs_is_dropped() -> None:
    def wrong(view: Any) -> int:
        view.set(view.nodes[0].layer, [1.001 * w for w in view.nodes[0].layer.get_weights()])
        return 1

    model = model_of(lambda L, x: L.Conv2D(4, 3)(x))
    found = rewritten(model, samples(model), [Rewrite("wrong", "", wrong), Rewrite("fails", "", lambda view: 1 // 0)])
    assert found == Rewritten(model, {})


def test_one_output_that_differs_is_enough() -> None:
    """A small one beside a large one."""

    def wrong(view: Any) -> int:
        convolution = next(node.layer for node in view.nodes if node.layer.weights)
        view.set(convolution, [1.001 * w for w in convolution.get_weights()])
        return 1

    model = model_of(lambda L, x: [L.Rescaling(1e6)(x), L.Conv2D(4, 3)(x)])
    assert rewritten(model, samples(model), [Rewrite("wrong", "", wrong)]).rewrites == {}


def test_models_without_a_graph_come_back() -> None:
    keras = tf_keras()

    class Own(keras.Model):
        def call(self, x: Any) -> Any:
            return x

    model = Own()
    assert rewritten(model, np.ones((3, 4), np.float32)) == Rewritten(model, {})


def test_several_inputs_and_integers() -> None:
    keras = tf_keras()
    layers, tokens, image = keras.layers, keras.Input((6,), dtype="int32"), keras.Input((8, 8, 3))
    words = layers.Dense(4, activation="softplus")(layers.Flatten()(layers.Embedding(9, 3)(tokens)))
    pixels = layers.GlobalAveragePooling2D()(layers.BatchNormalization()(layers.Conv2D(8, 3, activation="relu")(image)))
    model = keras.Model([tokens, image], [layers.Dense(3)(pixels), layers.Concatenate()([words, pixels])])
    spread(model)
    rng = np.random.default_rng(0)
    x = rng.integers(0, 9, (40, 6)).astype(np.float32), rng.normal(size=(40, 8, 8, 3)).astype(np.float32)
    found = rewritten(model, x)
    assert found.rewrites == {"bounded-activations": 1, "fold-behind": 1, "depthwise-affine": 1, "equalize": 1}
    inputs = [x[0].astype(np.int32), x[1]]
    for a, b in zip(model(inputs), found.model(inputs), strict=True):
        assert np.abs(a - b).max() <= 1e-5 * np.abs(a).max()


def sqnr(
    model: Any, scheme: str, x: np.ndarray, folder: Path, float_model: Any = None
) -> tuple[float, list[str], dict[str, int]]:
    """Of the file, with the operators in it and what was rewritten."""
    from ai_edge_litert.interpreter import Interpreter

    recipe = Recipe("r", schemes=(scheme,), formats=("tflite",))
    [made] = export(model, recipe, x, folder, "m", SILENT, float_model)
    interpreter = Interpreter(model_path=str(made.path))
    interpreter.allocate_tensors()
    [source], [target] = interpreter.get_input_details(), interpreter.get_output_details()
    outputs = []
    for row in x:
        scale, zero = source["quantization"]
        quantized = np.clip(np.round(row[None] / scale) + zero, np.iinfo(source["dtype"]).min, None)
        interpreter.set_tensor(source["index"], quantized.astype(source["dtype"]))
        interpreter.invoke()
        scale, zero = target["quantization"]
        outputs.append((interpreter.get_tensor(target["index"])[0].astype(np.float64) - zero) * scale)
    names = [operator["op_name"] for operator in interpreter._get_ops_details()]
    reference = np.asarray((float_model or model)(x), np.float64)
    return sqnr_db(reference, np.array(outputs)), names, made.rewrites


def wide(activation: str) -> Builder:
    """A convolution with outputs of up to 15 before an activation."""
    return lambda L, x: L.Conv2D(4, 1)(L.Conv2D(8, 3, activation=activation, kernel_initializer="he_normal")(x * 3.0))


def channels_unlike(L: Any, x: Any) -> Any:
    """As after training: what the convolution spreads, the normalization behind it brings together."""
    return L.Conv2D(4, 3, padding="same")(L.BatchNormalization(name="together")(relu_conv(L, x, name="spread")))


@pytest.mark.parametrize(
    ("build", "scheme", "least"),
    [
        (wide("softplus"), "int8", 30.0),
        (wide("softplus"), "int16x8", 40.0),
        (wide("mish"), "int8", 30.0),
        (wide("selu"), "int8", 30.0),
        (wide("selu"), "int16x8", 40.0),
        (channels_unlike, "int8", 32.0),
    ],
    ids=["softplus", "softplus-16", "mish", "selu", "selu-16", "relu-bn"],
)
def test_files_are_better(build: Builder, scheme: str, least: float, tmp_path: Path) -> None:
    """Without rewrites softplus and mish have 0 dB, SELU 13, the normalization 26, and SELU has no int16x8 form."""
    model = model_of(build)
    if build is channels_unlike:
        convolution, together = model.get_layer("spread"), model.get_layer("together")
        spreading = np.exp(np.random.default_rng(2).normal(size=8) * 2)
        convolution.set_weights([w * spreading for w in convolution.get_weights()])
        outputs = np.asarray(tf_keras().Model(model.inputs, convolution.output)(samples(model, 40)))
        together.set_weights([*together.get_weights()[:2], outputs.mean((0, 1, 2)), outputs.var((0, 1, 2))])
    better, operators, _ = sqnr(model, scheme, samples(model, 40), tmp_path)
    assert better >= least
    assert "DEQUANTIZE" not in operators


def test_unrolled_layers_keep_their_bounded_activations(tmp_path: Path) -> None:
    def build(L: Any, x: Any) -> Any:
        return L.Dense(3)(L.SimpleRNN(4, activation="softplus")(L.Reshape((4, 48))(x)))

    model = model_of(build)
    ratio, operators, rewrites = sqnr(model, "int8", samples(model, 40), tmp_path)
    assert rewrites == {"bounded-activations": 1}
    assert "EXP" not in operators
    assert ratio >= 20


def test_activations_of_models_trained_with_fake_quantization(tmp_path: Path) -> None:
    """Without it the file has 0 dB."""
    model = model_of(wide("softplus"))
    x = samples(model, 40)
    prepared = prepare(model, x)
    quantized = apply(prepared.model, prepared.handling, {})
    calibrate(quantized, prepared.model, x, 40)
    ratio, operators, rewrites = sqnr(quantized, "int8", x, tmp_path, strip_quantization(quantized))
    assert rewrites == {"bounded-activations": 1}
    assert "EXP" not in operators
    assert ratio >= 20


def test_the_readme_of_a_bundle_says_what_was_rewritten_in_which_files() -> None:
    """A file of a model trained with fake quantization has other rewrites than one made from its float twin."""
    rewrites = {"a.tflite": {}, "b.tflite": {"bounded-activations": 2}, "c.tflite": {"equalize": 1}}
    rewrites["d.onnx"] = rewrites["b.tflite"]
    artifacts = [SimpleNamespace(file=name, rewrites=found) for name, found in rewrites.items()]
    manifest: Any = SimpleNamespace(artifacts=artifacts)
    first, second = (text.splitlines() for text in _rewrites(manifest))
    assert first[0].endswith("(b.tflite, d.onnx):") and first[1:] == [f"  {in_words(rewrites['b.tflite'])}"]
    assert second[0].endswith("(c.tflite):") and second[1:] == [f"  {in_words(rewrites['c.tflite'])}"]
