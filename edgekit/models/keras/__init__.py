"""Keras 2 graphs: read, asked, rebuilt."""
