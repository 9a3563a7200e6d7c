"""Data sets: named ones and `.npz` files, checked, and split into calibration, validation and test."""
