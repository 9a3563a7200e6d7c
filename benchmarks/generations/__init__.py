"""The same six networks saved by old and new Keras, and whether edgekit reads them."""
