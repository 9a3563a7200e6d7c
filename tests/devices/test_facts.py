"""Facts are parsed from what real machines print."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from edgekit.devices.facts import FACTS, read_fact, read_facts
from edgekit.devices.transports.base import Completed
from edgekit.devices.transports.local import LocalTransport

CASES = json.loads(Path(__file__).with_name("facts.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['fact']}: {case['machine']}")
def test_parse(case: dict[str, object]) -> None:
    text = "\n".join(case["stdout"])  # type: ignore[arg-type]
    fact = FACTS[str(case["fact"])]
    if "error" in case:
        with pytest.raises(ValueError, match=str(case["error"])):
            fact.parse(text)
    else:
        assert fact.parse(text) == case["value"]


class Scripted(LocalTransport):
    def __init__(self, answer: Completed | Exception) -> None:
        super().__init__()
        self.answer = answer

    def run(self, argv: Sequence[str], **_: object) -> Completed:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Completed((), 1, "", "cat: nothing there"), "nothing there"),
        (Completed((), 127, "", ""), "exit code 127"),
        (TimeoutError("did not end within 10 s"), "did not end"),
    ],
)
def test_unreadable_facts_say_why(answer: Completed | Exception, why: str) -> None:
    found = read_facts(Scripted(answer))
    assert set(vars(found)) == set(FACTS)
    assert all(why in value.why for value in vars(found).values())


def test_this_machine() -> None:
    found = read_facts(LocalTransport())
    assert found.cores >= 1
    assert found.memory_kib > 100_000
    assert found.kernel.startswith("Linux")


def test_settings_of_programs_are_no_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = LocalTransport()
    for name in ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT"):  # nproc obeys them
        monkeypatch.delenv(name, raising=False)
    cores = read_fact(machine, "cores")
    monkeypatch.setenv("OMP_NUM_THREADS", "9999")
    assert read_fact(machine, "cores") == cores
    monkeypatch.setenv("OMP_THREAD_LIMIT", "1")
    assert read_fact(machine, "cores") == cores
