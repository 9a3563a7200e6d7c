"""Files behind a .tflite file, and the JSON and the page that name them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.errors import InputError
from edgekit.formats.reading import inspect_file
from edgekit.formats.tflite.attached import SHOWN
from edgekit.reporting.model_page import render
from tests.support.vendor_tflite import two_ends, with_attached, with_metadata


def described(folder: Path, data: bytes) -> dict[str, str]:
    path = folder / "v.tflite"
    path.write_bytes(data)
    info = inspect_file(path)
    assert render(info)
    return info.description


def test_attached_files_are_named(tmp_path: Path) -> None:
    found = described(tmp_path, with_attached(two_ends(), labels="cat\n", vocabulary="a b"))
    assert found["associated files"] == "labels.txt (4 bytes), vocabulary.txt (3 bytes)"
    assert "associated files" not in described(tmp_path, two_ends())
    assert "associated files" not in described(tmp_path, with_attached(two_ends()))
    assert "associated files" not in described(tmp_path, two_ends() + b"PK\x05\x06" + bytes(30))


def test_many_are_cut_short(tmp_path: Path) -> None:
    found = described(tmp_path, with_attached(two_ends(), **{f"f{i}": "x" for i in range(SHOWN + 7)}))
    assert found["associated files"].endswith(", and 7 more")


def test_metadata_is_named_but_for_the_converters_own(tmp_path: Path) -> None:
    data = with_metadata(two_ends(), "TFLITE_METADATA", "min_runtime_version", "CONVERSION_METADATA", "")
    assert described(tmp_path, data)["metadata"] == "TFLITE_METADATA"


@settings(max_examples=150, deadline=None, derandomize=True)
@given(flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_damaged_archive_is_none(tmp_path_factory: Any, flips: list[tuple[int, int]]) -> None:
    model = two_ends()
    tail = bytearray(with_attached(model, labels="cat\ndog\n")[len(model) :])
    for position, value in flips:
        tail[position % len(tail)] = value
    try:
        described(tmp_path_factory.getbasetemp(), model + bytes(tail))
    except InputError as error:
        raise AssertionError("the model itself is whole") from error
