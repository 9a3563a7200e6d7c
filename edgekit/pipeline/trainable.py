"""What `edgekit train` offers, for its help. Nothing heavy is imported."""

from __future__ import annotations

from edgekit.models.reference import reference


def names() -> str:
    """Return the names of the reference models, as a list in a sentence."""
    return ", ".join(reference.REFERENCE)


def summaries() -> str:
    """Return a line for every reference model: its name and what it is."""
    return "\n".join(f"- {name}: {model.summary}" for name, model in reference.REFERENCE.items())
