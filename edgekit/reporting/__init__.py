"""From records to what a person reads."""
