"""The version of edgekit, set here and nowhere else."""

__version__ = "0.3.0.dev0"
