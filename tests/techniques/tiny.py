"""A task and models small enough to train in a second, and a look at the kernels of a .tflite file."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.data.dataset import Dataset, build
from edgekit.data.split import Splits, split
from edgekit.export.signature import Signature
from edgekit.export.tflite import convert as tflite
from edgekit.frameworks.tensorflow import quiet, seed_everything, tensorflow, tf_keras
from edgekit.models.training.training import TrainConfig, train
from edgekit.progress import Silent
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.techniques.stage import StageContext
from tests.support.heard import Heard

UNIT = Preprocessing(1 / 255)
RAW = Preprocessing()


@cache
def data() -> Dataset:
    """Class c is bright in row 2c of a 6x6 image."""
    rng = np.random.default_rng(7)

    def part(n: int) -> tuple[np.ndarray, np.ndarray]:
        y = np.arange(n) % 3
        x = rng.integers(0, 90, (n, 6, 6, 1))
        x[np.arange(n), y * 2] += 150
        return x.astype(np.uint8), y.astype(np.int64)

    (x_train, y_train), (x_test, y_test) = part(180), part(30)
    return build("rows", {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}, "rows")


@cache
def splits() -> Splits:
    return split(data(), 40)


def context(progress: Any = None, preprocessing: Preprocessing = UNIT, original: Any = None) -> StageContext:
    """A context with a work folder of its own, inside the test's."""
    work = Path(tempfile.mkdtemp(dir=os.environ["EDGEKIT_WORK"]))
    return StageContext(splits(), preprocessing, 5, progress or Heard(), work, original)


def network() -> Any:
    """BatchNormalization, a depthwise convolution, a ReLU layer after a convolution, and dense layers."""
    seed_everything(0)
    keras = tf_keras()
    layers = keras.layers
    inputs = layers.Input((6, 6, 1), name="image")
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="stem")(inputs)
    x = layers.BatchNormalization(momentum=0.8, name="stem_bn")(x)
    x = layers.ReLU(name="stem_relu")(x)
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu", name="depthwise")(x)
    x = layers.Conv2D(12, 3, name="conv")(x)
    x = layers.ReLU(name="conv_relu")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(16, activation="relu", name="dense")(x)
    x = layers.Dense(3, name="logits")(x)
    return keras.Model(inputs, layers.Softmax(name="probabilities")(x), name="tiny")


def dense_network() -> Any:
    """Two dense layers: quick to train."""
    seed_everything(0)
    keras = tf_keras()
    inputs = keras.Input((6, 6, 1), name="image")
    x = keras.layers.Dense(16, activation="relu", name="dense")(keras.layers.Flatten(name="flatten")(inputs))
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="scores")(x), name="dense_only")


@cache
def trained() -> Any:
    """The network after a short training; not to be changed."""
    model = network()
    train(model, splits(), UNIT, TrainConfig(6, 32, 3e-3), Silent())
    return model


@cache
def trained_dense() -> Any:
    """The dense network after a short training; not to be changed."""
    model = dense_network()
    train(model, splits(), UNIT, TrainConfig(8, 32, 1e-2), Silent())
    return model


def unfit() -> dict[str, Any]:
    """Models that no stage can take, by the code of the refusal."""
    keras = tf_keras()
    inputs = keras.Input((6, 6, 1))
    return {
        "model-without-graph": type("Mine", (keras.Model,), {"call": lambda self, x: x})(),
        "nothing-to-compress": keras.Model(inputs, keras.layers.Softmax()(keras.layers.Flatten()(inputs))),
    }


def single_layer() -> Any:
    seed_everything(0)
    keras = tf_keras()
    inputs = keras.Input((6, 6, 1), name="image")
    flat = keras.layers.Flatten(name="flatten")(inputs)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="scores")(flat), name="single")


def inputs(preprocessing: Preprocessing = UNIT) -> np.ndarray:
    return preprocessing.apply(splits().x_validation)


def weights(model: Any) -> np.ndarray:
    return np.concatenate([w.ravel() for w in model.get_weights()])


def kernel(model: Any, name: str) -> np.ndarray:
    values: np.ndarray = model.get_layer(name).kernel.numpy()
    return values


def int8_file(model: Any, path: Path, preprocessing: Preprocessing = UNIT) -> Path:
    calibration = preprocessing.apply(splits().x_calibration)
    with tempfile.TemporaryDirectory() as folder:
        signature, module = Signature(model), tensorflow().Module()
        module.kept = model.variables  # as Signature.save does, without Keras' own functions: the same bytes, sooner
        concrete = signature.function.get_concrete_function(*signature.inputs)  # type: ignore[attr-defined]
        with quiet():
            tensorflow().saved_model.save(module, folder, signatures={"serving_default": concrete})
        path.write_bytes(tflite.convert(Path(folder), signature, "int8", calibration))
    return path


def run(path: Path, x: np.ndarray) -> np.ndarray:
    """Outputs of an int8 file in real units."""
    interpreter = _interpreter(path)
    [source], [sink] = interpreter.get_input_details(), interpreter.get_output_details()
    (scale, zero), (out_scale, out_zero) = source["quantization"], sink["quantization"]
    outputs = []
    for sample in x:
        stored = np.clip(np.round(sample / scale + zero), -128, 127).astype(np.int8)
        interpreter.set_tensor(source["index"], stored[None])
        interpreter.invoke()
        outputs.append((interpreter.get_tensor(sink["index"])[0].astype(np.float64) - out_zero) * out_scale)
    return np.array(outputs)


def file_kernels(path: Path) -> dict[tuple[int, ...], np.ndarray]:
    """int8 kernels of a file by their shape there, output channels first."""
    interpreter = _interpreter(path)
    found = {}
    for tensor in interpreter.get_tensor_details():
        scales = tensor["quantization_parameters"]["scales"]
        if tensor["dtype"] is np.int8 and len(tensor["shape"]) in (2, 4):
            try:
                values = interpreter.get_tensor(tensor["index"])
            except ValueError:  # an activation
                continue
            if len(scales) and values.shape[0] != 1:
                found[tuple(int(n) for n in values.shape)] = values
    return found


def _interpreter(path: Path) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    with quiet():
        interpreter = Interpreter(str(path), num_threads=1)
        interpreter.allocate_tensors()
    return interpreter
