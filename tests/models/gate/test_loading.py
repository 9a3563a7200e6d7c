"""Hostile Keras files through the loader: nothing runs, is written, deleted or read, and each ends in a sentence."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.hostile.case import Canary
from benchmarks.hostile.keras import operation
from benchmarks.hostile.keras_files import (
    CONTAINERS,
    call,
    dense,
    entry,
    functional,
    graph,
    kind,
    layer,
    reference,
    simple,
    write,
)
from edgekit.errors import InputError
from edgekit.models.files import plain
from edgekit.models.files.loader import LoadedModel, load_model
from edgekit.progress import Silent

pytestmark = pytest.mark.tensorflow

FILES = tuple(name for name in CONTAINERS if not name.endswith("-saved"))


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Canary]:
    """Files that nothing may touch; the current folder is another one."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    watched = Canary(tmp_path / "canary")
    yield watched
    assert watched.touched() == []
    watched.close()


def load(path: str, **options: Any) -> LoadedModel:
    return load_model(Path(path), progress=Silent(), **options)


def refusal(path: str) -> str:
    with pytest.raises(InputError) as caught:
        load(path)
    return caught.value.message


def around(container: str, evil: Any) -> Any:
    return functional(container, [entry(container), evil, dense(container, "last", "evil", 3)], "last")


@pytest.mark.parametrize("container", CONTAINERS)
def test_files_with_nothing_wrong_are_loaded(canary: Canary, container: str) -> None:
    model = load(write(container, simple(container))).model
    assert model.inputs[0].shape[1] == 4


@pytest.mark.parametrize("container", [name for name in FILES if kind(name)[0] == 2])
@pytest.mark.parametrize(
    "symbol", ["compat.v1.gfile.DeleteRecursively", "io.write_file", "keras.models.model_from_json"]
)
def test_functions_are_not_called_with_constants(canary: Canary, container: str, symbol: str) -> None:
    evil = operation(container, symbol, str(canary.folder), contents="x")
    assert f"`tf.{symbol}` in layer `evil`" in refusal(write(container, around(container, evil)))


def test_a_savedmodel_whose_description_reaches_out_is_taken_as_a_graph(canary: Canary) -> None:
    container = "keras-2-saved"
    evil = operation(container, "compat.v1.gfile.DeleteRecursively", str(canary.folder))
    loaded = load(write(container, around(container, evil)))
    assert not loaded.trainable
    assert "DeleteRecursively" in loaded.untrainable


@pytest.mark.parametrize("container", FILES)
@pytest.mark.parametrize("place", ["layer", "activation", "initializer"])
def test_code_of_modules_is_not_imported(canary: Canary, container: str, place: str) -> None:
    Path("evil.py").write_text(f"import os\nos.system({canary.command!r})\nclass Evil: pass\ndef run(x): return x\n")
    function = {"class_name": "function", "module": "evil", "config": "run", "registered_name": "run"}
    evil = {
        "layer": layer(container, "Evil", "evil", call(container, reference(container, "in")), "evil"),
        "activation": dense(container, "evil", "in", activation=function),
        "initializer": dense(container, "evil", "in", kernel_initializer={**function, "class_name": "Evil"}),
    }[place]
    assert "not part of Keras" in refusal(write(container, around(container, evil)))


@pytest.mark.parametrize("container", FILES)
@pytest.mark.parametrize("kind_", ["StringLookup", "IntegerLookup", "TextVectorization", "TFSMLayer"])
def test_paths_in_options_are_not_read(canary: Canary, container: str, kind_: str) -> None:
    inputs = call(container, reference(container, "in"))
    evil = layer(container, kind_, "evil", inputs, vocabulary=str(canary.secret), filepath=str(canary.secret))
    assert "evil" in refusal(write(container, around(container, evil)))


@pytest.mark.parametrize("container", FILES)
@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"units": 10**9}, "wants more weights than"),
        ({"units": 10**7, "kernel_initializer": "orthogonal"}, "wants more weights than"),
        ({"units": 10**30}, "more than 64 bits"),
        ({"units": -1}, "cannot load it"),
    ],
)
def test_sizes_are_believed_as_far_as_bytes_are_there(
    canary: Canary, container: str, options: dict[str, Any], why: str
) -> None:
    assert why in refusal(write(container, around(container, dense(container, "evil", "in", **options))))


@pytest.mark.parametrize("container", FILES)
@pytest.mark.parametrize("loop", ["SimpleRNN", "UpSampling1D", "RepeatVector", "Flatten"])
def test_layers_that_would_fill_the_memory(canary: Canary, container: str, loop: str) -> None:
    shape = {"SimpleRNN": (10**6, 1), "UpSampling1D": (8, 1), "RepeatVector": (4,), "Flatten": (10**12,)}[loop]
    options: dict[str, Any] = {
        "SimpleRNN": {"units": 2, "unroll": True},
        "UpSampling1D": {"size": 10**8},
        "RepeatVector": {"n": 10**9},
        "Flatten": {},
    }[loop]
    made = layer(container, loop, "last", call(container, reference(container, "in", 0, shape)), **options)
    message = refusal(write(container, functional(container, [entry(container, shape), made], "last")))
    assert "the model is not built: layer `last`" in message


