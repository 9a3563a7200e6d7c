"""One int8 file judged on validation samples: its drop against the limit, and its entry in the ledger."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from edgekit.bundle.ledger import Entry
from edgekit.pipeline.meter import FileMeter
from edgekit.tasks.drop import Drop


@dataclass(frozen=True)
class Trial:
    """A file, judged.

    Attributes:
        step: what was done last, such as `ranges`.
        how: the same for the manifest, half a sentence; empty for the file as it is made by default.
        raw: the file as `Ways` make it.
        path: of the file as it ships.
        drop: what it lost.
        reverted: names of the operators that compute in float.
    """

    step: str
    how: str
    raw: bytes
    path: Path
    drop: Drop
    reverted: tuple[str, ...] = ()

    @property
    def lost(self) -> float:
        """The drop's value, by which files are ranked."""
        return self.drop.interval.value


class Judge:
    """Runs files, each once, and compares what they lost with the limit."""

    def __init__(self, meter: FileMeter, limit: float, suffix: str, folder: Path) -> None:
        """Prepare.

        Args:
            meter: that runs files.
            limit: of the drop, in its unit.
            suffix: of the files, such as `.tflite`.
            folder: for the files, temporary.
        """
        self._meter, self.limit, self._suffix, self._folder = meter, limit, suffix, folder
        self._drops: dict[str, Drop] = {}
        self._baseline: Path | None = None

    def trial(self, step: str, how: str, raw: bytes, shipped: bytes, reverted: tuple[str, ...] = ()) -> Trial:
        """Run a file; one that was run before is not run again.

        Args:
            step: what was done last.
            how: the same for the manifest, half a sentence.
            raw: the file as `Ways` make it.
            shipped: the file to run.
            reverted: names of the operators that compute in float.

        Raises:
            RunnerError: the runtime cannot run it.
        """
        key = hashlib.sha256(shipped).hexdigest()
        path = self._folder / f"{key[:16]}{self._suffix}"
        if key not in self._drops:
            path.write_bytes(shipped)
            self._drops[key] = self._meter.drop(self._meter.outputs(path))
        return Trial(step, how, raw, path, self._drops[key], reverted)

    def passes(self, trial: Trial) -> bool:
        """Return whether a file lost no more than is allowed."""
        return trial.drop.within(self.limit)

    def entry(self, trial: Trial, seconds: float) -> Entry:
        """Measure a file for the ledger; the latency of the first one is what that of others is compared with."""
        baseline = self._baseline
        self._baseline = baseline or trial.path
        return self._meter.entry(
            trial.step, "int8", trial.path, seconds, baseline, limited=True, reverted=trial.reverted
        )
