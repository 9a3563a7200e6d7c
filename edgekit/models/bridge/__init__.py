"""Between Keras 3 and Keras 2, both ways: layer by layer, weights copied, outputs proved equal."""
