"""int8 LSTMs: the state is read with the scale that it was written with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.bundle.recipe import Recipe
from edgekit.export.exporter import export
from edgekit.export.signature import Signature
from edgekit.export.tflite import convert as tflite
from edgekit.export.tflite import quantizer
from edgekit.export.tflite.lstm_state import HIDDEN, STATE, mend_states
from edgekit.frameworks.tensorflow import seed_everything, tf_keras
from edgekit.progress import SILENT
from edgekit.stats import sqnr_db

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def model() -> Any:
    """A Bidirectional LSTM, one direction of which answers in a smaller range."""
    seed_everything(4)
    keras = tf_keras()
    inputs = keras.Input((12, 4), name="signal")
    outputs = keras.layers.Bidirectional(keras.layers.LSTM(6))(inputs)
    model = keras.Model(inputs, outputs)
    rng = np.random.default_rng(0)
    for index, weight in enumerate(model.weights):
        weight.assign(rng.normal(0, 1.2 if index < 3 else 0.3, weight.shape))
    return model


@pytest.fixture(scope="module")
def samples() -> Any:
    return np.random.default_rng(1).normal(0, 1, (80, 12, 4)).astype(np.float32)


def run(flatbuffer: bytes, samples: Any) -> np.ndarray:
    """Run a file with a fresh state a sample; its inputs and outputs are float or int8."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=flatbuffer)
    interpreter.allocate_tensors()
    [given], [answer] = interpreter.get_input_details(), interpreter.get_output_details()
    found = []
    for sample in samples:
        interpreter.reset_all_variables()
        scale, zero_point = given["quantization"]
        stored = np.clip(np.round(sample / scale) + zero_point, -128, 127) if scale else sample
        interpreter.set_tensor(given["index"], stored[None].astype(given["dtype"]))
        interpreter.invoke()
        scale, zero_point = answer["quantization"]
        found.append((interpreter.get_tensor(answer["index"])[0].astype(np.float64) - zero_point) * (scale or 1))
    return np.array(found)


def sqnr(flatbuffer: bytes, model: Any, samples: Any) -> float:
    return sqnr_db(model.predict(samples, verbose=0).astype(np.float64), run(flatbuffer, samples))


def scales(flatbuffer: bytes) -> list[tuple[float, ...]]:
    """Of every LSTM the scales of output, state and hidden state."""
    from ai_edge_litert import schema_py_generated as schema

    graph = schema.ModelT.InitFromPackedBuf(flatbuffer, 0).subgraphs[0]
    return [
        tuple(
            float(graph.tensors[i].quantization.scale[0])
            for i in (o.outputs[0], o.inputs[STATE], o.intermediates[HIDDEN])
        )
        for o in graph.operators
        if o.intermediates is not None and len(o.intermediates)
    ]


def test_states_share_the_scale_of_the_output(
    model: Any, samples: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signature = Signature(model)
    signature.save(tmp_path / "saved")
    with monkeypatch.context() as patched:
        patched.setattr(quantizer, "mend_states", lambda flatbuffer: flatbuffer)
        plain = quantizer.int8(tflite._converted(tmp_path / "saved", "float32"), [samples]).data
    assert any(len(set(found)) > 1 for found in scales(plain))  # else TensorFlow mended it, and this module may go
    made = tflite.convert(tmp_path / "saved", signature, "int8", samples)
    assert len(scales(made)) == 2
    assert all(len(set(found)) == 1 for found in scales(made))
    assert sqnr(made, model, samples) > sqnr(plain, model, samples) + 3
    assert mend_states(made) == made


def test_float_files_stay_and_their_quantized_forms_are_tied(model: Any, samples: Any, tmp_path: Path) -> None:
    signature = Signature(model)
    signature.save(tmp_path / "saved")
    source = tflite._converted(tmp_path / "saved", "float32")
    assert mend_states(source) == source
    made = quantizer.quantize(source, ["int8"], [samples])["int8"].data
    assert len(scales(made)) == 2
    assert all(len(set(found)) == 1 for found in scales(made))


@pytest.mark.parametrize("other", ["SimpleRNN", "GRU"])
@pytest.mark.parametrize("scheme", ["float32", "int8"])
def test_other_recurrent_layers_start_with_zeros(other: str, scheme: str, samples: Any, tmp_path: Path) -> None:
    seed_everything(4)
    layers = tf_keras().layers
    inputs = layers.Input((12, 4), name="signal")
    outputs = layers.Concatenate()([getattr(layers, other)(6)(inputs), layers.LSTM(6)(inputs)])
    model = tf_keras().Model(inputs, outputs)
    recipe = Recipe("r", schemes=(scheme,), formats=("tflite",))
    [made] = export(model, recipe, samples, tmp_path, "m", SILENT)
    assert sqnr(made.path.read_bytes(), model, samples) > (100 if scheme == "float32" else 25)
