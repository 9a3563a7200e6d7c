"""SavedModels and models that are run as a whole: loading, exporting, refusing."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.bundle.recipe import load_recipe
from edgekit.errors import ConversionError, InputError
from edgekit.export.exporter import export
from edgekit.frameworks.tensorflow import keras3, quiet, tensorflow, tf_keras
from edgekit.models.files.gate.graph_operations import unsafe_operations
from edgekit.models.files.loader import LoadedModel, load_model
from edgekit.models.files.plain import PlainModel, plain_of_keras
from edgekit.models.files.saved_model import SavedModel, read_saved_model
from edgekit.progress import SILENT, Silent
from tests.support.raised import raised

pytestmark = pytest.mark.tensorflow

SHAPE = (6, 6, 2)
X = np.random.default_rng(3).random((5, *SHAPE)).astype(np.float32)


def load(path: Path, **options: Any) -> LoadedModel:
    return load_model(path, progress=Silent(), **options)


def refusal(path: Path, **options: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        load(path, **options)
    assert path.name in caught.value.message
    return caught.value


def network(keras: Any, *more: Any) -> Any:
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input(SHAPE), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU(), *more, layers.Flatten()]
    )
    model.add(layers.Dense(3, activation="softmax"))
    rng = np.random.default_rng(5)
    model.set_weights([rng.uniform(0.2, 1, values.shape).astype(values.dtype) for values in model.get_weights()])
    return model


def graph(path: Path, function: Callable[[Any], Any], shape: Any = (None, 4), dtype: str = "float32") -> Path:
    """Save a SavedModel with one signature, without Keras."""
    tf = tensorflow()
    module = tf.Module()
    module.scale = tf.Variable([[2.0, -1.0]] * 4)
    module.serve = tf.function(
        lambda x: function((x, module.scale)), input_signature=[tf.TensorSpec(shape, dtype, "x")]
    )
    with quiet():
        tf.saved_model.save(module, str(path), signatures={"serving_default": module.serve})
    return path


def write_back(saved: SavedModel) -> None:
    """Write a graph that was changed."""
    from tensorflow.core.protobuf import saved_model_pb2

    whole = saved_model_pb2.SavedModel(meta_graphs=[saved.meta_graph])
    (saved.path / "saved_model.pb").write_bytes(whole.SerializeToString())


def product(given: Any) -> dict[str, Any]:
    return {"y": tensorflow().nn.softmax(given[0] @ given[1])}


def test_a_saved_model_of_keras_2_is_a_keras_model(tmp_path: Path) -> None:
    source = network(tf_keras())
    source.save(str(tmp_path / "m"), save_format="tf")
    loaded = load(tmp_path / "m")
    assert isinstance(loaded.model, tf_keras().Sequential)
    assert loaded.trainable
    assert (loaded.origin.generation, loaded.origin.keras_version) == (2, tf_keras().__version__)
    np.testing.assert_array_equal(loaded.model.predict(X, verbose=0), source.predict(X, verbose=0))


def test_keras_3_exports_a_plain_one(tmp_path: Path) -> None:
    source = network(keras3())
    source.export(str(tmp_path / "m"), verbose=False)
    loaded = load(tmp_path / "m")
    assert loaded.untrainable == "a SavedModel without Keras's description gets post-training schemes only"
    assert (loaded.origin.generation, loaded.origin.notes) == (None, (loaded.untrainable,))
    model = loaded.model
    assert isinstance(model, PlainModel)
    assert [tuple(spec.shape) for spec in (*model.inputs, *model.outputs)] == [(None, *SHAPE), (None, 3)]
    assert model.count_params() == source.count_params()
    np.testing.assert_allclose(model.predict(X, batch_size=2), source.predict(X, verbose=0), atol=1e-6)
    with raised("source-not-trainable"):
        model(X, training=True)


def test_the_digest_covers_every_file(tmp_path: Path) -> None:
    path = graph(tmp_path / "m", product)
    before = load(path).origin.sha256
    (path / "assets").mkdir(exist_ok=True)
    (path / "assets" / "words.txt").write_text("a")
    assert load(path).origin.sha256 != before


@pytest.mark.parametrize("kind", ["savedmodel", "keras 3"])
def test_every_post_training_scheme(kind: str, tmp_path: Path) -> None:
    source = network(keras3())
    if kind == "savedmodel":
        source.export(str(tmp_path / "m"), verbose=False)
        model = load(tmp_path / "m").model
    else:
        model = plain_of_keras(source, "m")
    folder = tmp_path / "out"
    folder.mkdir()
    made = export(model, load_recipe("all-schemes"), X, folder, "m", SILENT)
    from ai_edge_litert.interpreter import Interpreter

    wanted = source.predict(X[:1], verbose=0)
    assert {item.scheme for item in made if item.format == "tflite"} >= {"float32", "float16", "dynamic", "int8"}
    for item in made:
        if item.format == "tflite":
            interpreter = Interpreter(str(item.path))
            interpreter.allocate_tensors()
            given, answer = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
            assert given["shape"].tolist() == [1, *SHAPE]
            if item.scheme in ("float32", "float16"):
                interpreter.set_tensor(given["index"], X[:1])
                interpreter.invoke()
                np.testing.assert_allclose(interpreter.get_tensor(answer["index"]), wanted, atol=2e-3)
        elif item.format == "onnx" and item.scheme == "float32":
            import onnxruntime

            session = onnxruntime.InferenceSession(str(item.path), providers=["CPUExecutionProvider"])
            found = session.run(None, {session.get_inputs()[0].name: X[:1]})[0]
            np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert {(item.format, item.scheme) for item in made} >= {
        ("onnx", "float32"),
        ("onnx", "int8"),
        ("tflite", "int16x8"),
    }


def test_a_table_in_the_graph_runs_and_its_export_is_explained(tmp_path: Path) -> None:
    tf = tensorflow()
    module = tf.Module()
    keys = tf.lookup.KeyValueTensorInitializer(tf.constant([0, 1], tf.int64), tf.constant([5.0, 7.0]))
    module.table = tf.lookup.StaticHashTable(keys, -1.0)
    module.serve = tf.function(
        lambda x: module.table.lookup(tf.cast(x, tf.int64)), input_signature=[tf.TensorSpec((None, 2), tf.float32)]
    )
    with quiet():
        tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.serve)
    model = load(tmp_path / "m").model
    np.testing.assert_array_equal(model.predict(np.asarray([[0, 1], [1, 9]], np.float32)), [[5, 7], [7, -1]])
    with pytest.raises(ConversionError, match="TFLite float32"):
        export(model, load_recipe("float32"), X, tmp_path, "m", SILENT)


@pytest.mark.parametrize("operation", ["ReadFile", "WriteFile", "PyFunc", "MatchingFiles", "PrintV2"])
def test_graphs_that_reach_out_do_not_run(operation: str, tmp_path: Path) -> None:
    tf = tensorflow()
    witness = tmp_path / "witness"

    def hostile(given: Any) -> dict[str, Any]:
        if operation == "ReadFile":
            text = tf.io.read_file(str(witness))
        elif operation == "WriteFile":
            tf.io.write_file(str(witness), "written")
            text = tf.constant("")
        elif operation == "MatchingFiles":
            text = tf.strings.reduce_join(tf.io.matching_files(str(tmp_path / "*")))
        elif operation == "PyFunc":
            text = tf.numpy_function(lambda: b"", [], tf.string)
        else:
            tf.print("hello", output_stream=f"file://{witness}")
            text = tf.constant("")
        return {"y": given[0] @ given[1] + tf.cast(tf.strings.length(text), tf.float32)}

    path = graph(tmp_path / "m", hostile)
    witness.unlink(missing_ok=True)
    error = refusal(path)
    assert operation in error.message
    assert "--allow-unsafe" in error.hint
    assert not witness.exists()
    if operation == "WriteFile":
        assert load(path, allow_unsafe=True).model.count_params() == 8
        assert witness.read_text() == "written"


def test_a_saver_may_save_but_a_signature_may_not(tmp_path: Path) -> None:
    path = graph(tmp_path / "m", product)
    meta_graph = read_saved_model(path).meta_graph
    library = {function.signature.name: function for function in meta_graph.graph_def.library.function}
    savers = [name for name, function in library.items() if any(node.op == "SaveV2" for node in function.node_def)]
    assert len(savers) == 1
    assert unsafe_operations(meta_graph) == []
    meta_graph.object_graph_def.concrete_functions[savers[0]].SetInParent()
    assert "SaveV2" in unsafe_operations(meta_graph)
    del meta_graph.object_graph_def.concrete_functions[savers[0]]
    next(node for node in library[savers[0]].node_def if node.op == "SaveV2").op = "NoOp"
    library[savers[0]].attr["api_implements"].s = b"anything"
    assert "MergeV2Checkpoints" in unsafe_operations(meta_graph)


def test_unknown_operations_are_refused(tmp_path: Path) -> None:
    path = graph(tmp_path / "m", product)
    content = (path / "saved_model.pb").read_bytes()
    (path / "saved_model.pb").write_bytes(content.replace(b"Softmax", b"Sotfmax"))
    assert "Sotfmax" in refusal(path).message


def test_damaged_folders(tmp_path: Path) -> None:
    assert refusal(tmp_path / "missing").code == "file-missing"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert refusal(empty).code == "not-a-file"
    (empty / "saved_model.pb").write_bytes(b"")
    assert refusal(empty).code == "file-damaged"
    (empty / "saved_model.pb").write_bytes(b"\xff" * 100)
    assert "`saved_model.pb` is damaged" in refusal(empty).message
    path = graph(tmp_path / "m", product)
    whole = (path / "saved_model.pb").read_bytes()
    (path / "saved_model.pb").write_bytes(whole[: len(whole) // 2])
    assert "`saved_model.pb` is damaged" in refusal(path).message
    (path / "saved_model.pb").write_bytes(whole)
    (path / "variables" / "variables.index").unlink()
    assert refusal(path).code == "keras-cannot-load"


def test_a_graph_of_tensorflow_1(tmp_path: Path) -> None:
    path = graph(tmp_path / "m", product)
    saved = read_saved_model(path)
    saved.meta_graph.ClearField("object_graph_def")
    write_back(saved)
    assert refusal(path).code == "saved-model-unsupported"


def test_assets_outside_the_folder(tmp_path: Path) -> None:
    path = graph(tmp_path / "m", product)
    saved = read_saved_model(path)
    saved.meta_graph.asset_file_def.add().filename = "../../etc/passwd"
    write_back(saved)
    error = refusal(path)
    assert error.code == "file-suspicious" and "../../etc/passwd" in error.message


def test_what_keras_wrote_is_damaged_or_unknown(tmp_path: Path) -> None:
    path = tmp_path / "m"
    network(tf_keras()).save(str(path), save_format="tf")
    metadata = (path / "keras_metadata.pb").read_bytes()
    (path / "keras_metadata.pb").write_bytes(b"\xff" * 50)
    assert "`keras_metadata.pb` is damaged" in refusal(path).message
    (path / "keras_metadata.pb").write_bytes(metadata.replace(b'"class_name": "ReLU"', b'"class_name": "RelU"'))
    loaded = load(path)
    assert isinstance(loaded.model, PlainModel)
    assert "what Keras wrote cannot be used" in loaded.untrainable
    assert "RelU" in loaded.untrainable


def test_a_saved_lambda_is_run_as_a_graph_not_as_code(tmp_path: Path) -> None:
    source = network(tf_keras(), tf_keras().layers.Lambda(lambda x: x * 2, name="twice"))
    source.save(str(tmp_path / "m"), save_format="tf")
    loaded = load(tmp_path / "m")
    assert isinstance(loaded.model, PlainModel)
    assert "twice" in loaded.untrainable
    np.testing.assert_allclose(loaded.model.predict(X), source.predict(X, verbose=0), atol=1e-6)


def test_signatures(tmp_path: Path) -> None:
    tf = tensorflow()
    module = tf.Module()
    module.a = tf.function(lambda x: {"a": x + 1.0}, input_signature=[tf.TensorSpec((None, 2), tf.float32)])
    module.b = tf.function(lambda x: {"b": x - 1.0}, input_signature=[tf.TensorSpec((None, 2), tf.float32)])
    for name, signatures in (("none", {}), ("two", {"a": module.a, "b": module.b}), ("one", {"b": module.b})):
        with quiet():
            tf.saved_model.save(module, str(tmp_path / name), signatures=signatures)
    assert refusal(tmp_path / "none").code == "saved-model-unsupported"
    error = refusal(tmp_path / "two")
    assert "has the signatures a, b, and none is called `serving_default`" in error.message
    assert "tf.saved_model.save" in error.hint
    model = load(tmp_path / "one").model
    assert model.output_names == ["b"]
    np.testing.assert_array_equal(model.predict(np.ones((3, 2))), np.zeros((3, 2)))


def test_inputs_and_outputs_are_ordered_by_name(tmp_path: Path) -> None:
    tf = tensorflow()
    module = tf.Module()
    names = [f"in_{index}" for index in range(12)]
    specs = [tf.TensorSpec((None, index + 1), tf.float32, name=name) for index, name in enumerate(names)]
    module.serve = tf.function(
        lambda *x: {f"out_{i}": part for i, part in enumerate(x)}, input_signature=specs[::-1], autograph=False
    )
    with quiet():
        tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.serve)
    model = load(tmp_path / "m").model
    assert model.input_names == names
    assert model.output_names == [f"out_{index}" for index in range(12)]
    assert [spec.shape[1] for spec in model.inputs] == list(range(1, 13))
    assert [spec.shape[1] for spec in model.outputs] == list(range(12, 0, -1))


@pytest.mark.parametrize(
    ("shape", "dtype", "named"),
    [
        ((8, 4), "float32", "(8, 4)"),
        (None, "float32", "unknown"),
        ((None, 4), "string", "`string`"),
    ],
)
def test_inputs_that_have_no_int8_form(shape: Any, dtype: str, named: str, tmp_path: Path) -> None:
    def first(given: Any) -> dict[str, Any]:
        return {"y": tensorflow().identity(given[0])}

    error = refusal(graph(tmp_path / "m", first, shape, dtype))
    assert error.code == "input-unsupported"
    assert "input `x`" in error.message and named in error.message
    assert error.hint


def test_a_fixed_batch_of_one_and_another_dtype(tmp_path: Path) -> None:
    def first(given: Any) -> dict[str, Any]:
        return {"y": tensorflow().cast(given[0], "float32") @ given[1]}

    model = load(graph(tmp_path / "m", first, (1, 4), "uint8")).model
    x = np.arange(12).reshape(3, 4).astype(np.float32)
    np.testing.assert_array_equal(model.predict(x), x @ np.asarray([[2.0, -1.0]] * 4))
    assert tuple(model.outputs[0].shape) == (1, 2)


def test_a_graph_that_fails_is_explained(tmp_path: Path) -> None:
    def fails(given: Any) -> dict[str, Any]:
        tf = tensorflow()
        with tf.control_dependencies([tf.debugging.assert_greater(given[0], 1.0, message="too small")]):
            return {"y": given[0] @ given[1]}

    assert refusal(graph(tmp_path / "m", fails)).code == "model-fails"


def test_subclassed_models_run_as_a_whole(tmp_path: Path) -> None:
    keras = keras3()

    @keras.saving.register_keras_serializable(package="edgekit_plain")
    class Whole(keras.Model):  # type: ignore[name-defined,misc]
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.dense = keras.layers.Dense(3)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    source = Whole()
    x = np.random.default_rng(1).random((4, 5)).astype(np.float32)
    wanted = source(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source.save(str(tmp_path / "m.keras"))
    loaded = load(tmp_path / "m.keras")
    assert loaded.untrainable == "a subclassed model (Whole) gets post-training schemes only"
    np.testing.assert_allclose(loaded.model.predict(x), wanted, atol=1e-6)
    assert tuple(loaded.model.outputs[0].shape) == (None, 3)


def test_several_inputs_given_by_name(tmp_path: Path) -> None:
    keras = keras3()
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    inputs = {"b": b, "a": a}
    out = keras.layers.Dense(1)(keras.layers.RMSNormalization()(keras.layers.Subtract()([a, b])))
    source = keras.Model(inputs, {"difference": out, "again": out * 2.0})
    source.save(str(tmp_path / "m.keras"))
    loaded = load(tmp_path / "m.keras")
    assert not loaded.trainable
    x = {"a": np.ones((2, 2), np.float32), "b": np.zeros((2, 2), np.float32)}
    found = loaded.model.predict([x[name] for name in loaded.model.input_names])
    wanted = source.predict(x, verbose=0)
    np.testing.assert_allclose(found, [wanted["again"], wanted["difference"]], atol=1e-6)
