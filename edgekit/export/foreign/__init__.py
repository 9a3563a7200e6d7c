"""Files that other tools exported, quantized in their own format."""
