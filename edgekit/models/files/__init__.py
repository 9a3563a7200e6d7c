"""Whatever the user has, opened: Keras files, SavedModels, `.tflite` and `.onnx`."""
