"""`--data`: from what the user typed to a `Dataset`."""

from __future__ import annotations

import difflib
from pathlib import Path

from edgekit.data import named, npz
from edgekit.data.dataset import Dataset, build
from edgekit.errors import InputError


def load_data(spec: str) -> Dataset:
    """Load the data set `spec`: a known name, or the path of an `.npz` file.

    Raises:
        InputError: neither a known name nor a usable file.
    """
    if spec in named.NAMED:
        return named.load(spec)
    path = Path(spec).expanduser()
    if path.suffix == ".npz" or path.exists():
        return build(path.stem, npz.read(path), str(path))
    close = difflib.get_close_matches(spec, named.NAMED, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"known names: {', '.join(named.NAMED)}; or give an .npz file"
    raise InputError(f"--data {spec}: neither a known data set nor an .npz file", hint)
