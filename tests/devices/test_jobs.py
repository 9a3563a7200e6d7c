"""The runner in a real process: answers, refusals, crashes, hangs."""

from __future__ import annotations

import dataclasses
import json
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgekit.bundle.runs import ACCURACY, LATENCY, MEMORY
from edgekit.devices.device import Device, open_device
from edgekit.devices.jobs import Job, LatencySettings, run_job
from edgekit.errors import RunnerCrashed, RunnerError, RunnerTimeout
from edgekit.tasks.preprocessing import Preprocessing
from tests.support.raised import raised
from tests.support.tiny_onnx import tiny_onnx
from tests.support.tiny_tflite import tiny_tflite

SETTINGS = LatencySettings(min_samples=30, min_seconds=0.02, warmup_seconds=0.02)


@pytest.fixture
def desktop() -> Iterator[Device]:
    with open_device() as device:
        yield device


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny_tflite(tmp_path / "tiny.tflite")


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    rng = np.random.default_rng(3)
    path = tmp_path / "samples.npz"
    np.savez(path, x=rng.integers(0, 256, (300, 4, 4, 1), dtype=np.uint8), y=np.arange(300) % 3)
    return path


def pretend_python(tmp_path: Path, script: str) -> str:
    """A program that takes the interpreter's place."""
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.mark.parametrize("kind", ["tflite", "onnx"])
def test_latency_keeps_every_sample(desktop: Device, tmp_path: Path, kind: str) -> None:
    path = tiny_tflite(tmp_path / "m.tflite") if kind == "tflite" else tiny_onnx(tmp_path / "m.onnx")
    runtime = "ai-edge-litert" if kind == "tflite" else "onnxruntime"
    run = run_job(desktop, Job(LATENCY, runtime, path, 2, settings=SETTINGS), timeout=60)
    assert len(run.samples_ns) >= 30
    assert len(run.warmup_ns) >= 5
    assert run.init_ns > 0 < run.first_ns
    assert (run.mode, run.threads, run.runtime.name) == ("latency", 2, runtime)
    assert run.runtime.version[0].isdigit()
    assert run.state_before.load_1min is not None
    assert run.median_ns == pytest.approx(np.median(run.inferences_ns))


def test_max_samples_bounds_the_samples(desktop: Device, model: Path) -> None:
    settings = dataclasses.replace(SETTINGS, min_samples=10, max_samples=20, min_seconds=0.2)
    run = run_job(desktop, Job(LATENCY, "ai-edge-litert", model, settings=settings), timeout=60)
    assert len(run.samples_ns) <= 60  # the latency seen in warm-up is an estimate
    assert run.calls_per_sample > 1


def test_memory_stages_grow(desktop: Device, model: Path) -> None:
    rss = run_job(desktop, Job(MEMORY, "ai-edge-litert", model), timeout=60).rss_kib
    assert 0 < rss.after_imports <= rss.after_load <= rss.after_first <= rss.peak


def test_accuracy_against_the_interpreter_by_hand(desktop: Device, model: Path, samples: Path, tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    how = Preprocessing(1 / 255, (0.5,), (0.01,))
    job = Job(ACCURACY, "ai-edge-litert", model, samples=samples, preprocessing=how)
    run = run_job(desktop, job, timeout=60, outputs=tmp_path / "out.npz")
    data = np.load(samples)
    interpreter = Interpreter(str(model), num_threads=1)
    interpreter.allocate_tensors()
    expected = []
    for x in how.apply(data["x"]):
        quantized = np.clip(np.round(x / 0.5) - 3, -128, 127).astype(np.int8)
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], quantized[np.newaxis])
        interpreter.invoke()
        expected.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
    np.testing.assert_array_equal(np.load(tmp_path / "out.npz")["0"], expected)
    assert run.samples == 300
    assert len(set(np.argmax(expected, axis=1))) > 1


def test_an_onnx_input_is_quantized_as_the_job_says(desktop: Device, tmp_path: Path, samples: Path) -> None:
    from edgekit.formats.reading import inspect_file

    path = tiny_onnx(tmp_path / "m.onnx")
    source = inspect_file(path).inputs[0]
    shape = source.shape[1:]
    x = np.random.default_rng(1).normal(0, 20, (50, *shape)).astype(np.float32)
    np.savez(samples, x=x, y=np.zeros(50, np.int64))
    feed = {"scale": source.quantization.scale[0], "zero_point": source.quantization.zero_point[0]}
    job = Job(ACCURACY, "onnxruntime", path, samples=samples, preprocessing=Preprocessing(), quantization=[feed])
    run_job(desktop, job, timeout=60, outputs=tmp_path / "out.npz")

    import onnxruntime

    session = onnxruntime.InferenceSession(str(path))
    limits = np.iinfo(source.dtype)
    q = np.clip(np.round(x / feed["scale"]) + feed["zero_point"], limits.min, limits.max).astype(source.dtype)
    name = session.get_inputs()[0].name
    expected = [session.run(None, {name: row[np.newaxis]})[0][0] for row in q]
    np.testing.assert_array_equal(np.load(tmp_path / "out.npz")["0"], expected)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "refused"), (b"not a model at all", "refused"), (b"\x1c\0\0\0TFL3" + bytes(64), "tiny.tflite")],
)
def test_damaged_models_are_a_sentence(desktop: Device, model: Path, content: bytes, message: str) -> None:
    model.write_bytes(content)
    with pytest.raises(RunnerError, match=message) as caught:
        run_job(desktop, Job(LATENCY, "ai-edge-litert", model, settings=SETTINGS), timeout=60)
    assert "tiny.tflite" in caught.value.message
    assert "\n" not in caught.value.message


