"""`.tflite` files: read, edited, built; no interpreter."""
