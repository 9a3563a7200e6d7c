"""Whatever a child does, its parent gets an answer or a sentence."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import EdgekitError, InputError, MissingExtraError, RunnerCrashed, RunnerError, RunnerTimeout
from edgekit.processes.child import MEMORY, PER_BYTE, Child, memory_for, worker
from edgekit.processes.wire import receive, send
from tests.support.raised import raised

WORK = "tests.processes.work"


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    with Child() as made:
        yield made


def call(child: Child, name: str, *arrays: Any, seconds: float = 20, memory: int = 1 << 30, **arguments: Any) -> Any:
    return child.call(f"{WORK}:{name}", *arrays, what="m.onnx: reading it", seconds=seconds, memory=memory, **arguments)


def test_values_and_arrays_come_back(child: Child) -> None:
    arrays = [np.arange(6, dtype=np.int8).reshape(2, 3), np.float32(3), np.zeros((0, 4)), np.ones((2, 2), ">f4").T]
    value, found = call(child, "double", *arrays, factor=3)
    assert value["factor"] == 3 and np.isnan(value["nan"])
    assert [(a.shape, a.dtype) for a in found] == [(np.shape(a), (np.asarray(a) * 3).dtype) for a in arrays]
    for a, b in zip(arrays, found, strict=True):
        np.testing.assert_array_equal(np.asarray(a) * 3, b)
    assert call(child, "double")[0]["pid"] == value["pid"]


@pytest.mark.parametrize(
    ("how", "kind", "code", "named"),
    [
        ("signal", RunnerCrashed, "child-crashed", "m.onnx: reading it was killed by SIGSEGV"),
        ("native", RunnerCrashed, "child-crashed", "SIGSEGV"),
        ("abort", RunnerCrashed, "child-crashed", "SIGABRT"),
        ("exit", RunnerCrashed, "child-crashed", "code 3"),
        ("bad_alloc", RunnerError, "memory-limit", "1.0 GiB"),
        ("memory", RunnerError, "memory-limit", "1.0 GiB"),
        ("for ever", RunnerTimeout, "child-timeout", "0.1 s"),
        ("busy", RunnerTimeout, "child-timeout", "0.1 s"),
        ("own", InputError, "file-damaged", "m.onnx: is wrong"),
        ("extra", MissingExtraError, "extra-not-installed", "this needs the `onnx` extra"),
        ("other", RunnerError, "child-failed", "m.onnx: reading it failed: 'secret"),
    ],
)
def test_every_end_is_a_sentence(child: Child, how: str, kind: type[EdgekitError], code: str, named: str) -> None:
    with raised(code, named) as caught:
        call(child, "end", how=how, seconds=0.1 if how in ("for ever", "busy") else 20)
    assert type(caught.value) is kind
    assert "\n" not in caught.value.message
    assert call(child, "double")[0]["factor"] == 2


def test_memory_that_may_be_raised_says_how(child: Child) -> None:
    with raised("memory-limit", "EDGEKIT_MEMORY_GIB="):
        call(child, "end", how="memory")


def test_what_native_code_prints_is_no_answer(child: Child) -> None:
    assert call(child, "end", how="noise") == (None, [])


def test_a_full_disk_stays_one(child: Child) -> None:
    with pytest.raises(OSError, match="No space left") as caught:
        call(child, "end", how="disk")
    assert (caught.value.errno, caught.value.filename) == (28, "/x")


def test_the_current_folder_holds_no_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger's folder may hold a json.py; `python -c` alone would take it."""
    for name in ("json", "numpy", "onnx"):
        (tmp_path / f"{name}.py").write_text("import os; os._exit(77)")
    monkeypatch.chdir(tmp_path)
    with Child() as fresh:
        assert call(fresh, "double", np.ones(1))[1] == [2.0]


def test_it_ends_with_its_parent_in_the_midst_of_work() -> None:
    script = (
        "from edgekit.processes.child import Child\n"
        "child = Child()\n"
        "pid = child.call('tests.processes.work:double', what='x', seconds=9, memory=1 << 30)[0]['pid']\n"
        "print(pid, flush=True)\n"
        "child.call('tests.processes.work:end', what='x', seconds=50, memory=1 << 30, how='for ever')\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=env, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_threads_take_turns_and_may_end() -> None:
    with Child() as made:
        found: list[int] = []
        for _ in range(2):
            threads = [threading.Thread(target=lambda: found.append(call(made, "double", factor=5)[0]["factor"]))]
            threads += [threading.Thread(target=lambda: found.append(call(made, "double", factor=5)[0]["factor"]))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            found.append(call(made, "double", factor=5)[0]["factor"])
        assert found == [5] * 6


def test_what_is_killed_says_so() -> None:
    with Child() as made, raised("child-crashed", "SIGKILL"):
        call(made, "end", how="killed")


def test_the_worker_is_one_a_process_and_kind_of_work() -> None:
    assert worker() is worker()
    assert worker("other") is worker("other") is not worker()


def test_how_much_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m"
    path.write_bytes(bytes(1000))
    assert memory_for(path) == MEMORY + 1000 * PER_BYTE
    monkeypatch.setenv("EDGEKIT_MEMORY_GIB", "1.5")
    assert memory_for(path) == 3 << 29
    for wrong in ("much", "0", "-1", "nan", "1e99"):
        monkeypatch.setenv("EDGEKIT_MEMORY_GIB", wrong)
        with raised("variable-invalid", "EDGEKIT_MEMORY_GIB", wrong):
            memory_for(path)


def test_messages_hold_no_objects() -> None:
    stream = io.BytesIO()
    with pytest.raises((TypeError, ValueError)):
        send(stream, None, [np.array([print], object)])
        stream.seek(0)
        receive(stream)
    for text in (b"", b"\x05\0\0\0\0\0\0\0{", b"\xff" * 8):
        with pytest.raises((EOFError, ValueError, MemoryError, OverflowError)):
            receive(io.BytesIO(text))