def test_samples_of_the_wrong_shape(desktop: Device, model: Path, samples: Path) -> None:
    np.savez(samples, x=np.zeros((5, 3, 3, 1)), y=np.zeros(5, int))
    job = Job(ACCURACY, "ai-edge-litert", model, samples=samples, preprocessing=Preprocessing())
    with raised("job-refused", "[3, 3, 1]", kind=RunnerError):
        run_job(desktop, job, timeout=60)


def test_samples_with_objects_are_not_unpickled(desktop: Device, model: Path, samples: Path) -> None:
    np.savez(samples, x=np.array([{}], dtype=object), y=np.zeros(1, int))
    job = Job(ACCURACY, "ai-edge-litert", model, samples=samples, preprocessing=Preprocessing())
    with raised("file-not-runnable", "allow_pickle", kind=RunnerError):
        run_job(desktop, job, timeout=60)


def test_empty_samples(desktop: Device, model: Path, samples: Path) -> None:
    np.savez(samples, x=np.zeros((0, 4, 4, 1)), y=np.zeros(0, int))
    with raised("job-refused", "no samples", kind=RunnerError):
        run_job(desktop, Job(ACCURACY, "ai-edge-litert", model, samples=samples), timeout=60)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("SEGV", "ai-edge-litert: an invalid memory access"),
        ("ILL", "ai-edge-litert: an instruction that this CPU does not have"),
        ("KILL", "ai-edge-litert: usually by the kernel"),
        ("ABRT", "ai-edge-litert: an abort"),
        ("USR1", "ai-edge-litert"),
    ],
)
def test_signals_become_sentences(desktop: Device, tmp_path: Path, model: Path, name: str, why: str) -> None:
    python = pretend_python(tmp_path, f"echo 'edgekit-runner: load' >&2; echo ouch >&2; kill -{name} $$")
    device = dataclasses.replace(desktop, python=python)
    sentence = f"tiny.tflite: the runner was killed by SIG{name} during load under {why}"
    with raised("runner-killed", sentence, "stderr: ouch", kind=RunnerCrashed):
        run_job(device, Job(LATENCY, "ai-edge-litert", model, settings=SETTINGS), timeout=60)


def test_the_real_runner_killed_while_it_measures(desktop: Device, tmp_path: Path, model: Path) -> None:
    # exec keeps the process number: the watcher kills the very process that edgekit waits for, once it is timing.
    log = tmp_path / "log"
    script = f"""exec 2>{log}
(until grep -q timing {log}; do sleep 0.05; done; kill -KILL $$) &
exec "{sys.executable}" "$@\""""
    python = pretend_python(tmp_path, script)
    device = dataclasses.replace(desktop, python=python)
    settings = dataclasses.replace(SETTINGS, min_seconds=30, max_samples=10**9)
    with raised("runner-killed", "SIGKILL"):
        run_job(device, Job(LATENCY, "ai-edge-litert", model, settings=settings), timeout=60)


def test_a_hanging_runner_is_stopped(desktop: Device, tmp_path: Path, model: Path) -> None:
    device = dataclasses.replace(desktop, python=pretend_python(tmp_path, "exec sleep 60"))
    with raised("runner-timeout", "tiny.tflite", "0.3 s", "--timeout", kind=RunnerTimeout):
        run_job(device, Job(LATENCY, "ai-edge-litert", model, settings=SETTINGS), timeout=0.3)


def test_no_result_and_half_a_result(desktop: Device, tmp_path: Path, model: Path) -> None:
    for script, what in (
        ("exit 7", "exit code 7"),
        ('printf "{" > "$5"; exit 0', "line 1, column 2"),
    ):
        device = dataclasses.replace(desktop, python=pretend_python(tmp_path, script))
        with raised("runner-without-result", "tiny.tflite", what, kind=RunnerCrashed):
            run_job(device, Job(LATENCY, "ai-edge-litert", model, settings=SETTINGS), timeout=60)


def test_a_python_that_does_not_exist(desktop: Device, tmp_path: Path, model: Path) -> None:
    device = dataclasses.replace(desktop, python=str(tmp_path / "nothing"))
    with raised("program-missing", "nothing"):
        run_job(device, Job(LATENCY, "ai-edge-litert", model, settings=SETTINGS), timeout=60)


def test_a_runtime_that_is_not_installed(desktop: Device, model: Path) -> None:
    with raised("runtime-missing", "tflite-runtime", kind=RunnerError):
        run_job(desktop, Job(LATENCY, "tflite-runtime", model, settings=SETTINGS), timeout=60)


def test_the_scratch_folder_goes() -> None:
    with open_device() as device:
        path = Path(device.work.scratch("x"))
        path.write_text(json.dumps(1))
    assert not path.parent.exists()
