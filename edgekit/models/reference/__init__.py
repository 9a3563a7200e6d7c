"""The reference models, and their training."""
