"""The doors to TensorFlow, Keras and onnxruntime: nothing else imports or configures them."""
