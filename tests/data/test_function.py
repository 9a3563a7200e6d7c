"""Data from the user's own functions: what they may return, and how they fail."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgekit.data.loading import load_raw
from edgekit.frameworks.tensorflow import tensorflow
from tests.support.raised import raised

HEAD = """
import numpy as np
x = np.arange(40, dtype=np.float32).reshape(20, 2)
y = np.arange(20) % 2
"""


@pytest.fixture(autouse=True)
def forget_modules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Each test imports its own `mine`, from a current folder of its own."""
    monkeypatch.chdir(tmp_path)
    yield
    for name in ("mine", "helper", "beside", "pack", "pack.inner"):
        sys.modules.pop(name, None)


def write(body: str, file: str = "mine.py") -> str:
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_text(HEAD + "def load():\n    " + body.replace("\n", "\n    ") + "\n")
    return f"{file}:load"


@pytest.mark.parametrize(
    "returned",
    [
        "dict(x_train=x, y_train=y, x_test=x[:5], y_test=y[:5])",
        "(x, y, x[:5], y[:5])",
        "[x, y, x[:5], y[:5]]",
        "((x, y), (x[:5], y[:5]))",
        "([x, y], (x[:5].tolist(), y[:5]))",
    ],
)
def test_shapes_of_answers(returned: str) -> None:
    raw = load_raw(write(f"return {returned}"))
    assert (raw.x_train.shape, raw.x_test.shape) == ((20, 2), (5, 2))
    np.testing.assert_array_equal(raw.y_test, [0, 1, 0, 1, 0])
    assert raw.source == "--data mine.py:load"


@pytest.mark.parametrize("returned", ["x", "dict(x=x)", "dict(x_train=x, y_train=None)"])
def test_unlabelled(returned: str) -> None:
    raw = load_raw(write(f"return {returned}"))
    assert (len(raw.x_train), len(raw.x_test), raw.y_train) == (16, 4, None)
    assert "no test part" in raw.notes[0]


def test_unlabelled_in_two_parts() -> None:
    assert load_raw(write("return (x, None), (x[:5], None)")).y_test is None


def test_a_pair_of_arrays_is_samples_and_labels() -> None:
    raw = load_raw(write("return x, y"))
    assert (len(raw.x_train), len(raw.x_test)) == (16, 4)
    assert raw.y_test is not None
    raw = load_raw(write("return {'a': x, 'b': x + 1}, y"))
    np.testing.assert_array_equal(raw.x_test["a"] + 1, raw.x_test["b"])


def test_lists_of_arrays_are_several_inputs_by_number() -> None:
    raw = load_raw(write("return [x, x[:, :1]], y"))
    np.testing.assert_array_equal(raw.x_train["0"][:, :1], raw.x_train["1"])
    raw = load_raw(write("return ([x, x[:, :1]], y), ([x[:5], x[:5, :1]], y[:5])"))
    assert {name: array.shape for name, array in raw.x_test.items()} == {"0": (5, 2), "1": (5, 1)}
    assert load_raw(write("return list(x), y, list(x), y")).x_train.shape == (20, 2)  # a list of samples


def test_several_inputs() -> None:
    raw = load_raw(write("return {'x': {'a': x, 'b': x + 1}, 'y': y, 'class_names': ['no', 'yes']}"))
    np.testing.assert_array_equal(raw.x_train["a"] + 1, raw.x_train["b"])
    assert raw.class_names == ("no", "yes")
    raw = load_raw(write("return ({'a': x}, y), ({'a': x[:5]}, y[:5])"))
    assert set(raw.x_test) == {"a"}


def test_modules_of_the_current_folder(tmp_path: Path) -> None:
    Path("helper.py").write_text("SIZE = 7")
    write("from helper import SIZE\nreturn x[:SIZE], y[:SIZE], x[:3], y[:3]", "pack/inner.py")
    assert len(load_raw("pack.inner:load").x_train) == 7
    assert str(tmp_path) not in sys.path


def test_modules_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("import beside\nreturn x[:beside.SIZE], y[:5], x[:3], y[:3]", "deep/mine.py")
    Path("deep/beside.py").write_text("SIZE = 5")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert len(load_raw("../deep/mine.py:load").x_train) == 5


def test_what_it_prints_is_no_output(capsys: pytest.CaptureFixture[str]) -> None:
    load_raw(write("print('loading')\nreturn x"))
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "loading\n")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise ValueError('no disk\\nmounted')", "function-failed load mine.py:6"),
        ("return np.zeros(3) @ np.zeros(4)", "function-failed load mine.py:6"),
        ("open('none.npy')", "function-failed none.npy mine.py:6"),
        ("import nonexistent", "function-failed mine.py:6"),
        ("raise SystemExit(3)", "function-failed load 3 mine.py:6"),
        ("return 1 +", "function-failed mine.py mine.py:6"),
        ("return None", "function-result-invalid"),
        ("return x, y[:9]", "counts-differ `x` 20 `y` 9"),
        ("return x, 5", "function-result-invalid 2"),
        ("return x, y, x", "function-result-invalid 3"),
        ("return 'a.npz'", "function-result-invalid"),
        ("return {}", "array-missing `x_train`"),
        ("return {'images': x}", "function-result-invalid `images`"),
        ("return {1: x}", "function-result-invalid `1`"),
        ("return (x, y), (x, None)", "array-missing"),
        ("return x, y, None, None", "function-result-invalid x_test"),
        ("return [np.zeros(2), np.zeros(3)], y, x, y", "function-result-invalid"),
        ("return np.array([None, 1]), y, x, y", "array-not-numbers"),
        ("return x[:1]", "set-too-small 1"),
        ("return dict(x=x, y=y[:3])", "counts-differ `x` 20 `y` 3"),
    ],
)
def test_refusals(body: str, message: str) -> None:
    with raised(*message.split()) as caught:
        load_raw(write(body))
    assert "mine.py:load" in caught.value.message


