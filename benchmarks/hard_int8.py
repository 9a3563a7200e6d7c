"""Models that break naive int8: the int8 file by TensorFlow alone and by edgekit, beside the float model.

    EDGEKIT_DATA=folder-with-mnist-and-cifar10 python benchmarks/hard_int8.py WORK [--only softplus,mish]
        [--edgekit before=../main --edgekit "mse=. --calibration-method mse"]

Every model is built and trained by the code below and saved in WORK; `--edgekit NAME=CHECKOUT` names the edgekits to
compare, with more options behind it, by default this one. TensorFlow alone is `TFLiteConverter` with edgekit's
calibration samples. Accuracy (with its Wilson interval) and SQNR are of the files, on the test samples, by the loop in
here. WORK/results.json is written after every file, and what is in it is not done again.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from edgekit.data.loading import load_data
from edgekit.data.split import split
from edgekit.export.signature import Signature
from edgekit.frameworks.tensorflow import quiet, seed_everything, tensorflow, tf_keras
from edgekit.stats import sqnr_db, wilson
from edgekit.tasks.samples import Array

BRIGHT = slice(300, 700, 100)
CHECKOUT = Path(__file__).parents[1]
RECIPE = 'schema = 1\n[export]\nschemes = ["int8"]\nformats = ["tflite"]\n'
Layers = Any
Data = tuple[Array, Array, Array, Array]
"""x and y to train with, x and y to test with."""


@dataclass(frozen=True)
class Hard:
    """A model that int8 hurts.

    Attributes:
        data: makes the samples.
        build: from Keras's layers and an input to the outputs; the first is the classes.
        epochs: of training.
        spoil: changes the trained model, computing the same.
        options: for `edgekit compress`.
    """

    data: Callable[[], Data]
    build: Callable[[Layers, Any], Any]
    epochs: int = 3
    spoil: Callable[[Any], None] = lambda model: None
    options: Sequence[str] = ()


def mnist(n: int = 8000, scale: float = 255.0) -> Data:
    with np.load(Path(os.environ["EDGEKIT_DATA"]) / "mnist.npz") as data:
        x, y, xt, yt = (data[key] for key in ("x_train", "y_train", "x_test", "y_test"))
    x, xt = (v[..., None].astype(np.float32) / np.float32(scale) for v in (x[:n], xt[:2000]))
    return x, y[:n].ravel().astype(np.int64), xt, yt[:2000].ravel().astype(np.int64)


def cifar(n: int = 8000) -> Data:
    with np.load(Path(os.environ["EDGEKIT_DATA"]) / "cifar10.npz") as data:
        x, y, xt, yt = (data[key] for key in ("x_train", "y_train", "x_test", "y_test"))
    x, xt = (v.astype(np.float32) / np.float32(255) for v in (x[:n], xt[:2000]))
    return x, y[:n].ravel().astype(np.int64), xt, yt[:2000].ravel().astype(np.int64)


def windows(ratio: float = 300.0, glitches: int = 0) -> Data:
    """Waves of three classes in the first three channels, noise of another range in the others."""
    rng = np.random.default_rng(0)
    n, steps = 4000, 64
    y = rng.integers(0, 3, n)
    time_axis = 2 * np.pi * np.array([2, 4, 7])[y][:, None] * np.arange(steps) / steps
    x = rng.normal(size=(n, steps, 6)).astype(np.float32)
    for channel in range(3):
        x[:, :, channel] = 0.6 * np.sin(time_axis + rng.uniform(0, 6.28, (n, 1))) + 0.15 * x[:, :, channel]
    x[:, :, 3:] *= ratio
    x[rng.integers(0, 3000, glitches), rng.integers(0, steps, glitches), 0] = 900.0
    return x[:3000], y[:3000], x[3000:], y[3000:]


def activated(name: str) -> Callable[[Layers, Any], Any]:
    def build(L: Layers, x: Any) -> Any:
        for filters in (8, 16, 16):
            x = L.Activation(name)(L.Conv2D(filters, 3, strides=2, padding="same")(x))
        return classes(L, L.Flatten()(x))

    return build


def norm(L: Layers) -> Any:
    """Statistics that settle within a few hundred steps."""
    return L.BatchNormalization(momentum=0.9)


def classes(L: Layers, x: Any, count: int = 10) -> Any:
    return L.Dense(count, activation="softmax", name="classes")(x)


def relu_bn(L: Layers, x: Any) -> Any:
    for filters in (24, 32, 48):
        x = norm(L)(L.Conv2D(filters, 3, padding="same", activation="relu")(x))
        x = L.MaxPooling2D()(x)
    return classes(L, L.GlobalAveragePooling2D()(x))


def relu_bn_dense(L: Layers, x: Any) -> Any:
    x = L.Flatten()(x)
    for units in (64, 32):
        x = norm(L)(L.Dense(units, activation="relu")(x))
    return classes(L, x)


def pre_activation(L: Layers, x: Any) -> Any:
    """Residual blocks that begin with BatchNormalization: nothing to fold it into."""
    x = L.Conv2D(16, 3, strides=2, padding="same")(x)
    for _ in range(2):
        y = L.Conv2D(16, 3, padding="same")(L.ReLU()(norm(L)(x)))
        x = L.Add()([x, L.Conv2D(16, 3, padding="same")(L.ReLU()(norm(L)(y)))])
    return classes(L, L.Flatten()(L.ReLU()(norm(L)(x))))


def mobile(L: Layers, x: Any) -> Any:
    x = L.ReLU()(norm(L)(L.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(x)))
    for filters in (32, 48):
        x = L.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False)(x)
        x = L.ReLU()(norm(L)(x))
        x = L.ReLU()(norm(L)(L.Conv2D(filters, 1, use_bias=False)(x)))
    return classes(L, L.Flatten()(x))


def uneven(model: Any, kind: str) -> Iterator[tuple[Any, Array]]:
    """Yield the layers of a kind, each with a factor for every channel of its input."""
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if type(layer).__name__ == kind:
            yield layer, np.exp(1.5 * rng.normal(size=layer.input.shape[-1])).astype(np.float32)


def uneven_channels(model: Any) -> None:
    """Scale channels before depthwise convolutions up and down, and undo it in those: the same outputs."""
    for layer, factor in uneven(model, "DepthwiseConv2D"):
        relu = layer.input._keras_history.layer
        normalization = relu.input._keras_history.layer
        gamma, beta, *rest = normalization.get_weights()
        normalization.set_weights([gamma * factor, beta * factor, *rest])
        layer.set_weights([layer.get_weights()[0] / factor[:, None]])


def uneven_scales(model: Any) -> None:
    """Scale channels after a relu in a convolution, and undo it in the BatchNormalization behind: the same outputs."""
    for layer, factor in uneven(model, "BatchNormalization"):
        before = layer.input._keras_history.layer
        before.set_weights([weight * factor for weight in before.get_weights()])
        gamma, beta, mean, variance = layer.get_weights()
        wider = np.sqrt((variance * factor**2 + layer.epsilon) / (variance + layer.epsilon))
        layer.set_weights([gamma * wider / factor, beta, mean * factor, variance * factor**2])


def conv1d(normalization: bool) -> Callable[[Layers, Any], Any]:
    def build(L: Layers, x: Any) -> Any:
        x = norm(L)(x) if normalization else x
        x = L.MaxPooling1D()(L.Conv1D(16, 7, padding="same", activation="relu")(x))
        return classes(L, L.GlobalAveragePooling1D()(L.Conv1D(16, 5, padding="same", activation="relu")(x)), 3)

    return build


def residual(L: Layers, x: Any) -> Any:
    """No normalization: what is added grows from block to block."""
    x = L.Conv2D(24, 3, strides=2, padding="same", activation="relu")(x)
    for _ in range(4):
        y = L.Conv2D(24, 3, padding="same", activation="relu")(x)
        x = L.Add()([x, L.Conv2D(24, 3, padding="same")(y)])
    return classes(L, L.Flatten()(L.ReLU()(x)))


def wide_residual(L: Layers, x: Any) -> Any:
    """Branches of very different size are added: what int8 holds of the sum is mostly the large one."""
    x = L.Conv2D(16, 3, strides=2, padding="same", activation="relu")(x)
    for block in range(2):
        large = L.Conv2D(16, 3, padding="same", use_bias=False, name=f"large_{block}")(x)
        small = L.Conv2D(16, 3, padding="same", activation="relu")(x)
        x = L.ReLU()(norm(L)(L.Subtract()([L.Add()([large, small]), large])))
    return classes(L, L.Flatten()(x))


def hard_swish(L: Layers, x: Any) -> Any:
    """As MobileNetV3 writes it: x * relu6(x + 3) / 6, behind BatchNormalization with channels of unlike ranges."""
    for filters in (12, 24, 24):
        x = L.Conv2D(filters, 3, strides=2, padding="same")(x)
        uneven_start = tf_keras().initializers.RandomUniform(0.05, 20.0, seed=0)
        x = L.BatchNormalization(momentum=0.9, gamma_initializer=uneven_start)(x)
        x = L.Multiply()([x, L.Rescaling(1 / 6)(L.ReLU(6.0)(L.Rescaling(1.0, 3.0)(x)))])
    return classes(L, L.Flatten()(x))


def larger(model: Any) -> None:
    """Scale the branches that cancel out up: the same outputs."""
    for layer in model.layers:
        if layer.name.startswith("large"):
            layer.set_weights([weight * 40 for weight in layer.get_weights()])


def recurrent(kind: str) -> Callable[[Layers, Any], Any]:
    def build(L: Layers, x: Any) -> Any:
        rows = L.Reshape((14, 56))(x)
        return classes(L, getattr(L, kind)(24, activation="relu")(rows))

    return build


def preprocessed(L: Layers, x: Any) -> Any:
    """Raw bytes in, `preprocess_input` of Keras's MobileNet as operations."""
    x = tf_keras().applications.mobilenet_v2.preprocess_input(x)
    x = L.ReLU()(norm(L)(L.Conv2D(16, 3, strides=2, padding="same")(x)))
    x = norm(L)(L.Conv2D(24, 3, strides=2, activation="relu")(x))
    return classes(L, L.Flatten()(x))


