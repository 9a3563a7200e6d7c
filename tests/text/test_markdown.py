"""Names as code in Markdown."""

from __future__ import annotations

import pytest

from edgekit.text.markdown import code, table


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a.tflite", "`a.tflite`"), ("a`b", "``a`b``"), ("`", "`` ` ``"), ("a``b`", "``` a``b` ```"), ("", "`  `"),
        ("a|b", "`a\\x7cb`"), ("a\\|b", "`a\\\\x7cb`"), ("a\nb", "`a\\nb`"), (" a", "`  a `"),
        ("\u202ea", "`\\u202ea`"), ("<b>", "`<b>`"),
    ],
)  # fmt: skip
def test_code(text: str, shown: str) -> None:
    assert code(text) == shown


def test_outside_of_a_cell_a_bar_is_a_bar() -> None:
    assert code("a|b", cell=False) == "`a|b`"


def test_table() -> None:
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
