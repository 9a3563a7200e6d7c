"""edgekit: from a trained Keras model to the smallest int8 artifact that still passes, measured on the device."""

__version__ = "0.1.0"
