"""edgekit: from a trained Keras model to int8 files for a phone or a small board, measured."""

__version__ = "0.1.0"