def test_functions_that_are_not_there(tmp_path: Path) -> None:
    spec = write("return x")
    with raised("unknown-name", "`mine.py`", "`laod`") as caught:
        load_raw(spec.replace("load", "laod"))
    assert caught.value.hint == "did you mean `load`?"
    with raised("function-not-named", "mine.py") as caught:
        load_raw("mine.py")
    assert caught.value.hint == "name a function in it: --data mine.py:load"
    with raised("unknown-name", "mine.py:load", "`test`"):
        load_raw("mine.py:load?test=0.5")
    with raised("unknown-name", "`x`"):
        load_raw("mine.py:x")
    with raised("file-missing", "none.py"):
        load_raw("none.py:load")
    with raised("data-not-found", "`none.deep`"):
        load_raw("none.deep:load")
    with raised("function-failed", "mine.none"):
        load_raw("mine.none:load")


TF = "import tensorflow as tf\nds = tf.data.Dataset.from_tensor_slices"


@pytest.mark.tensorflow
class TestTfData:
    @pytest.fixture(autouse=True)
    def imported(self) -> None:
        tensorflow()

    @pytest.mark.parametrize(
        "made",
        [
            "((x, y))",
            "((x, y)).batch(7)",
            "((x, y)).batch(5, drop_remainder=True)",
            "((x, y)).batch(7).map(lambda a, b: (a, b)).prefetch(2)",
        ],
    )
    @pytest.mark.parametrize("shape", [None, (2,)])
    def test_batched_or_not(self, made: str, shape: tuple[int, ...] | None, work_folder: Path) -> None:
        raw = load_raw(write(f"{TF}{made}\nreturn ds, ds"), shape)
        np.testing.assert_array_equal(raw.x_train, np.arange(40).reshape(20, 2))
        np.testing.assert_array_equal(raw.y_test, np.arange(20) % 2)
        assert isinstance(raw.x_train, np.memmap)
        assert list((work_folder / "data").iterdir()) == []

    def test_one_set_is_split(self) -> None:
        raw = load_raw(write(f"{TF}((x, y)).batch(7)\nreturn ds"))
        assert (len(raw.x_train), np.bincount(raw.y_test).tolist()) == (16, [2, 2])

    def test_unlabelled(self) -> None:
        assert load_raw(write(f"{TF}(x).batch(7)\nreturn ds")).x_train.shape == (16, 2)
        assert load_raw(write(f"{TF}(x)\nreturn ds"), (2,)).x_train.shape == (16, 2)

    def test_dictionaries(self) -> None:
        raw = load_raw(write(f"{TF}(({{'a': x, 'b': y}}, {{'c': y}})).batch(3)\nreturn ds, ds"))
        assert {name: a.shape for name, a in raw.x_train.items()} == {"a": (20, 2), "b": (20,)}
        np.testing.assert_array_equal(raw.y_train["c"], raw.x_train["b"])

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (f"{TF}((x, y)).repeat()\nreturn ds", "tf-data-unfit"),
            (f"{TF}((x, y)).take(0).batch(2)\nreturn ds", "array-empty"),
            (f"{TF}((x, y, y)).batch(2)\nreturn ds", "tf-data-unfit 3"),
            (f"{TF}(x)\nreturn ds", "tf-data-unfit `tf.data`"),
            (f"{TF}(tf.constant(['a', 'b'])).batch(2)\nreturn ds", "array-not-numbers"),
            (
                "import tensorflow as tf\ndef gen():\n    yield np.zeros((2, 3)), 0\n    yield np.zeros((3, 3)), 1\n"
                "return tf.data.Dataset.from_generator(gen, output_signature=("
                "tf.TensorSpec((None, 3)), tf.TensorSpec((), tf.int32)))",
                "shape-mismatch 1 3",
            ),
            (
                "import tensorflow as tf\ndef gen():\n    yield np.zeros(3), 0\n    raise OSError('lost')\n"
                "return tf.data.Dataset.from_generator(gen, output_signature=("
                "tf.TensorSpec((3,)), tf.TensorSpec((), tf.int32)))",
                "function-failed `tf.data`",
            ),
        ],
    )
    def test_refusals(self, body: str, message: str) -> None:
        with raised(*message.split()) as caught:
            load_raw(write(body))
        assert str(caught.value).count("--data") == 1
