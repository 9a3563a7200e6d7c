"""Source models: what is compressed, whatever kind it is of."""