@pytest.mark.parametrize("container", [name for name in FILES if name.endswith(".keras")])
def test_weights_elsewhere(canary: Canary, container: str) -> None:
    import h5py

    with h5py.File("w.h5", "w") as file:
        file["layers/dense"] = h5py.ExternalLink(str(canary.secret), "/x")
    path = write(container, simple(container), stored=Path("w.h5").read_bytes())
    assert "`/layers/dense` is a link to" in refusal(path)


@pytest.mark.parametrize("container", ["keras-2.h5", "keras-3.h5"])
def test_weights_elsewhere_in_hdf5(canary: Canary, container: str) -> None:
    import h5py

    def edit(file: Any) -> None:
        del file["model_weights/first"]
        file["model_weights/first"] = h5py.ExternalLink(str(canary.secret), "/x")

    assert "`/model_weights/first` is a link to" in refusal(write(container, simple(container), edit=edit))


@pytest.mark.parametrize("container", FILES)
@pytest.mark.parametrize("text", ["9" * 5000, "[" * 5000 + "]" * 5000, '{"a":' * 900 + "1" + "}" * 900])
def test_text_that_is_no_sensible_json(canary: Canary, container: str, text: str) -> None:
    whole = f'{{"class_name": "Sequential", "config": {{"name": "m", "layers": {text}}}}}'
    assert refusal(write(container, whole))


def test_a_pipe_is_not_waited_for(canary: Canary) -> None:
    os.mkfifo("m.keras")
    assert "is not a regular file" in refusal("m.keras")


def test_what_else_lies_in_an_archive_is_not_looked_at(canary: Canary) -> None:
    """Assets, of which some layers read vocabularies."""
    path = write("keras-3.keras", simple("keras-3.keras"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("assets/../../../evil.txt", "x")
        archive.writestr("/etc/evil", "x")
    assert load(path).model.inputs
    assert sorted(item.name for item in Path().iterdir()) == [path]


def saved(name: str, change: Callable[[Any], None]) -> str:
    from tensorflow.core.protobuf import saved_model_pb2

    path = Path(graph(name, lambda tf, x: x[:, :3] + 1.5), "saved_model.pb")
    message = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for function in message.meta_graphs[0].graph_def.library.function:
        change(function)
    path.write_bytes(message.SerializeToString())
    return name


def test_constants_that_stand_for_more_than_they_are(canary: Canary) -> None:
    def change(function: Any) -> None:
        for node in function.node_def:
            if node.op == "Const" and node.attr["dtype"].type == 1:
                tensor = node.attr["value"].tensor
                del tensor.tensor_shape.dim[:]
                for size in (1 << 17, 1 << 17):
                    tensor.tensor_shape.dim.add(size=size)

    assert "MiB in memory, and its `saved_model.pb` has" in refusal(saved("model", change))


def test_tensors_that_fill_the_memory(canary: Canary) -> None:
    path = graph("model", lambda tf, x: x[:, :3] + tf.reduce_sum(tf.fill([1 << 17, 1 << 17], 0.0)) * 0.0)
    assert "makes a tensor of 65,536 MiB" in refusal(path)


def test_functions_that_call_themselves(canary: Canary) -> None:
    def change(function: Any) -> None:
        for node in function.node_def:
            if node.op == "StatefulPartitionedCall":
                node.attr["f"].func.name = function.signature.name

    assert "calls itself without end" in refusal(saved("model", change))


def test_loops_without_an_end(canary: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "FIRST_SECONDS", 0.5)
    path = graph(
        "model",
        lambda tf, x: tf.while_loop(lambda v: tf.reduce_sum(v * v) >= 0.0, lambda v: [v + 1.0], [x[:, :3]])[0],
    )
    assert "still running after 0.5 s" in refusal(path)


def test_operations_that_end_the_process(canary: Canary) -> None:
    def abort(tf: Any, x: Any) -> Any:
        with tf.control_dependencies([tf.raw_ops.Abort(error_msg="x")]):
            return tf.identity(x[:, :3])

    assert "Abort" in refusal(graph("model", abort))


@pytest.mark.parametrize("place", ["variables/variables.index", "assets/words", "keras_metadata.pb"])
def test_links_in_a_savedmodel(canary: Canary, place: str) -> None:
    path = Path(graph("model", lambda tf, x: x[:, :3] + 1.0), place)
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(canary.secret)
    assert f"`{place}` is a link to" in refusal("model")
