"""What the doors to TensorFlow and Keras import, and what they spare; in processes of their own, as it happens once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.tensorflow, pytest.mark.processes]


def fresh(code: str, *args: object) -> Any:
    """Return the value of `found` after this code has run in a process of its own."""
    lines = f"import json, sys\nfrom edgekit.frameworks.tensorflow import *\n{code}\nprint(json.dumps(found))"
    done = subprocess.run([sys.executable, "-c", lines, *map(str, args)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_optimization_needs_no_keras_3_and_the_collector_passes_over_what_is_imported() -> None:
    found = fresh(
        "import gc\n"
        "tfmot()\n"
        "early = has_keras3()\n"
        "found = [early, gc.isenabled(), gc.get_freeze_count(), keras3().__version__, has_keras3()]"
    )
    assert found[:2] == [False, True]
    assert found[2] > 500_000
    assert found[3].startswith("3.")
    assert found[4] is True


def test_recurrent_layers_are_traced_for_this_machine_alone() -> None:
    from edgekit.frameworks.tensorflow import tensorflow, tf_keras

    tf = tensorflow()
    machine_has_gpu = bool(tf.config.list_physical_devices("GPU"))
    for kind in ("LSTM", "GRU"):
        layer = getattr(tf_keras().layers, kind)(2)
        traced = tf.function(layer).get_concrete_function(tf.TensorSpec((1, 3, 2)))
        names = [function.signature.name for function in traced.graph.as_graph_def().library.function]
        assert any(f"standard_{kind.lower()}" in name for name in names)
        assert any("gpu" in name for name in names) == machine_has_gpu


def test_a_model_of_keras_2_is_loaded_without_keras_3(tmp_path: Path) -> None:
    from edgekit.frameworks.tensorflow import tf_keras

    layers, path = tf_keras().layers, tmp_path / "m.keras"
    inputs = layers.Input((6, 6, 1))
    tf_keras().Model(inputs, layers.Dense(3, name="last")(layers.Flatten()(inputs))).save(path)
    found = fresh(
        "from pathlib import Path\n"
        "from edgekit.models.files.loader import load_model\n"
        "from edgekit.progress import SILENT\n"
        "model = load_model(Path(sys.argv[1]), progress=SILENT).model\n"
        "found = [[layer.name for layer in model.layers][-1], has_keras3()]",
        path,
    )
    assert found == ["last", False]
