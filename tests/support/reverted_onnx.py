"""An int8 ONNX file with some of its operators in float again, beside the float one that it was made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.export.onnx.child import static_int8
from edgekit.export.onnx.counterparts import Counterparts, counterparts
from edgekit.export.onnx.qdq import Qdq
from edgekit.export.onnx.reverting import reverted
from edgekit.export.onnx.static import prepared
from edgekit.formats.fixed_batch import fixed_onnx
from tests.support.branched_onnx import branched, images


class Case:
    """A float graph and the int8 graph made of it."""

    def __init__(self, exact: Path, int8: Path, scratch: Path, *, ready: bool = True) -> None:
        import onnx

        self.model = onnx.load(int8)
        self.qdq = Qdq(self.model.graph)
        self.float = prepared(fixed_onnx(exact), scratch) if ready else fixed_onnx(exact)
        self.twin = counterparts(self.qdq, self.float.graph)

    def reverted(self, chosen: Sequence[int], *, float_weights: bool = True, twin: Counterparts | None = None) -> Any:
        """Return the model with some of the operators in float, counted from 0; checked."""
        from onnx import checker

        groups = [self.qdq.groups[place] for place in chosen]
        made = reverted(self.model, self.qdq, groups, twin or self.twin, float_weights=float_weights)
        checker.check_model(made, full_check=True)
        read = {name for n in made.graph.node for name in n.input}
        assert {tensor.name for tensor in made.graph.initializer} <= read
        for side in ("input", "output"):
            ends = [
                [(v.name, v.type.tensor_type.elem_type) for v in getattr(m.graph, side)] for m in (made, self.model)
            ]
            assert ends[0] == ends[1]
        return made

    def stored(self, x: Any) -> Any:
        """Return real inputs as integers."""
        how = self.qdq.step_of(0)
        assert how is not None
        return np.clip(np.round(x / np.float32(how.scale)) + how.zero_point, -128, 127).astype(np.int8)

    def real(self, stored: Any, number: int) -> Any:
        how = self.qdq.step_of(number)
        assert how is not None
        return (stored.astype(np.float32) - how.zero_point) * np.float32(how.scale)


def run_model(model: Any, feed: Mapping[str, Any], *, optimized: bool = False, saved: Path | None = None) -> Any:
    """Return the outputs for one sample; not optimized, QuantizeLinear and DequantizeLinear are taken by their word."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if saved is not None:
        options.optimized_model_filepath = str(saved)
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, dict(feed))


def branched_case(folder: Path) -> Case:
    """Return a branched network, of `tests.support.branched_onnx`, made int8 by edgekit."""
    path = branched(folder / "a.onnx")
    static_int8(path, folder / "q.onnx", {"image": images(40, 1)})
    return Case(path, folder / "q.onnx", folder)
