"""What the pytest plugins of this suite promise: quick runs load no TensorFlow, durations are added up."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from tests.support.coverage import by_room
from tests.support.durations import SLOWEST, durations
from tests.support.quick import HEAVY, NoTensorFlow


def test_a_quick_run_finds_tensorflow_and_does_not_load_it() -> None:
    name = next((name for name in sorted(HEAVY) if importlib.util.find_spec(name)), None)
    if name is None:
        pytest.skip("TensorFlow is not installed")
    spec = NoTensorFlow().find_spec(name, None)
    assert spec is not None and spec.origin
    with pytest.raises(AssertionError, match=f"a quick test imports {name}"):
        importlib.util.module_from_spec(spec)
    assert NoTensorFlow().find_spec("numpy", None) is None


def test_nothing_heavy_is_loaded_in_a_quick_run(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--quick"):
        assert not HEAVY & set(sys.modules)
        assert any(isinstance(finder, NoTensorFlow) for finder in sys.meta_path)


def test_durations_by_folder_and_the_slowest_tests() -> None:
    seconds = {f"tests/a/test_b.py::test_{i}": (2.0 * i, 1.0 * i) for i in range(60)}
    lines = durations({**seconds, "tests/test_c.py::test_d[a/b::c]": (9.0, 900.0)}).splitlines()
    assert lines[1].split() == ["3549.0", "2670.0", "61", "all"]
    assert lines[3].split() == ["9.0", "900.0", "1", "tests"]
    assert lines[2].split() == ["3540.0", "1770.0", "60", "tests/a"]
    assert lines[5].endswith(f"the {SLOWEST} slowest tests") and len(lines) == 6 + SLOWEST
    assert lines[6].split() == ["9.0", "900.0", "1", "tests/test_c.py::test_d[a/b::c]"]
    assert lines[7].endswith("test_59")


def test_coverage_by_room_begins_with_the_least_covered() -> None:
    counts = {"edgekit/bench/a.py": (4, 4), "edgekit/bench/b/c.py": (4, 0), "edgekit/stats.py": (2, 2)}
    files = {
        path: {"summary": {"num_statements": lines, "covered_lines": covered}}
        for path, (lines, covered) in counts.items()
    }
    rows = [
        line.split() for line in by_room({**files, "edgekit/x/__init__.py": files["edgekit/stats.py"]}).splitlines()
    ]
    assert rows[1] == ["66.7%", "12", "4", "all"]
    assert [row[3] for row in rows[2:]] == ["bench", "stats", "x"]
    assert rows[2][:3] == ["50.0%", "8", "4"]
