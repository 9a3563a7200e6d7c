"""Integer inputs and outputs without a scale: named, and neither fed nor judged as if the scale were 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.bundle.records import Measurement
from edgekit.data.dataset import Dataset
from edgekit.devices.device import open_device
from edgekit.errors import InputError
from edgekit.formats.info import Quantization, TensorInfo
from edgekit.formats.reading import inspect_file
from edgekit.measuring.candidates import candidates
from edgekit.measuring.core import run_file
from edgekit.measuring.plan import Plan
from edgekit.measuring.ports import specs
from edgekit.measuring.session import bench
from edgekit.models.files.file_model import FileModel
from edgekit.reporting.bench_table import bench_table
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.task import Head, Task
from edgekit.tasks.tensors import TensorSpec
from tests.support.raised import raised
from tests.support.tiny_onnx import constant, save, value

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
node = onnx.helper.make_node
PLAN = Plan(processes=1, min_samples=3, min_seconds=0.0, warmup_seconds=0.0, memory=False)
CONSTANTS = [constant("s", 0.5, "float32"), constant("z", 3, "int8")]
COMPUTED = node("Mul", ["s", "s"], ["t"])
"""A scale that only running tells."""
DATA = Dataset(
    "made",
    np.ones((8, 4), np.float32),
    np.ones((8, 4), np.float32),
    np.full((8, 4), 2, np.float32),
    np.full((8, 4), 2, np.float32),
    (),
)


def model(path: Path, nodes: list[Any], ins: str, outs: str) -> Path:
    return save(path, nodes, [value("x", [1, 4], ins)], [value("y", [1, 4], outs)], CONSTANTS)


def without_input_scale(path: Path) -> Path:
    return model(path, [COMPUTED, node("DequantizeLinear", ["x", "t", "z"], ["y"])], "INT8", "FLOAT")


def without_output_scale(path: Path) -> Path:
    return model(path, [COMPUTED, node("QuantizeLinear", ["x", "t", "z"], ["y"])], "FLOAT", "INT8")


def measured(path: Path) -> tuple[Measurement, str]:
    with open_device() as device:
        record = bench(candidates([path]), PLAN, device, data=DATA)
    return record.measurements[0], bench_table(record)


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (without_input_scale, "accuracy: input `x` is int8 without a scale: it cannot be fed"),
        (without_output_scale, "accuracy: output `y` is int8 without a scale: its values cannot be judged"),
    ],
)
def test_bench_times_them_and_says_why_there_is_no_score(write: Any, sentence: str, tmp_path: Path) -> None:
    found, table = measured(write(tmp_path / "a.onnx"))
    assert len(found.latency) == 1
    assert found.accuracy is None
    assert [str(failure).startswith(sentence) for failure in found.failures] == [True]
    assert sentence in table and "mae [95 %]  -" not in table


def test_bytes_are_fed_as_they_are(tmp_path: Path) -> None:
    found, _ = measured(model(tmp_path / "a.onnx", [node("Cast", ["x"], ["y"], to=1)], "UINT8", "FLOAT"))
    assert found.failures == ()
    assert found.accuracy is not None and found.accuracy.score.interval.value == 0


@pytest.mark.parametrize("write", [without_input_scale, without_output_scale])
def test_compress_refuses_to_compare_them(write: Any, tmp_path: Path) -> None:
    info = inspect_file(write(tmp_path / "a.onnx"))
    np.savez(tmp_path / "samples.npz", x=DATA.x_test)
    task = Task((Head("y", "regression", "mae"),))
    with open_device() as device, raised("scale-missing", "a.onnx: ", "int8 without a scale", kind=InputError):
        run_file(
            device,
            tmp_path / "a.onnx",
            specs(info.inputs),
            specs(info.outputs),
            tmp_path / "samples.npz",
            Preprocessing(),
            task,
            tmp_path,
        )


def test_a_source_with_such_an_input_is_refused(tmp_path: Path) -> None:
    path = save(
        tmp_path / "b.onnx", [node("BitShift", ["x", "x"], ["b"], direction="LEFT"), node("ReduceMean", ["b"], ["y"])],
        [value("x", [1, 4], "UINT8")], [value("y", [1, 1], "UINT8")], check=False,
    )  # fmt: skip
    with pytest.raises(InputError, match="output `y` is uint8 without a scale: its values cannot be judged"):
        FileModel(path)


@pytest.mark.parametrize("q", [Quantization((0.5, 0.25), (0, 0), 1), Quantization((), (0,), None)])
def test_one_scale_of_several_is_none_for_the_port(q: Quantization) -> None:
    (found,) = specs([TensorInfo("x", (1, 2), "int8", q)])
    assert found == TensorSpec("x", (1, 2), "int8", unscaled=True)