def attention(L: Layers, x: Any) -> Any:
    x = L.Reshape((16, 32))(L.Conv2D(32, 7, strides=7)(x))
    for _ in range(2):
        y = L.LayerNormalization()(x)
        x = L.Add()([x, L.MultiHeadAttention(2, 16)(y, y)])
        x = L.Add()([x, L.Dense(32)(L.Dense(64, activation="gelu")(L.LayerNormalization()(x)))])
    return classes(L, L.GlobalAveragePooling1D()(L.LayerNormalization()(x)))


def heads(L: Layers, x: Any) -> Any:
    """Classes, and how bright four pixels are, in another range."""
    for filters in (12, 24):
        x = norm(L)(L.Conv2D(filters, 3, strides=2, activation="relu")(x))
    x = L.Flatten()(x)
    return [classes(L, x), L.Dense(4, activation="softplus", name="amounts")(x)]


HARD: dict[str, Hard] = {
    "relu-bn": Hard(cifar, relu_bn, 4),
    "relu-bn-uneven": Hard(mnist, relu_bn, 2, uneven_scales),
    "relu-bn-dense": Hard(mnist, relu_bn_dense, 3, uneven_scales),
    "pre-activation": Hard(mnist, pre_activation, 2),
    "mobile-uneven": Hard(mnist, mobile, 4, uneven_channels),
    "softplus": Hard(mnist, activated("softplus"), 4),
    "mish": Hard(mnist, activated("mish")),
    "selu": Hard(mnist, activated("selu")),
    "elu": Hard(mnist, activated("elu")),
    "swish": Hard(mnist, activated("swish")),
    "uneven-inputs": Hard(windows, conv1d(normalization=True), 8, options=("--normalize-outside",)),
    "outliers": Hard(lambda: windows(1.0, 60), conv1d(normalization=False), 8),
    "residual": Hard(mnist, residual, 2),
    "residual-wide": Hard(mnist, wide_residual, 2, larger),
    "hard-swish": Hard(mnist, hard_swish, 3),
    "lstm-relu": Hard(mnist, recurrent("LSTM")),
    "gru-relu": Hard(mnist, recurrent("GRU")),
    "rnn-relu": Hard(mnist, recurrent("SimpleRNN")),
    "preprocessed": Hard(lambda: mnist(scale=1.0), preprocessed),
    "attention": Hard(mnist, attention, 4),
    "heads": Hard(mnist, heads),
}


