from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from edgekit.data.loading import load_data
from edgekit.errors import MissingExtraError
from tests.support.raised import raised


def write(path: Path, shape: tuple[int, ...], value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    y = np.arange(20, dtype=np.uint8) % 10
    x = np.full((20, *shape), value, np.uint8)
    np.savez(path, x_train=x, y_train=y, x_test=x[:10], y_test=y[:10])


def test_a_data_folder_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGEKIT_DATA", str(tmp_path / "nowhere"))
    with raised("variable-invalid", "EDGEKIT_DATA="):
        load_data("mnist")


def test_digits_are_split_by_class() -> None:
    data = load_data("digits")
    assert data.sample_shape == (8, 8, 1)
    assert len(data.y_train) + len(data.y_test) == 1797
    assert np.bincount(data.y_test).min() >= 34
    assert data.x_train.max() == 16
    assert data.preprocessing.apply(data.x_train).max() == 1
    assert data.fingerprint == load_data("digits").fingerprint


def test_the_users_folder_goes_before_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "keras" / "datasets" / "mnist.npz", (28, 28), 1)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv("EDGEKIT_DATA", str(tmp_path / "mine"))
    assert load_data("mnist").x_train[0, 0, 0, 0] == 1
    write(tmp_path / "mine" / "mnist.npz", (28, 28), 2)
    assert load_data("mnist").x_train[0, 0, 0, 0] == 2


def test_a_file_of_another_data_set_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "cifar10.npz", (28, 28), 1)
    monkeypatch.setenv("EDGEKIT_DATA", str(tmp_path))
    with raised("shape-mismatch", "cifar10.npz", "(28, 28, 1)", "(32, 32, 3)"):
        load_data("cifar10")


def test_offline_and_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Datasets:
        class mnist:
            @staticmethod
            def load_data() -> None:
                raise OSError("URL fetch failure: no route to host")

    class Keras:
        datasets = Datasets

    monkeypatch.setenv("EDGEKIT_DATA", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("edgekit.frameworks.tensorflow.keras3", lambda: Keras)
    with raised("download-failed") as caught:
        load_data("mnist")
    assert "put mnist.npz" in caught.value.hint
    assert "EDGEKIT_DATA" in caught.value.hint


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with raised("extra-not-installed", "`compress`", kind=MissingExtraError) as caught:
        load_data("digits")
    assert "pip install 'edgekit[compress]'" in caught.value.hint
