"""Files with a schema: manifest, record, ledger entry, recipe."""