def trained(name: str, folder: Path) -> Any:
    """Return the model of a name, trained before or now; its data lies beside it."""
    keras, path, hard = tf_keras(), folder / "model.h5", HARD[name]
    if path.exists():
        return keras.models.load_model(path, compile=False)
    folder.mkdir(parents=True, exist_ok=True)
    seed_everything(0)
    x, y, xt, yt = hard.data()
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, hard.build(keras.layers, inputs), name=name.replace("-", "_"))
    several = len(model.outputs) > 1
    model.compile("adam", ["sparse_categorical_crossentropy", *["mse"] * (len(model.outputs) - 1)])
    others = [x.reshape(len(x), -1)[:, BRIGHT] * np.float32(5)]
    model.fit(x, [y, *others] if several else y, epochs=hard.epochs, batch_size=64, verbose=0)
    hard.spoil(model)
    values = {"x_train": x, "x_test": xt}
    if several:
        amounts = xt.reshape(len(xt), -1)[:, BRIGHT] * np.float32(5)
        values |= {"y_train/classes": y, "y_test/classes": yt, "y_train/amounts": others[0], "y_test/amounts": amounts}
    else:
        values |= {"y_train": y, "y_test": yt}
    np.savez(folder / "data.npz", **values)
    model.save(path)
    return model


