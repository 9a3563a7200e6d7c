"""Pages that are made from registries are up to date."""

from __future__ import annotations

import pytest

from tests.docs import FOLDER, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_up_to_date(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name](), "run: make docs, or python -m tests.docs"
