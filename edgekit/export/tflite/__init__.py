"""From a tf_keras model to `.tflite` files."""
