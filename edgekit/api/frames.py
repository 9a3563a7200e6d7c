"""Tables of results as pandas data frames, for those who have pandas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from edgekit.errors import MissingExtraError

if TYPE_CHECKING:
    import pandas


def data_frame(rows: Sequence[Mapping[str, object]]) -> pandas.DataFrame:
    """Return rows as a data frame; its columns are their keys, with units in the names.

    Raises:
        MissingExtraError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtraError("to_pandas", "pandas", str(error)) from error
    return pd.DataFrame(list(rows))
