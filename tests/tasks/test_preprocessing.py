from __future__ import annotations

import numpy as np
import pytest

from edgekit.errors import InputError
from edgekit.ondevice import runner
from edgekit.tasks.preprocessing import Preprocessing
from tests.support.raised import raised

CASES = [
    Preprocessing(),
    Preprocessing(1 / 255),
    Preprocessing(1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    Preprocessing(2 / 255, (1.0,), (1.0,), "NCHW"),
    Preprocessing(1.0, (123.68, 116.779, 103.939), channels="BGR"),
    Preprocessing(1 / 255, (0.4, 0.5, 0.6), (0.25,), "NCHW", channels="BGR"),
]


@pytest.mark.parametrize("how", CASES, ids=str)
def test_the_runner_computes_the_same(how: Preprocessing) -> None:
    x = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), dtype=np.uint8)
    ours, theirs = how.apply(x), runner.preprocess(x, how.to_dict())
    assert ours.dtype == theirs.dtype == np.float32
    np.testing.assert_array_equal(ours, theirs)


def test_by_hand() -> None:
    how = Preprocessing(1 / 255, (0.5, 0.25), (0.5, 2.0), "NCHW")
    out = how.apply(np.array([[[[255, 0], [0, 255]]]], np.uint8))
    np.testing.assert_allclose(out, [[[[1.0, -1.0]], [[-0.125, 0.375]]]])


@pytest.mark.parametrize("how", CASES, ids=str)
def test_survives_json(how: Preprocessing) -> None:
    assert Preprocessing.from_dict(how.to_dict()) == how


def test_reads_as_a_person_would_write_it() -> None:
    assert [str(c) for c in CASES] == [
        "x",
        "x / 255",
        "(x / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]",
        "x / 127.5 - 1, transposed to NCHW",
        "x - [123.68, 116.779, 103.939], reversed to BGR",
        "(x / 255 - [0.4, 0.5, 0.6]) / 0.25, reversed to BGR, transposed to NCHW",
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"scale": 0.0}, ("preprocessing-invalid",)),
        ({"std": (1.0, 0.0)}, ("preprocessing-invalid",)),
        ({"scale": float("nan")}, ("preprocessing-invalid",)),
        ({"mean": ()}, ("preprocessing-invalid",)),
        ({"layout": "CHWN"}, ("preprocessing-invalid",)),
        ({"channels": "GRB"}, ("preprocessing-invalid",)),
    ],
)
def test_refuses_nonsense(fields: dict[str, object], expected: tuple[str, ...]) -> None:
    with raised(*expected):
        Preprocessing(**fields)  # type: ignore[arg-type]


def test_refuses_the_wrong_number_of_channels() -> None:
    with raised("preprocessing-invalid", "3", "1"):
        Preprocessing(mean=(0.0, 0.0, 0.0)).apply(np.zeros((2, 4, 4, 1), np.uint8))


def test_channels_are_reversed_after_the_mean() -> None:
    out = Preprocessing(mean=(1.0, 2.0, 3.0), channels="BGR").apply(np.array([[[[10, 20, 30]]]], np.uint8))
    np.testing.assert_array_equal(out, [[[[27, 18, 9]]]])
    with raised("preprocessing-invalid", "1"):
        Preprocessing(channels="BGR").apply(np.zeros((2, 4, 4, 1), np.uint8))


def test_an_older_edgekit_reads_what_is_not_reversed() -> None:
    assert "channels" not in Preprocessing(1 / 255).to_dict()
    assert Preprocessing(channels="BGR").to_dict()["channels"] == "BGR"


@pytest.mark.parametrize("value", [{}, {"scale": 1}, {"scale": "x", "mean": [0], "std": [1], "layout": "NHWC"}, 3])
def test_refuses_damaged_json(value: object) -> None:
    with pytest.raises(InputError):
        Preprocessing.from_dict(value)  # type: ignore[arg-type]
