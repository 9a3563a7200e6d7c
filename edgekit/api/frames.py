"""Tables of results as pandas data frames, for those who have pandas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from edgekit.errors import MissingExtraError

if TYPE_CHECKING:
    import pandas


def data_frame(rows: Sequence[Mapping[str, object]]) -> pandas.DataFrame:
    """Return rows as a data frame; its columns are their keys, with units in the names.

    A number with its interval becomes three columns: NAME, NAME_low and NAME_high.

    Raises:
        MissingExtraError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtraError("to_pandas", "pandas", str(error)) from error
    return pd.DataFrame([dict(_flat(row)) for row in rows])


def _flat(row: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from ((name if part == "value" else f"{name}_{part}", one) for part, one in value.items())
        else:
            yield name, value
