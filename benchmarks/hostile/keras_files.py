"""Keras files written by hand: every container of both generations, around any configuration."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SIZE = 4
CONTAINERS = ("keras-3.keras", "keras-2.keras", "early-2.keras", "keras-2.h5", "keras-3.h5", "keras-2-saved")
Json = dict[str, Any]


def data(path: str = "data.npz") -> str:
    """Write rows of four numbers with three classes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, SIZE)).astype(np.float32)
    y = x[:, :3].argmax(1)
    np.savez(path, x_train=x[:90], y_train=y[:90], x_test=x[90:], y_test=y[90:])
    return path


def kind(name: str) -> tuple[int, bool]:
    """Return a container's generation, and whether objects in it name their modules."""
    return (3 if "-3" in name else 2), name in ("keras-3.keras", "keras-2.keras")


def obj(class_name: str, container: str, module: str | None = "keras.layers", **config: Any) -> Json:
    """Return an object as the container writes it."""
    _, modules = kind(container)
    more = {"module": module, "registered_name": None} if modules else {}
    return {"class_name": class_name, "config": config, **more}


def entry(container: str, shape: tuple[int | None, ...] = (SIZE,), name: str = "in") -> Json:
    """Return an input layer."""
    generation, _ = kind(container)
    key = "batch_shape" if generation == 3 else "batch_input_shape"
    return obj("InputLayer", container, name=name, dtype="float32", **{key: [None, *shape]}) | {
        "name": name,
        "inbound_nodes": [],
    }


def reference(container: str, layer: str, index: int = 0, shape: tuple[int | None, ...] = (SIZE,)) -> Any:
    """Return the output of a call, as an argument of another."""
    if kind(container)[0] == 2:
        return [layer, index, 0, {}]
    return {
        "class_name": "__keras_tensor__",
        "config": {"shape": [None, *shape], "dtype": "float32", "keras_history": [layer, index, 0]},
    }


def call(container: str, *inputs: Any) -> Any:
    """Return one call of a layer, with outputs of others."""
    if kind(container)[0] == 2:
        return [list(inputs)]
    return [{"args": [inputs[0] if len(inputs) == 1 else list(inputs)], "kwargs": {}}]


def layer(container: str, class_name: str, name: str, inputs: Any, module: str = "keras.layers", **config: Any) -> Json:
    """Return a layer that is called on the outputs of others."""
    made = obj(class_name, container, module, name=name, **config)
    return made | {"name": name, "inbound_nodes": inputs}


def dense(container: str, name: str, source: str, units: int = SIZE, **config: Any) -> Json:
    """Return a dense layer behind another layer."""
    options = {"units": units, "activation": "linear", "use_bias": True} | config
    return layer(container, "Dense", name, call(container, reference(container, source)), **options)


def functional(
    container: str, layers: list[Json], last: str, first: str = "in", name: str = "m", index: int = 0
) -> Json:
    """Return a functional model; `index` is the number of the call that gives its output."""
    generation, _ = kind(container)
    module = "keras.src.models.functional" if generation == 3 else "keras.src.engine.functional"
    ends = {"input_layers": [[first, 0, 0]], "output_layers": [[last, index, 0]]}
    return obj("Functional", container, module, name=name, layers=layers, **ends)


def sequential(container: str, *layers: Json, name: str = "m") -> Json:
    """Return a sequential model."""
    return obj("Sequential", container, "keras", name=name, layers=[entry(container), *layers])


def simple(container: str, **options: Any) -> Json:
    """Return a model that works: two dense layers."""
    first = dense(container, "first", "in", **options)
    return functional(container, [entry(container), first, dense(container, "last", "first", 3)], "last")


