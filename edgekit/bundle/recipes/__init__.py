"""The named recipes that ship with edgekit, one TOML file each."""