def by_tensorflow(model: Any, folder: Path) -> Path:
    """Make the int8 file as TensorFlow's guide does, with the calibration samples of edgekit."""
    tf, path = tensorflow(), folder / "tensorflow.tflite"
    samples = split(load_data(str(folder / "data.npz")), 500).x_calibration
    signature = Signature(model)
    signature.save(folder / "saved")
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved"))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    converter.representative_dataset = lambda: (
        {signature.inputs[0].name: np.asarray(samples[i : i + 1], np.float32)} for i in range(len(samples))
    )
    with quiet():
        path.write_bytes(converter.convert())
    return path


def by_edgekit(checkout: Path, options: Sequence[str], name: str, folder: Path) -> tuple[Path, Any]:
    """Make the int8 file with an edgekit; return it with the preprocessing that its bundle names."""
    out = folder / "bundle"
    (folder / "tflite.toml").write_text(RECIPE)
    command = [sys.executable, "-m", "edgekit", "compress", "model.h5", "--data", "data.npz", "--recipe", "tflite.toml"]
    command += ["--scale", "1", "--out", "bundle", "--force", *HARD[name].options, *options]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": str(checkout)}, capture_output=True, text=True
    )
    (folder / "edgekit.log").write_text(done.stdout + done.stderr)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    manifest = json.loads((out / "manifest.json").read_text())
    [file] = [a["file"] for a in manifest["artifacts"] if (a["format"], a["scheme"]) == ("tflite", "int8")]
    return out / file, manifest["preprocessing"]


def outputs_of(path: Path, names: Sequence[str], x: Array) -> list[Array]:
    """Run an int8 file over samples."""
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_path=str(path), num_threads=2).get_signature_runner()
    [(key, source)] = runner.get_input_details().items()
    targets = runner.get_output_details()
    found: list[list[Array]] = [[] for _ in names]
    for row in x:
        scale, zero = source["quantization"]
        quantized = np.clip(np.round(row / scale) + zero, -128, 127).astype(np.int8)
        outputs = runner(**{key: quantized.reshape(source["shape"])})
        for values, name in zip(found, names, strict=True):
            scale, zero = targets[name]["quantization"]
            values.append((outputs[name][0].astype(np.float64) - zero) * scale)
    return [np.array(values) for values in found]