def weights(container: str, sizes: tuple[int, ...] = (SIZE, 3)) -> bytes:
    """Return HDF5 with the weights of `simple`."""
    import h5py

    buffer, before = io.BytesIO(), SIZE
    with h5py.File(buffer, "w") as file:
        for number, units in enumerate(sizes):
            place = "dense" if number == 0 else f"dense_{number}"
            root = "_layer_checkpoint_dependencies" if container == "early-2.keras" else "layers"
            group = file.create_group(f"{root}/{place}/vars")
            group["0"], group["1"] = np.ones((before, units), np.float32), np.zeros(units, np.float32)
            before = units
        for place in ("layers/input_layer/vars", "vars"):
            file.create_group(place)
    return buffer.getvalue()


def write(
    container: str, config: Any, *, stored: bytes | None = None, edit: Callable[[Any], None] | None = None
) -> str:
    """Write a model into the current folder, and return its name.

    Args:
        container: one of `CONTAINERS`.
        config: of the model; text is written as it is.
        stored: other bytes than `weights`, of a `.keras` file.
        edit: gets the open HDF5 file of an `.h5`.
    """
    text = config if isinstance(config, str) else json.dumps(config)
    if container.endswith("-saved"):
        return _saved_model(container, text)
    if container.endswith(".h5"):
        _hdf5(container, text, edit)
        return container
    version = {"keras-3.keras": "3.15.1", "keras-2.keras": "2.15.0", "early-2.keras": "2.13.1"}[container]
    with zipfile.ZipFile(container, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": version, "date_saved": "2026-11-29"}))
        archive.writestr("config.json", text)
        archive.writestr("model.weights.h5", weights(container) if stored is None else stored)
    return container


def _hdf5(path: str, text: str, edit: Callable[[Any], None] | None) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "3.15.1" if "-3" in path else "2.15.0"
        file.attrs["backend"] = "tensorflow"
        file.attrs["model_config"] = text
        group = file.create_group("model_weights")
        names, before = ["in", "first", "last"], SIZE
        group.attrs["layer_names"] = [name.encode() for name in names]
        for name, units in (("in", 0), ("first", SIZE), ("last", 3)):
            inner = group.create_group(name)
            kernel, bias = f"{name}/kernel:0", f"{name}/bias:0"
            inner.attrs["weight_names"] = [kernel.encode(), bias.encode()] if units else np.zeros(0, "S1")
            if units:
                inner[kernel], inner[bias] = np.ones((before, units), np.float32), np.zeros(units, np.float32)
                before = units
        if edit:
            edit(file)


def _saved_model(path: str, text: str) -> str:
    """Write a graph that adds one, with Keras's description of another model beside it."""
    from tf_keras.protobuf import saved_metadata_pb2

    graph(path, lambda tf, x: x[:, :3] + 1.0)
    try:
        described = json.loads(text)
    except (ValueError, RecursionError):
        described = None
    metadata = {"class_name": "Functional", "keras_version": "2.15.0", "model_config": described}
    nodes = saved_metadata_pb2.SavedMetadata()
    content = (
        json.dumps(metadata) if described is not None else f'{{"keras_version": "2.15.0", "model_config": {text}}}'
    )
    nodes.nodes.add(node_id=0, node_path="root", identifier="_tf_keras_network", metadata=content)
    Path(path, "keras_metadata.pb").write_bytes(nodes.SerializeToString())
    return path


def graph(path: str, compute: Callable[[Any, Any], Any]) -> str:
    """Save a function of TensorFlow and a batch of rows as a SavedModel."""
    from edgekit.frameworks.tensorflow import quiet, tensorflow

    tf = tensorflow()

    class Module(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.weight = tf.Variable(tf.ones([SIZE, 3]))

        @tf.function(input_signature=[tf.TensorSpec([None, SIZE], name="x")], autograph=False)  # type: ignore[untyped-decorator]
        def serve(self, x: Any) -> Any:
            return {"y": compute(tf, x) + tf.reduce_sum(self.weight) * 0.0}

    module = Module()
    with quiet():
        tf.saved_model.save(module, path, signatures={"serving_default": module.serve})
    return path
