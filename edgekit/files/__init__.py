"""Files on disk: opened safely, written whole or not at all, temporary ones swept."""
