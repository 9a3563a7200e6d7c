"""Training: loops, losses, targets, augmentation, checkpoints."""
