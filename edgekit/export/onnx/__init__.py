"""From a tf_keras model or a float graph to `.onnx` files."""
