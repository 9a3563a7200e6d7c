"""What edgekit reads from files is of its declared type, or refused with its key path."""
