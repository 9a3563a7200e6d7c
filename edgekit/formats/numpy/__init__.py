"""Arrays in `.npy` and `.npz` files that may come from anywhere: believed as far as their bytes are there."""
