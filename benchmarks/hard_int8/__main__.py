"""Models that int8 hurts: float, int8 by TensorFlow alone, by edgekit, and by `edgekit compress --max-drop 0.5`.

    EDGEKIT_DATA=folder-with-mnist-and-cifar10 python -m benchmarks.hard_int8 WORK [--only softplus,mish | --only all]
        [--checkout ../other-edgekit] [--out benchmarks/hard_int8/results.json]

Every model is built and trained by the code here and saved in WORK; what stands in the results is not done again.
TensorFlow alone is `TFLiteConverter` with edgekit's calibration samples. Scores, with 95 % intervals, are of the files,
on 1,000 or 2,000 test samples that nothing else looks at, by the loop in here. OUT.json, by default in WORK, is written
after every file; the table is printed, and written beside it as `.txt`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from edgekit.files.whole import write_json

from .models import HARD, TEN, trained
from .running import CHECKOUT, Result, Test, by_edgekit, by_tensorflow, by_tensorflow_apart
from .table import show

LIMIT = 0.5


def main(
    work: Annotated[Path, typer.Argument(metavar="WORK")],
    only: Annotated[str, typer.Option(help="Names, with commas between them; `all`; else the ten of the target.")] = "",
    out: Annotated[Path | None, typer.Option(metavar="OUT.json", help="Else WORK/results.json.")] = None,
    checkout: Annotated[Path, typer.Option(help="Of the edgekit that is measured.")] = CHECKOUT,
    tensorflow: Annotated[str, typer.Option(hidden=True, help="Measure TensorFlow's file, in this process.")] = "",
) -> None:
    """Fill the table."""
    work = work.resolve()
    if tensorflow:
        write_json(work / tensorflow / "tensorflow.json", by_tensorflow(tensorflow, work / tensorflow))
        return
    out = out or work / "results.json"
    work.mkdir(parents=True, exist_ok=True)
    results: dict[str, Result] = json.loads(out.read_text()) if out.exists() else {}
    names = list(HARD) if only == "all" else only.split(",") if only else list(TEN)
    for name in names:
        folder, row = work / name, results.setdefault(name, {})
        model = trained(name, folder)
        test = Test(model, folder)
        row["parameters"], row["float"] = model.count_params(), test.float_score()
        measures: dict[str, Callable[[], Result]] = {
            "tensorflow": lambda name=name: by_tensorflow_apart(name, work),
            "int8": lambda name=name, test=test: by_edgekit(checkout, name, work / name, test),
            "max_drop": lambda name=name, test=test: by_edgekit(checkout, name, work / name, test, LIMIT),
        }
        for label, measure in measures.items():
            if label not in row:
                try:
                    row[label] = measure()
                except Exception as error:  # whatever a converter raises is what the row says
                    row[label] = {"error": f"{type(error).__name__}: {error}"[:300]}
                write_json(out, results)
        print(f"{name}: done", flush=True)
    text = show({name: results[name] for name in HARD if name in results})
    out.with_suffix(".txt").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    typer.run(main)
