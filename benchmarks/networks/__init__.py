"""Networks of PyTorch through both of its ONNX exporters: rebuilt or refused, and their int8 files."""
