"""Your data for edgekit: edgekit compress model.keras --data data.py:load --recipe recipe.toml -o out.

`load` is called without arguments and returns one of:

- a dictionary with x_train, y_train, x_test, y_test. For a model with several inputs x_train is a dictionary itself,
  from input name to array; for several outputs y_train, too;
- a tuple (x_train, y_train, x_test, y_test), or ((x_train, y_train), (x_test, y_test)), or (x, y);
- a finite tf.data.Dataset, or a pair of them for training and test, whose elements are x or (x, y), batched or not:
  it is streamed to the disk, so it may be larger than the memory;
- one array: unlabelled samples.

Samples come first in every array, channels last. Labels of classes are integers from 0. Without y_train and y_test the
data are unlabelled; without x_test and y_test a fifth of the samples is kept for the test.

Return samples as they are stored, such as bytes from 0 to 255. How they become model inputs is said once, with --scale,
--mean and --std, because the same must happen on the device.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def load() -> dict[str, Any]:
    """Return 1,000 images of 28 by 28 pixels for training and 200 for the test: replace this by your own."""
    rng = np.random.default_rng(0)

    def part(count: int) -> tuple[Any, Any]:
        y = rng.integers(0, 10, count)
        x = rng.integers(0, 64, (count, 28, 28, 1))
        x[np.arange(count), 2 * y + 4] += 180  # class c has a bright line in row 2c + 4
        return x.astype(np.uint8), y

    x_train, y_train = part(1000)
    x_test, y_test = part(200)
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
