"""Which files and measurements belong together."""

from __future__ import annotations

import dataclasses

import pytest

from edgekit.reporting.comparing.sides import paired_subjects, pairs_of, same_session
from tests.report.comparing.made import measurement, record, subject
from tests.support.raised import raised

FLOAT, INT8 = subject("m-float32.tflite", "float32"), subject("m-int8.tflite", "int8", "1" * 64)
ONNX = dataclasses.replace(subject("m-int8.onnx", "int8", "2" * 64), format="onnx")
PLAIN, OTHER = subject("x.tflite", None, "3" * 64), subject("folder/x.tflite", None, "4" * 64)


@pytest.mark.parametrize(
    ("here", "there", "only", "expected"),
    [
        ([FLOAT], [INT8], (), [(0, 0)]),
        ([FLOAT, INT8, ONNX], [ONNX, INT8, FLOAT], (), [(0, 2), (1, 1), (2, 0)]),
        ([FLOAT, INT8, ONNX], [INT8, ONNX], ("int8",), [(1, 0), (2, 1)]),
        ([FLOAT, INT8, ONNX], [INT8, ONNX], ("int8", "tflite"), [(1, 0)]),
        ([FLOAT, INT8], [INT8, ONNX], ("onnx", "float32"), None),
        ([FLOAT, PLAIN], [OTHER, INT8], (), [(1, 0)]),
        ([FLOAT, PLAIN], [INT8, dataclasses.replace(PLAIN, name="y.tflite")], (), [(1, 1)]),
        ([FLOAT, INT8], [INT8], ("m-float32.tflite", "m-int8.tflite"), [(1, 0)]),
    ],
)
def test_pairs(here: list, there: list, only: tuple[str, ...], expected: list | None) -> None:
    if expected is None:
        with raised("nothing-selected"):
            paired_subjects(here, there, only)
    else:
        assert paired_subjects(here, there, only) == expected


def test_what_does_not_pair_is_refused_by_name() -> None:
    with raised("compare-unpaired") as error:
        paired_subjects([FLOAT, subject("a.tflite")], [INT8, subject("b\x1b[31m.tflite", None, "5" * 64)])
    assert "\x1b" not in str(error.value) and "a.tflite" in str(error.value)
    with raised("nothing-selected", "int4"):
        paired_subjects([FLOAT], [INT8], ("int4",))
    with raised("nothing-selected"):
        paired_subjects([FLOAT], [INT8], ("float32", "int9"))


def test_threads_pair_and_a_session_is_itself() -> None:
    here = record([FLOAT, INT8], [measurement(i, [1000] * 3, threads=t) for t in (1, 2) for i in (0, 1)])
    there = dataclasses.replace(here, created="later")
    assert [(p.threads, p.together) for p in pairs_of(here, there, [(0, 1)])] == [(1, False), (2, False)]
    assert same_session(here, dataclasses.replace(here))
    assert all(pair.together for pair in pairs_of(here, dataclasses.replace(here), [(0, 1)]))
    only_four = dataclasses.replace(there, measurements=(measurement(0, [1000] * 3, threads=4),))
    [pair] = pairs_of(here, only_four, [(0, 0)])
    assert [difference.what for difference in pair.unlike] == ["threads"]
    assert pairs_of(here, only_four, [(0, 1)]) == []
