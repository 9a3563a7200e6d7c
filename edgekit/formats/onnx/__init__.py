"""`.onnx` files: read and edited; no runtime."""
