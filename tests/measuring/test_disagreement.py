"""Outputs that are not this machine's: nothing is measured, or the verdict says so; rounding passes."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.bundle.agreement import BETWEEN_MACHINES, Agreement, host_form
from edgekit.bundle.facts import Unavailable
from edgekit.bundle.runs import ACCURACY
from edgekit.devices.jobs import Job
from edgekit.devices.target import Target, parse
from edgekit.errors import TargetError
from edgekit.measuring.agreement import compare_stored, worst
from edgekit.measuring.candidates import candidates
from edgekit.measuring.host import disagreement, host_runtime
from edgekit.measuring.plan import Plan
from edgekit.measuring.several import measure
from edgekit.measuring.verdict import judge
from edgekit.reporting.bench_table import bench_table
from edgekit.reporting.rows import rows_of
from edgekit.schema.gate import read
from tests.support.tiny_tflite import tiny_tflite
from tests.support.toy import toy

RNG = np.random.default_rng(0)
LOGITS = RNG.integers(-128, 128, (200, 10)).astype(np.int8)
SCORES = RNG.random((200, 4)).astype(np.float32)


def moved(x: np.ndarray, by: int, share: float = 1.0) -> np.ndarray:
    """Every value of a share of the samples by up to so many steps."""
    off = np.random.default_rng(by).integers(-by, by + 1, x.shape)
    off[int(len(x) * share) :] = 0
    return np.clip(x.astype(int) + off, -128, 127).astype(np.int8)


def mixed(x: np.ndarray, share: float = 1.0) -> np.ndarray:
    """A share of the samples answer what others should."""
    out = x.copy()
    count = int(len(x) * share)
    out[:count] = np.roll(x[:count], 7, axis=0)
    return out


@pytest.mark.parametrize(
    ("here", "there", "word"),
    [
        (LOGITS, LOGITS, "valid"),
        (LOGITS, moved(LOGITS, 1), "valid"),
        (LOGITS, moved(LOGITS, 4), "valid"),
        (LOGITS, moved(LOGITS, 22, 0.035), "valid"),  # as TFLite Micro and XNNPACK
        (LOGITS, moved(LOGITS, 22), "suspect"),
        (LOGITS, mixed(LOGITS), "invalid"),
        (LOGITS, mixed(LOGITS, 0.2), "invalid"),
        (LOGITS, mixed(LOGITS, 0.03), "suspect"),
        (LOGITS, np.zeros_like(LOGITS), "invalid"),
        (LOGITS[:8], mixed(LOGITS[:8]), "invalid"),
        (LOGITS[:1], LOGITS[1:2], "invalid"),
        (LOGITS[:1], moved(LOGITS[:1], 4), "valid"),
        (LOGITS // 60, mixed(LOGITS // 60), "invalid"),  # which span five steps
        (LOGITS // 60, moved(LOGITS // 60, 1), "valid"),
        (LOGITS[:, :1], mixed(LOGITS[:, :1]), "invalid"),  # one value
        (SCORES, SCORES * np.float32(1 + 1e-5), "valid"),
        (SCORES, mixed(SCORES), "invalid"),
        (SCORES, np.full_like(SCORES, np.nan), "invalid"),
        (np.full((9, 2), np.nan), np.full((9, 2), np.nan), "valid"),
        (np.zeros((9, 2), np.float32), np.zeros((9, 2), np.float32), "valid"),
        (np.full((9, 2), 5, np.float32), np.full((9, 2), 5.001, np.float32), "suspect"),
        (np.arange(9, dtype=np.int64), np.arange(9, dtype=np.int64)[::-1], "invalid"),  # class numbers
        (LOGITS > 0, LOGITS > 0, "valid"),
        (LOGITS > 0, LOGITS < 0, "invalid"),
    ],
)  # fmt: skip
def test_what_outputs_are_worth(here: np.ndarray, there: np.ndarray, word: str) -> None:
    judged, reason = disagreement(compare_stored(here, there), True)
    assert judged == word, reason
    codes = {"valid": "", "suspect": "outputs-differ", "invalid": "outputs-disagree"}
    assert (reason.code if reason else "") == codes[word]


def changed(agreement: Agreement, **counted: Any) -> Agreement:
    assert agreement.by_sample is not None
    return dataclasses.replace(agreement, by_sample=dataclasses.replace(agreement.by_sample, **counted))


def stored(form: dict[str, Any]) -> Agreement:
    """What a record holds, read and written again."""
    found: Agreement = read(BETWEEN_MACHINES, form, "run.json", "agreement")
    assert read(BETWEEN_MACHINES, dict(host_form(found)), "run.json", "agreement") == found
    return found


def test_two_runtimes_may_round_more() -> None:
    found = compare_stored(LOGITS, moved(LOGITS, 14))
    assert disagreement(found, False)[0] == "suspect"
    assert disagreement(changed(found, same_runtime=False), False)[0] == "valid"


def test_several_outputs_and_older_records() -> None:
    good, bad = compare_stored(SCORES, SCORES), compare_stored(LOGITS, mixed(LOGITS))
    assert disagreement(worst([good, bad]), True)[0] == disagreement(worst([bad, good]), False)[0] == "invalid"
    assert disagreement(worst([good, compare_stored(SCORES, SCORES[:, :2])]), True)[0] == "invalid"
    older = {"samples": 40, "same_class": 4, "equal": 0, "largest_difference": 255, "unit": "steps"}
    word, reason = disagreement(stored(older), True)
    assert word == "invalid"
    assert reason is not None
    assert "the same class on 4 of 40 samples, up to 255 steps apart" in reason.sentence
    assert disagreement(stored({**older, "same_class": 39}), True) == ("valid", None)
    assert disagreement(Unavailable("x"), True) == ("valid", None)


def test_which_runtime_compares(monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job(ACCURACY, "tflite-runtime", Path("m.tflite"))
    monkeypatch.setattr("edgekit.measuring.host.find_spec", lambda name: None)
    assert host_runtime(job) == "ai-edge-litert"
    monkeypatch.setattr("edgekit.measuring.host.find_spec", lambda name: object())
    assert host_runtime(job) == "tflite-runtime"


# A Python of the board that computes something else: {condition} chooses the jobs, {rows} the samples.
# The first lines run Python from a path with spaces, which `#!` cannot.
LIAR = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import json, os, subprocess, sys
import numpy as np
argv = sys.argv[1:]
done = subprocess.call([{python!r}] + argv)
if len(argv) > 4 and argv[2].endswith(".py") and done == 0:
    job = json.load(open(argv[3]))
    if job["mode"] == "accuracy" and ({condition}):
        found = dict(np.load(job["outputs"]))
        found["0"][{rows}] = -found["0"][{rows}] // 2
        np.savez(job["outputs"], **found)
sys.exit(done)
"""
QUICK = Plan(threads=(1, 2), processes=1, min_samples=3, min_seconds=0.0, warmup_seconds=0.0)


