"""A report as a terminal, Markdown, CSV, JSON or a browser shows it, all from the same `Contents`."""
