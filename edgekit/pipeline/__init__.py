"""The main path: source, stages, export, check, bundle."""
