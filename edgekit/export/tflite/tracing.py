"""The tensors inside of a `.tflite` file while it runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np

from edgekit.formats.tflite.builder import rebuilt
from edgekit.formats.types import TfliteModel
from edgekit.measuring.loaded import load_tflite
from edgekit.tasks.samples import Array


def traced(model: TfliteModel, wanted: Sequence[int], samples: Sequence[Array]) -> Iterator[list[Array]]:
    """Run a file over samples, one after the other, and yield tensors as they are stored.

    Every wanted tensor becomes an output, so that each has a buffer of its own; XNNPACK may run the file.

    Args:
        model: a `ModelT` with a batch of one; its outputs and signatures change.
        wanted: tensors that operators of the main graph compute.
        samples: one array an input, (n, ...), in the order of the file, in real units.

    Raises:
        RuntimeError, ValueError: the interpreter refuses the file or the samples.
    """
    shown = sorted(set(wanted))
    model.subgraphs[0].outputs = np.array(shown, np.int32)
    model.signatureDefs = []
    places = [shown.index(tensor) for tensor in wanted]
    for _, found in load_tflite(rebuilt(model), os.cpu_count() or 1).stored_rows(samples):
        yield [found[place] for place in places]
