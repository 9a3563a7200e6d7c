"""One thing of each kind is added, and is there wherever it should be."""
