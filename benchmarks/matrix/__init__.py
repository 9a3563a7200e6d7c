"""Kinds of file, of model and of recipe, one against the other: `python -m benchmarks.matrix OUT.json`."""
