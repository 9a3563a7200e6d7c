"""Compression techniques that train: one module each, listed in `registry`."""
