"""Options as they are typed."""

from __future__ import annotations

from edgekit.cli.options import parts


def test_only_is_read_with_commas_and_given_again() -> None:
    assert parts(None) == ()
    assert parts(["tflite,int8"]) == parts(["tflite", "int8"]) == ("tflite", "int8")
