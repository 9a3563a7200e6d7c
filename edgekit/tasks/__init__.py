"""What a model's inputs and outputs mean, and how good its outputs are."""
