"""A bound is known everywhere: in the register, in `budget.toml`, as an option, as a parameter, and as a code."""

from __future__ import annotations

import inspect

import pytest
import typer

import edgekit
from edgekit.bundle.budget_file import BOUND_NAMES
from edgekit.cli import app
from edgekit.errors.codes import register
from edgekit.reporting.checking.bounds import BOUNDS, Bound
from tests.api.test_face import RENAMED


def test_the_register_and_the_file_have_the_same() -> None:
    assert tuple(bound.name for bound in BOUNDS) == BOUND_NAMES


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound.name)
def test_a_bound_is_an_option_a_parameter_and_a_code(bound: Bound) -> None:
    command = typer.main.get_command(app).commands["check"]  # type: ignore[attr-defined]
    assert bound.option in [text for option in command.params for text in option.opts]
    assert RENAMED.get(bound.name, bound.name) in inspect.signature(edgekit.check).parameters
    assert register()[bound.code].kind == "check"
    assert bound.read.__doc__
