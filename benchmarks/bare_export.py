"""What a careful engineer's own script does with a Keras file, without edgekit: convert, run, compare.

    python benchmarks/bare_export.py MODEL DATA.npz OUT SCALE

The same four files as `edgekit compress --recipe int8` (float32 and int8, TFLite and ONNX), calibrated with the same
number of samples, each run over as many samples and compared with the model. Nothing is checked, explained or kept
besides.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np

CALIBRATION, CHECKED = 500, 1000


def main(model_path: str, data_path: str, out: str, scale: float) -> None:
    import tensorflow as tf
    import tf2onnx
    import tf_keras

    data = np.load(data_path)
    x = data["x_train"][: CALIBRATION + CHECKED].astype(np.float32) * np.float32(scale)
    y = data["y_train"][CALIBRATION : CALIBRATION + CHECKED].ravel()
    calibration, checked = x[:CALIBRATION], x[CALIBRATION:]
    model = tf_keras.models.load_model(model_path, compile=False)
    spec = tf.TensorSpec((1, *model.inputs[0].shape[1:]), tf.float32, name="input")
    function = tf.function(lambda inputs: model(inputs, training=False), input_signature=[spec])
    concrete = function.get_concrete_function()
    folder = Path(out)
    folder.mkdir()
    for scheme in ("float32", "int8"):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], model)
        if scheme == "int8":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([row[None]] for row in calibration)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.int8
        (folder / f"{scheme}.tflite").write_bytes(converter.convert())
    tf2onnx.convert.from_function(function, [spec], opset=17, output_path=str(folder / "float32.onnx"))
    tf2onnx.convert.from_tflite(str(folder / "int8.tflite"), opset=17, output_path=str(folder / "int8.onnx"))
    reference = model.predict(checked, verbose=0)
    scales: Any = None
    for name in ("float32.tflite", "int8.tflite", "float32.onnx", "int8.onnx"):
        found, scales = run(folder / name, checked, scales)
        same = (found.argmax(1) == reference.argmax(1)).mean()
        print(name, f"{(found.argmax(1) == y).mean():.4f}", f"{same:.4f}", (folder / name).stat().st_size)


def run(path: Path, samples: Any, scales: Any) -> tuple[Any, Any]:
    """Return the outputs in real units, and the scales of the ports, which an int8 ONNX has from its TFLite."""
    from ai_edge_litert.interpreter import Interpreter

    found = []
    if path.suffix == ".tflite":
        interpreter = Interpreter(model_path=str(path))
        interpreter.allocate_tensors()
        [source], [target] = interpreter.get_input_details(), interpreter.get_output_details()
        scales = source["quantization"], target["quantization"]
        for row in samples:
            interpreter.set_tensor(source["index"], quantized(row[None], scales[0]))
            interpreter.invoke()
            found.append(interpreter.get_tensor(target["index"])[0])
    else:
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path))
        [port] = session.get_inputs()
        ends = scales if "int8" in port.type else ((0.0, 0), (0.0, 0))
        for row in samples:
            found.append(session.run(None, {port.name: quantized(row[None], ends[0])})[0][0])
        return real(np.array(found), ends[1]), scales
    return real(np.array(found), scales[1]), scales


def quantized(values: Any, port: tuple[float, int]) -> Any:
    """Return int8 where a port has a scale."""
    return np.clip(np.round(values / port[0] + port[1]), -128, 127).astype(np.int8) if port[0] else values


def real(values: Any, port: tuple[float, int]) -> Any:
    """Return values in real units."""
    return (values.astype(np.float32) - port[1]) * port[0] if port[0] else values


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]))
