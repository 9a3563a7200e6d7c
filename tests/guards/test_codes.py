"""Every error and warning has a code, and every code is explained and used."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator

import pytest

from edgekit import errors
from edgekit.data.lint.checks import INPUT_CHECKS, SET_CHECKS
from edgekit.errors.codes import register
from tests.guards.rooms import MODULES

ERRORS = {name for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.EdgekitError)}
FIRST = {"Finding", "Reason"}
"""What begins with its code."""
OWN_CODE = {"MissingExtraError"}
"""Errors that bring their code themselves."""


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Yield every call that makes an error of edgekit, or warns."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            if name in ERRORS - OWN_CODE:
                yield name, node
            if isinstance(node.func, ast.Attribute) and node.func.attr == "warn":
                yield "warn", node


def literals(tree: ast.AST) -> Iterator[str]:
    """Yield every code that stands in the text: `code="..."`, second of `warn`, and first of findings and reasons."""
    for node in ast.walk(tree):
        given: list[ast.AST] = [node.value] if isinstance(node, ast.keyword) and node.arg == "code" else []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FIRST:
            given += node.args[:1]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "warn":
            given += node.args[1:2]
        for part in (part for value in given for part in ast.walk(value)):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield part.value


def coded(kind: str, call: ast.Call) -> bool:
    """Return whether a call gives a code, or hands on keywords that may hold one."""
    return any(keyword.arg in ("code", None) for keyword in call.keywords) or (kind == "warn" and bool(call.args[1:]))


@pytest.mark.parametrize("name", MODULES)
def test_every_message_has_a_code(name: str) -> None:
    bare = [f"{name}:{call.lineno} {kind}" for kind, call in calls(MODULES[name]) if not coded(kind, call)]
    assert not bare


def test_every_code_is_explained() -> None:
    used = {code for tree in MODULES.values() for code in literals(tree) if code}
    assert used <= set(register())


def test_every_finding_of_the_lint_is_explained() -> None:
    codes = {code for check in (*INPUT_CHECKS, *SET_CHECKS) for code in check.codes}
    assert codes and codes <= set(register())


def test_every_explained_code_is_used() -> None:
    text = {n.value for tree in MODULES.values() for n in ast.walk(tree) if isinstance(n, ast.Constant)}
    assert not [code for code in register() if code not in text]


def test_codes_are_slugs_and_explanations_are_sentences() -> None:
    for code, entry in register().items():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code), code
        for text in (entry.means, entry.why, entry.mend):
            assert text[0].isupper() and text.endswith("."), f"{code}: {text}"
