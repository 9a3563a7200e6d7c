"""What a .tflite or .onnx file holds, read from the file itself; no TensorFlow and no interpreter."""
