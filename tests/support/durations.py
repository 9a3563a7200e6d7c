"""A pytest plugin: which tests take long, published and never asserted.

`--durations-file=PATH` writes the slowest tests and the totals of every folder; without the equals sign, pytest takes
a path that exists for one of tests. Seconds are those of the clock, which other work on the machine lengthens, and
those of the processor, the finished child processes of a test included.
"""

from __future__ import annotations

import resource
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

import pytest

SLOWEST = 40


def processor_seconds() -> float:
    """Return the processor time of this process and of the children that it has waited for."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


class Marks:
    """In the process that runs tests: puts the processor seconds of a phase into its report."""

    def __init__(self) -> None:
        self.mark = 0.0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self) -> None:
        self.mark = processor_seconds()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        mark, self.mark = self.mark, processor_seconds()
        vars(report)["processor_seconds"] = self.mark - mark
        return report


class Table:
    """In the process that reports: adds the phases of a test, and writes the file in the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seconds: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        both = self.seconds[report.nodeid]
        both[0] += report.duration
        both[1] += getattr(report, "processor_seconds", 0.0)

    def pytest_sessionfinish(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(durations({test: (clock, cpu) for test, (clock, cpu) in self.seconds.items()}))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.write_line(f"durations: {self.path}")


def total(name: str, tests: list[tuple[float, float]]) -> tuple[str, float, float, int]:
    """Return a row of the sums of several tests."""
    return name, sum(clock for clock, _ in tests), sum(cpu for _, cpu in tests), len(tests)


def rows(title: str, lines: Iterable[tuple[str, float, float, int]]) -> Iterator[str]:
    """Yield a table of names with seconds and counts."""
    yield f"{'clock s':>9} {'cpu s':>9} {'tests':>6}  {title}"
    for name, clock, cpu, count in lines:
        yield f"{clock:9.1f} {cpu:9.1f} {count:6d}  {name}"


def durations(seconds: dict[str, tuple[float, float]]) -> str:
    """Return the text of the file.

    Args:
        seconds: by test, its seconds by the clock and of the processor.
    """
    by_folder: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for test, both in seconds.items():
        by_folder[str(Path(test.partition("::")[0]).parent)].append(both)
    totals = [total(folder, tests) for folder, tests in by_folder.items()]
    slowest = sorted(seconds, key=lambda test: -seconds[test][1])[:SLOWEST]
    lines = [
        *rows("folder", [total("all", [*seconds.values()]), *sorted(totals, key=lambda row: -row[2])]),
        "",
        *rows(f"the {len(slowest)} slowest tests", [(test, *seconds[test], 1) for test in slowest]),
    ]
    return "\n".join(lines) + "\n"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--durations-file", type=Path, help="write the slowest tests and the totals by folder")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Marks(), "processor-seconds")
    path = config.getoption("--durations-file")
    if path is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Table(path), "durations-table")
