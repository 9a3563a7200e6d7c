"""Keras models: the reference ones, training, and reading whatever the user has."""
