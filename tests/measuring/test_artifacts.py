"""The files of benchmarks/artifacts can be measured again, from a clone."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.devices.device import open_device
from edgekit.errors import InputError
from edgekit.measuring.candidates import candidates
from edgekit.measuring.plan import Plan
from edgekit.measuring.session import bench

ARTIFACTS = sorted((Path(__file__).parents[2] / "benchmarks" / "artifacts").glob("*/*.tflite"))


@pytest.mark.processes
def test_they_run() -> None:
    assert ARTIFACTS
    plan = Plan(processes=1, min_samples=5, min_seconds=0.01, warmup_seconds=0.01)
    with open_device() as device:
        record = bench(candidates(ARTIFACTS), plan, device)
    assert [m.failures for m in record.measurements] == [() for _ in ARTIFACTS]
    named = [path.stem.rpartition("-")[2] for path in ARTIFACTS]
    assert [subject.scheme for subject in record.subjects] == named  # as their manifests say


def test_they_are_checked_against_their_manifests(tmp_path: Path) -> None:
    source = ARTIFACTS[0]
    (tmp_path / "manifest.json").write_bytes((source.parent / "manifest.json").read_bytes())
    model = tmp_path / source.name
    model.write_bytes(source.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match=r"differs from the digest in manifest\.json"):
        candidates([model])
    model.write_bytes(source.read_bytes())
    candidates([model])
    (tmp_path / "README.txt").write_bytes(b"another")
    with pytest.raises(InputError, match=r"README\.txt: differs from the digest"):
        candidates([model])
