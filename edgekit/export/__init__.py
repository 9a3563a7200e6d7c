"""From a tf_keras model to files that run elsewhere, and the proof that they compute the same."""
