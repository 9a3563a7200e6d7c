"""A folder of many small PNG files that a small CNN can learn, the same every time.

    python benchmarks/image_folder.py OUT [--count 50000] [--sides 32] [--test-share 0.2]

writes OUT/{train,test}/stripes-ANGLE/NUMBER.png: ten classes of coloured stripes, each at an angle of its own, with
random phase, width, colours and noise. With several --sides (24,32,48) the images have different sizes.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer

CLASSES = 10
Pixels = npt.NDArray[np.uint8]


def stripes(label: int, number: int, side: int) -> Pixels:
    """Return image `number` of a class, uint8, shape (side, side, 3): always the same for the same arguments."""
    rng = np.random.default_rng((label, number))
    angle = np.pi * label / CLASSES + rng.normal(0, 0.08)
    rows, columns = np.indices((side, side)) / side
    waves = rng.uniform(3, 5) * (rows * np.sin(angle) + columns * np.cos(angle)) + rng.random()
    mix = (0.5 + 0.5 * np.sin(2 * np.pi * waves))[..., np.newaxis]
    dark, light = rng.uniform(0, 90, 3), rng.uniform(150, 255, 3)
    image = dark * (1 - mix) + light * mix + rng.normal(0, 40, (side, side, 3))
    return image.clip(0, 255).astype(np.uint8)


def write(out: Path, count: int, sides: list[int], test_share: float) -> int:
    """Write the files and return their bytes in all."""
    from PIL import Image

    every = max(2, round(1 / test_share))
    total = 0
    for label in range(CLASSES):
        for part in ("train", "test"):
            (out / part / f"stripes-{18 * label:03}").mkdir(parents=True)
    for index in range(count):
        label, number = index % CLASSES, index // CLASSES
        part = "test" if number % every == every - 1 else "train"
        path = out / part / f"stripes-{18 * label:03}" / f"{number:06}.png"
        Image.fromarray(stripes(label, number, sides[number % len(sides)])).save(path, compress_level=1)
        total += path.stat().st_size
    return total


def main(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to make.")],
    count: Annotated[int, typer.Option(min=CLASSES, help="Files in all.")] = 50_000,
    sides: Annotated[str, typer.Option(help="Pixels a side; several with commas between them.")] = "32",
    test_share: Annotated[float, typer.Option(min=0.01, max=0.5, help="Of the files.")] = 0.2,
) -> None:
    if out.exists():
        sys.exit(f"{out}: exists already")
    started = time.perf_counter()
    total = write(out, count, [int(side) for side in sides.split(",")], test_share)
    print(f"{out}: {count:,} files, {total / 2**20:.1f} MiB, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    typer.run(main)