def liar(home: Path, condition: str, rows: str = ":") -> Target:
    path = home / "python"
    path.write_text(LIAR.format(python=sys.executable, condition=condition, rows=rows))
    path.chmod(0o755)
    text = f'schema = 1\ntransport = "ssh"\nhost = "pi@board"\nthreads = [1]\npython = "{sys.executable}"\n'
    return dataclasses.replace(parse(text, "pi", "test"), python=str(path))


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"data": toy(), "preprocessing": {"scale": 0.1}}


def test_a_file_whose_first_outputs_are_wrong_is_not_measured(
    home: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    files = [tiny_tflite(tmp_path / "wrong.tflite")]
    (record,) = measure([liar(home, 'job["samples"]')], candidates(files), QUICK, **settings).records
    assert [(found.threads, found.latency, found.memory) for found in record.measurements] == [
        (1, (), None),
        (2, (), None),
    ]
    verdict = judge(record.measurements[0], record)
    assert verdict.word == "invalid"
    [reason] = verdict.reasons
    assert (reason.code, reason.sentence) == ("outputs-disagree", str(record.measurements[0].failures[0]))
    assert reason.sentence.startswith("first outputs: ")
    assert "of 8 samples far off" in reason.sentence
    assert "invalid" in {row.verdict for row in rows_of(record)}
    table = bench_table(record)
    assert table.count("it was not measured") == 1
    assert "wrong.tflite, 1, 2 threads: invalid: " in table


def test_outputs_that_go_wrong_later_are_seen_in_the_end(home: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    files = [tiny_tflite(tmp_path / "m.tflite")]
    plan = dataclasses.replace(QUICK, memory=False, threads=(1,))
    (record,) = measure([liar(home, 'job["samples"]', "8:")], candidates(files), plan, **settings).records
    (found,) = record.measurements
    assert found.failures == () and found.latency
    assert found.agreement is not None and found.agreement.by_sample.far > 20
    assert [reason.code for reason in judge(found, record).reasons] == ["outputs-disagree"]
    assert "[outputs-disagree]" in bench_table(record)
    assert "invalid" in {row.verdict for row in rows_of(record)}


def test_files_without_samples_are_compared_on_seeded_values(home: Path, tmp_path: Path) -> None:
    files = [tiny_tflite(tmp_path / "m.tflite")]
    target = liar(home, "seen()")
    path = home / "python"
    seen = "def seen():  # the smoke test\n    made = os.path.exists(sys.argv[0] + '.once')\n"
    seen += "    open(sys.argv[0] + '.once', 'w').close()\n    return made\n"
    path.write_text(path.read_text().replace("argv =", f"{seen}argv =", 1))
    (record,) = measure([target], candidates(files), QUICK).records
    assert "it was not measured" in str(record.measurements[0].failures[0])


def test_a_runtime_that_computes_something_else_is_not_used(
    home: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    with pytest.raises(TargetError, match=r"smoke\.tflite: computes .* where -128, 120, 27 is right"):
        measure(
            [liar(home, "True")], candidates([tiny_tflite(tmp_path / "m.tflite")]), QUICK, wheels=tmp_path, **settings
        )