def measure(path: Path, names: Sequence[str], x: Array, y: Array, reference: list[Array]) -> dict[str, Any]:
    outputs = outputs_of(path, names, x)
    ratios = [sqnr_db(a, b.reshape(a.shape)) for a, b in zip(reference, outputs, strict=True)]
    return {**accuracy(outputs[0], y), "sqnr_db": [round(ratio, 2) for ratio in ratios], "bytes": path.stat().st_size}


def accuracy(outputs: Array, y: Array) -> dict[str, Any]:
    right = wilson(int((outputs.argmax(axis=-1) == y).sum()), len(y))
    return {"accuracy": right.value, "interval": [right.low, right.high]}


def main(
    work: Path,
    only: Annotated[str, typer.Option(help="names, with commas between them")] = "",
    edgekit: Annotated[list[str] | None, typer.Option(help="NAME=CHECKOUT [OPTIONS]")] = None,
    alone: Annotated[bool, typer.Option(hidden=True, help="measure TensorFlow's files only, in this process")] = False,
) -> None:
    kits = {} if alone else dict(text.split("=", 1) for text in edgekit or [f"edgekit={CHECKOUT}"])
    work.mkdir(parents=True, exist_ok=True)
    results_path = work / "results.json"
    results = json.loads(results_path.read_text()) if results_path.exists() else {}
    print(f"{'model':16} {'':12} {'accuracy [95 %]':24} {'to float':>8}  SQNR")
    for name in only.split(",") if only else HARD:
        folder, row = work / name, results.setdefault(name, {})
        model = trained(name, folder)
        names = Signature(model).output_names
        with np.load(folder / "data.npz") as data:
            x, y = data["x_test"], data["y_test" if "y_test" in data else f"y_test/{names[0]}"]
        found = model.predict(x, verbose=0)
        reference = [np.asarray(v, np.float64) for v in (found if isinstance(found, list) else [found])]
        row["float"] = accuracy(reference[0], y)
        for label in ("tensorflow", *kits):
            if label not in row:
                started = time.perf_counter()
                try:
                    if label == "tensorflow" and not alone:
                        row[label] = _by_tensorflow_alone(work, name)
                    else:
                        row[label] = _measured(label, kits, name, model, folder, names, x, y, reference)
                except Exception as error:
                    row[label] = {"error": f"{type(error).__name__}: {error}"[:300]}
                row[label]["seconds"] = round(time.perf_counter() - started, 1)
                results_path.write_text(json.dumps(results, indent=1))
        for label in ("float", "tensorflow", *kits):
            print(line(name if label == "float" else "", label, row), flush=True)


def _by_tensorflow_alone(work: Path, name: str) -> dict[str, Any]:
    """Measure TensorFlow's file in a process of its own, as some of its conversions end with a signal."""
    command = [sys.executable, __file__, str(work), "--only", name, "--alone"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode < 0:
        raise RuntimeError(f"TensorFlow's converter ends with {signal.Signals(-done.returncode).name}")
    done.check_returncode()
    found: dict[str, Any] = json.loads((work / "results.json").read_text())[name]["tensorflow"]
    return found


def _measured(
    label: str,
    kits: dict[str, str],
    name: str,
    model: Any,
    folder: Path,
    names: Sequence[str],
    x: Array,
    y: Array,
    reference: list[Array],
) -> dict[str, Any]:
    if label == "tensorflow":
        return measure(by_tensorflow(model, folder), names, x, y, reference)
    checkout, *options = kits[label].split()
    path, how = by_edgekit(Path(checkout).resolve(), options, name, folder)
    fed = (x * np.float32(how["scale"]) - np.float32(how["mean"])) / np.float32(how["std"])
    return measure(path, names, fed, y, reference)


def line(name: str, label: str, row: dict[str, Any]) -> str:
    found = row[label]
    if "error" in found:
        return f"{name:16} {label:12} {found['error']}"
    low, high = found["interval"]
    text = f"{found['accuracy']:7.2%} [{low:.2%}, {high:.2%}]"
    less = f"{100 * (found['accuracy'] - row['float']['accuracy']):+8.2f}"
    ratios = "  ".join(f"{ratio:.1f} dB" for ratio in found.get("sqnr_db", ()))
    return f"{name:16} {label:12} {text:24} {less}  {ratios}"


if __name__ == "__main__":
    typer.run(main)
