"""Candidates for the samples at hand, and how they are typed."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np
import pytest

from edgekit.cli.options import preprocessing
from edgekit.data.lint.model_facts import ModelInput
from edgekit.data.trial.candidates import candidates, flipped
from edgekit.data.trial.evidence import clearly_better, clearly_less, p_less
from edgekit.data.trial.words import formula, typed
from edgekit.tasks.preprocessing import Preprocessing


def texts(x: Any, default: Preprocessing | None = None, facts: ModelInput | None = None) -> list[str]:
    return [str(how) for how in candidates(default or Preprocessing(), x, [facts])]


def test_bytes(rng: np.random.Generator) -> None:
    found = texts(rng.integers(0, 256, (50, 4, 4, 3), np.uint8), Preprocessing(1 / 255))
    assert found[:3] == ["x / 255", "x", "x / 127.5 - 1"]
    assert "(x / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]" in found
    assert "x - [123.68, 116.779, 103.939], reversed to BGR" in found
    assert len(found) < 16


def test_bytes_stored_as_floats_and_in_0_to_1(rng: np.random.Generator) -> None:
    x = rng.integers(0, 256, (50, 4, 4, 1)).astype(np.float32)
    assert {"x", "x / 255", "x / 127.5 - 1"} <= set(texts(x))
    assert {"x", "x * 255", "x * 2 - 1"} <= set(texts(x / 255))
    assert {"x", "(x + 1) / 2", "x * 127.5 + 127.5"} <= set(texts(x / 127.5 - 1))


def test_tables_are_standardised_by_column(rng: np.random.Generator) -> None:
    x = rng.normal([5, 1000], [1, 200], (400, 2)).astype(np.float32)
    x[:, 1] = np.round(x[:, 1])
    own = [how for how in candidates(Preprocessing(), x, [None]) if len(how.std) == 2]
    fed = own[0].apply(x)
    np.testing.assert_allclose(fed.mean(axis=0), 0, atol=0.01)
    np.testing.assert_allclose(fed.std(axis=0), 1, rtol=0.01)


def test_a_column_that_never_changes_is_not_divided_by_nothing() -> None:
    x = np.stack([np.full(100, 3.0), np.arange(100.0)], axis=1)
    assert all(np.isfinite(how.apply(x)).all() for how in candidates(Preprocessing(), x, [None]))


def test_what_the_first_layer_was_fitted_to(rng: np.random.Generator) -> None:
    x = rng.normal(50, 10, (400, 6)).astype(np.float32)
    facts = ModelInput(normalizes=True, mean=(5.0,) * 6, std=(1.0,) * 6)
    fed = [how.apply(x) for how in candidates(Preprocessing(), x, [facts])]
    assert any(abs(z.mean() - 5) < 0.3 and abs(z.std() - 1) < 0.1 for z in fed)


@pytest.mark.parametrize(
    "how",
    [
        Preprocessing(), Preprocessing(1 / 255), Preprocessing(1 / 127.5, (1.0,)),
        Preprocessing(255.0, (-3.0,), (0.5,)),
        Preprocessing(1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "NCHW"),
        Preprocessing(1.0, (123.68, 116.779, 103.939), channels="BGR"),
        Preprocessing(inputs=(("a", Preprocessing(1 / 255)), ("b c", Preprocessing(1.0, (-2.0, 3.0))))),
    ],
    ids=str,
)  # fmt: skip
def test_it_is_typed_as_it_is_read(how: Preprocessing) -> None:
    words = [
        part
        for word in shlex.split(typed(how))
        for part in (word.split("=", 1) if word.startswith("--") and "=" in word else [word])
    ]
    given = dict(zip((w.removeprefix("--") for w in words[::2]), words[1::2], strict=True))
    options = {key: given.get(key) for key in ("scale", "mean", "std", "layout", "channels")}
    plain = Preprocessing(inputs=tuple((name, Preprocessing()) for name, _ in how.inputs))
    assert plain.changed(preprocessing(**options)) == how  # type: ignore[arg-type]


def test_long_lists_are_cut() -> None:
    how = Preprocessing(1.0, tuple(map(float, range(30))), (2.0,))
    assert formula(how) == "(x - [0, 1, 2, 3, ... 30 in all]) / 2"
    assert "leave out --scale" in typed(how)


def test_flipped() -> None:
    grey, colour = np.zeros((2, 4, 4, 1)), np.zeros((2, 4, 4, 3))
    assert flipped(Preprocessing(), grey) is None
    turned = flipped(Preprocessing(), colour)
    assert turned is not None and turned.channels == "BGR"
    assert flipped(turned, colour) == Preprocessing()


def test_paired_tests() -> None:
    right, wrong = np.zeros(100), np.ones(100)
    assert clearly_less(right, wrong) and not clearly_less(wrong, right) and not clearly_less(right, right)
    few = np.r_[np.ones(3), np.zeros(97)]
    assert p_less(right, few) == 1 / 8
    assert clearly_better(right, wrong) and not clearly_better(wrong, wrong * 1.5)
    close = np.random.default_rng(0).random(400)
    assert clearly_less(close, close + 0.02) and not clearly_better(close, close + 0.02)  # clear, and of no matter
