"""Devices: where a model is measured, what they are like, and how a runner job gets there and back."""
