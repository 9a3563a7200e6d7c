"""What is put together to choose among: devices, records under other conditions, bundles and searches."""

from __future__ import annotations

from dataclasses import replace

from edgekit.bundle.collection import Collection
from edgekit.bundle.manifest import Bundle
from edgekit.bundle.records import EvaluatedOn, Record, Subject
from edgekit.bundle.search_result import Point, SearchResult
from edgekit.bundle.trials import Measured
from edgekit.reporting.contents import Contents
from edgekit.reporting.deciding import decide
from tests.report.reports import collection

FOUND = collection()
SESSION = FOUND.records["session"]
BUNDLE = FOUND.bundles["small"]
SEARCH = FOUND.searches["found"]


def with_digests(record: Record, mark: str = "") -> Record:
    """Return a record whose files differ, and from those of a record of another mark."""
    subjects = tuple(replace(s, sha256=f"{mark}{i}") for i, s in enumerate(record.subjects))
    return replace(record, subjects=subjects)


def texts(records: dict[str, Record]) -> list[str]:
    return [decision.text for decision in decide(Collection(records))]


def changed(record: Record, index: int, **changes: object) -> Record:
    subjects: list[Subject] = list(record.subjects)
    subjects[index] = replace(subjects[index], **changes)  # type: ignore[arg-type]
    return replace(record, subjects=tuple(subjects))


def test_a_decision_a_device_against_its_own_baseline() -> None:
    board = replace(with_digests(SESSION, "b"), target="rpi4")
    found = decide(Collection({"a": with_digests(SESSION, "a"), "b": board}))
    assert [(one.device, one.source, one.file, one.threads) for one in found] == [
        ("desktop", "a", "m-int8.tflite", 1), ("rpi4", "b", "m-int8.tflite", 1),
    ]  # fmt: skip
    assert all("0.30x [0.22, 0.40] the latency" in one.text for one in found)
    assert "Not all have the same" not in found[1].text


def test_files_of_one_name_in_two_records_are_told_apart() -> None:
    smaller = changed(with_digests(SESSION, "b"), 1, bytes=50_000)
    [text] = texts({"a": with_digests(SESSION, "a"), "b": smaller})
    assert text.startswith("On `desktop`, ship `m-int8.tflite` of `b`: of 6 files the smallest")
    [decision] = decide(Collection({"a": with_digests(SESSION, "a"), "b": smaller}))
    assert decision.source == "b"


def test_the_same_file_in_two_records_is_one() -> None:
    [text] = texts({"a": with_digests(SESSION), "b": with_digests(SESSION)})
    assert "of 3 files the smallest" in text


def test_what_was_judged_on_other_samples_is_not_compared() -> None:
    other = replace(with_digests(SESSION, "b"), evaluation=EvaluatedOn("other.npz", 1000, "f" * 64))
    [text] = texts({"a": with_digests(SESSION, "a"), "b": changed(other, 1, bytes=10)})
    assert "ship `m-int8.tflite` of `a`" in text
    assert "Not all have the same evaluation samples: what depends on it was not compared." in text


def test_latency_under_another_governor_is_not_compared() -> None:
    other = replace(with_digests(SESSION, "b"), host=replace(SESSION.host, governor="powersave"))
    [text] = texts({"a": with_digests(SESSION, "a"), "b": changed(other, 1, bytes=50_000)})
    assert "ship `m-int8.tflite` of `b`" in text
    assert "Against `m-float32.tflite` of `a`: 0.16x the bytes (50,000 B), 80.4 us [62.0, 119], 0.30 points" in text
    assert "Not all have the same governor" in text


def test_other_thread_counts_are_left_out() -> None:
    four = replace(SESSION, measurements=tuple(replace(m, threads=4) for m in SESSION.measurements))
    [text] = texts({"a": with_digests(SESSION, "a"), "b": with_digests(four, "b")})
    assert text.endswith(" Left out: 3 files, measured with other thread counts only.")


def test_a_record_without_measurements() -> None:
    assert texts({"a": replace(SESSION, measurements=())}) == ["On `desktop`, nothing was measured."]


def test_a_bundle_that_was_measured_is_decided_once() -> None:
    digests = [artifact.sha256 for artifact in BUNDLE.manifest.artifacts]
    measured = changed(changed(with_digests(SESSION), 0, sha256=digests[0]), 1, sha256=digests[1])
    assert len(decide(Collection({"a": measured}, {"small": BUNDLE}))) == 1
    assert len(decide(Collection({"a": with_digests(SESSION)}, {"small": BUNDLE}))) == 2


def test_a_bundle_against_its_source_model() -> None:
    ledger = BUNDLE.manifest.ledger
    digest = BUNDLE.manifest.artifacts[1].sha256
    last = replace(ledger[-1], sha256=digest, score=ledger[0].score)
    manifest = replace(BUNDLE.manifest, ledger=(ledger[0], last))
    [decision] = decide(Collection({}, {"small": Bundle(BUNDLE.path, manifest)}))
    assert (
        "Against the source model in that scheme, on validation samples: 0.04x the bytes, 0.78x [0.60, 0.97] the "
        "latency, the same accuracy."
    ) in decision.text


def point(number: int, correct: int, size: int) -> Point:
    one = SEARCH.front[0]
    measured = one.trial.measured
    assert isinstance(measured, Measured)
    score = {"correct": correct, "samples": 1000}
    trial = replace(one.trial, number=number, measured=replace(measured, bytes=size, score=score))
    return replace(one, trial=trial, test=None, bundle=f"front/{number}")


def searched(*points: Point, **changes: object) -> str:
    result: SearchResult = replace(SEARCH, met=True, front=points, **changes)  # type: ignore[arg-type]
    [decision] = decide(Collection({}, {}, {"found": result}))
    return decision.text


def test_a_search_is_decided_by_its_budget_or_against_its_best() -> None:
    points = point(1, 850, 9_000), point(2, 950, 60_000), point(3, 945, 30_000)
    assert searched(*points).startswith("Of `found`, ship `front/1`: of 3 files on the front the smallest that keeps")
    free = replace(SEARCH.budget, min_accuracy=None, max_error=None)
    text = searched(*points, budget=free)
    assert text.startswith(
        "Of `found`, ship `front/3`: of 3 files on the front the smallest whose accuracy is no worse"
    )
    assert "1.92 ms (0.61x [0.59, 0.63])" in text
    assert "`front/1` is smaller and worse: 0.15x the bytes, 10.00 points of accuracy less." in text


def test_a_search_without_a_file_that_keeps_to_the_budget() -> None:
    [decision] = decide(Collection({}, {}, {"found": SEARCH}))
    assert (decision.choice.kind, decision.file) == ("undecided", None)
    assert "the nearest is trial 7" in decision.text


def test_nothing_is_computed_twice() -> None:
    """The rows of a report are those that its decision is made of."""
    contents = Contents.of(Collection({"a": with_digests(SESSION)}))
    assert "vs_baseline" in vars(contents.rows[1])
