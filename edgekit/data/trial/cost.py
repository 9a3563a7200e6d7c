"""About how many multiplications a sample takes: enough to decide on how many samples a trial may run a model."""

from __future__ import annotations

_PER_CALL = 3e6
"""What calling a model costs besides, in multiplications of the same time; a file, run by sample, `_PER_RUN`."""
_PER_RUN = 1e7
_SLOWER = 4.0
"""A file runs on one thread."""
_REUSED = 100
"""How often a weight is used, where nothing tells."""
BUDGET_MACS = 60e9
"""Multiplications of a look at a model, two seconds' worth; a larger model gets fewer samples, the same every time."""


def afforded(most: int, cost: float, least: int, budget: float = BUDGET_MACS) -> int:
    """Return on how many samples a model is run.

    Args:
        most: samples, of a small model.
        cost: of a sample, in multiplications.
        least: samples, of a large model.
        budget: multiplications in all.
    """
    return max(least, min(most, int(budget / max(cost, 1.0))))


def of_model(macs: float) -> float:
    """Return the cost of a sample of a model with layers that takes `macs` multiplications."""
    return _PER_CALL + macs


def of_file(macs: float | None, parameters: float) -> float:
    """Return the cost of a sample of a file; from the number of its parameters where `macs` is not known."""
    return of_parameters(parameters) if macs is None else _PER_RUN + _SLOWER * macs


def of_file_of_size(size: int) -> float:
    """Return the cost of a sample of a file that is only known by its size in bytes, as of float32 weights."""
    return of_file(_REUSED * size / 4, 0)


def of_parameters(parameters: float) -> float:
    """Return the cost of a sample of a model of which only the number of parameters is known."""
    return of_model(_REUSED * parameters)
