"""Hints in Python's words."""

from __future__ import annotations

import traceback

import pytest

from edgekit.api.words import face, in_python, python_words
from edgekit.errors import InputError


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("add --force, or choose another place with -o", "add force=True, or choose another place with `out`"),
        ("add --anyway", "add anyway=True"),
        ("--no-memory leaves it out", "memory=False leaves it out"),
        ("add --scale 1/255", "add scale=1/255"),
        ("add --calibration-method mse or percentile", "add calibration_method='mse' or percentile"),
        ("or --calibration-samples 2000", "or calibration_samples=2000"),
        ("with --recipe int8.", "with recipe='int8'."),
        ("--stage prune:amount=0.25,epochs=5", "stages=['prune:amount=0.25,epochs=5']"),
        ("--input-shape image=1,224,224,3", "input_shapes={'image': (1, 224, 224, 3)}"),
        ("add `--force`, or another place with `-o`", "add `force=True`, or another place with `out`"),
        ("--input-shape nope: the model has no such input", "input_shapes['nope']: the model has no such input"),
        ("--only int8 leaves the others out", "only=['int8'] leaves the others out"),
        ("--threads 1,2", "threads=[1, 2]"),
        ("wait with --cool-below 70C --cool-timeout 20m", "wait with cool_below_c=70 cool_timeout=1200"),
        ("--timeout 500ms", "timeout=0.5"),
        ("--input-value sr=16000", "input_values={'sr': 16000}"),
        ("--host and --identity are for ssh", "`host` and `identity` are for ssh"),
        ("run edgekit compress m.keras --force again", "run edgekit compress m.keras --force again"),
        ("pip install 'edgekit[compress]'", "pip install 'edgekit[compress]'"),
        ("ssh says --no-such-option", "ssh says --no-such-option"),
        ("no option here", "no option here"),
    ],
)  # fmt: skip
def test_options_become_parameters(typed: str, said: str) -> None:
    assert python_words(typed) == said


def test_a_traceback_shows_hint_and_code_once() -> None:
    @face
    def inner() -> None:
        raise InputError("`out` exists: --force", "add --force", code="output-exists")

    @face
    def outer() -> None:
        inner()

    with pytest.raises(InputError) as caught:
        outer()
    assert caught.value.message == "`out` exists: force=True"
    assert caught.value.hint == "add force=True"
    shown = "".join(traceback.format_exception(caught.value))
    assert shown.count("hint: add force=True") == 1
    assert shown.count("code: output-exists") == 1


def test_an_error_without_a_hint_has_no_note() -> None:
    assert not hasattr(in_python(InputError("x")), "__notes__")
