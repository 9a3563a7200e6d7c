"""Files of both generations and both containers through `load_model`."""

from __future__ import annotations

import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import InputError
from edgekit.files.whole import sha256
from edgekit.frameworks.tensorflow import keras3, tf_keras
from edgekit.models.files.loader import LoadedModel, load_model
from edgekit.models.files.plain import PlainModel
from edgekit.progress import Silent
from tests.support.heard import Heard

pytestmark = pytest.mark.tensorflow

GENERATIONS = {2: tf_keras, 3: keras3}
SUFFIXES = (".keras", ".h5")
everywhere = pytest.mark.parametrize(
    ("generation", "suffix"), [(generation, suffix) for generation in GENERATIONS for suffix in SUFFIXES]
)


def saved(model: Any, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras advises against .h5 and Lambda
        model.save(str(path))
    return path


def load(path: Path, **options: Any) -> LoadedModel:
    return load_model(path, progress=Silent(), **options)


def refusal(path: Path, **options: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        load(path, **options)
    assert str(path) in str(caught.value)
    return caught.value


def random_weights(model: Any) -> Any:
    rng = np.random.default_rng(5)
    model.set_weights([rng.random(values.shape).astype(values.dtype) for values in model.get_weights()])
    return model


def classifier(keras: Any) -> Any:
    """Residual, with batch normalization and a softmax: any generation."""
    layers = keras.layers
    image = x = keras.Input((8, 8, 3), name="image")
    x = y = layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(x)
    x = layers.BatchNormalization(name="bn")(layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x))
    x = layers.Concatenate(name="both")([layers.Add(name="add")([x, y]), y])
    x = layers.Dense(3, name="logits")(layers.GlobalAveragePooling2D(name="pool")(x))
    return random_weights(keras.Model(image, layers.Softmax(name="probabilities")(x), name="classifier"))


def chain(keras: Any, *layers: Any, shape: tuple[int, ...] = (4,)) -> Any:
    return random_weights(keras.Sequential([keras.Input(shape), *layers], name="chain"))


@everywhere
def test_a_classifier(generation: int, suffix: str, tmp_path: Path) -> None:
    source = classifier(GENERATIONS[generation]())
    source.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    path = saved(source, tmp_path / f"m{suffix}")
    log = Heard()
    loaded = load_model(path, progress=log)
    x = np.random.default_rng(0).random((5, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(loaded.model(x), source(x), atol=1e-6)
    assert isinstance(loaded.model, tf_keras().Model)
    assert [layer.name for layer in loaded.model.layers] == [layer.name for layer in source.layers]
    assert not loaded.model.optimizer
    assert log.warned == []
    step = loaded.origin.to_dict()
    proof = step.pop("bridge")
    assert step == {
        "step": "load",
        "file": path.name,
        "sha256": sha256(path),
        "generation": generation,
        "keras_version": GENERATIONS[generation]().__version__,
        "loss": "",
        "notes": [],
    }
    if generation == 2:
        assert proof is None
        assert log.notified == []
    else:
        assert proof["samples"] == 8
        assert 0 <= proof["max_abs_diff"] <= proof["tolerance"] == 1e-5
        assert log.notified == [f"{path.name} is a Keras {keras3().__version__} model; rebuilding it in Keras 2"]
    json.dumps(loaded.origin.to_dict())


@everywhere
def test_shared_nested_and_several_inputs_and_outputs(generation: int, suffix: str, tmp_path: Path) -> None:
    keras = GENERATIONS[generation]()
    layers = keras.layers
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    shared = layers.Dense(3, "relu", name="shared")
    inner = keras.Model(a_in := keras.Input((3,), name="i"), layers.Dense(2, name="in_dense")(a_in), name="inner")
    outputs = [inner(shared(a)), inner(layers.Subtract(name="minus")([shared(a), shared(b)]))]
    source = random_weights(keras.Model([a, b], outputs, name="two"))
    model = load(saved(source, tmp_path / f"m{suffix}")).model
    x = [np.random.default_rng(i).random((3, 4)).astype(np.float32) for i in range(2)]
    for got, wanted in zip(model(x), source(x), strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-6)
    assert model.count_params() == source.count_params()
    assert [tensor.name for tensor in model.inputs] == ["a", "b"]


def test_operations_and_masks_survive_a_file(tmp_path: Path) -> None:
    keras = keras3()
    tokens = keras.Input((6,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(9, 4, mask_zero=True)(tokens)
    x = keras.layers.SimpleRNN(4)(x)
    source = random_weights(keras.Model(tokens, keras.layers.Dense(2)(keras.ops.relu(2.0 * x + x))))
    model = load(saved(source, tmp_path / "m.keras")).model
    x = np.asarray([[3, 1, 2, 0, 0, 0], [1, 2, 3, 4, 5, 6]], np.int32)
    np.testing.assert_allclose(model(x), source(x), atol=1e-6)


def test_hdf5_of_a_model_with_operations_cannot_be_read_by_keras_3(tmp_path: Path) -> None:
    keras = keras3()
    for index, operation in enumerate((lambda x: x * 2.0, lambda x: x + x, keras.ops.relu)):
        x = keras.Input((4,))
        path = saved(keras.Model(x, operation(keras.layers.Dense(4)(x))), tmp_path / f"{index}.h5")
        error = refusal(path)
        assert error.code == "keras-cannot-load"
        assert "model.save('model.keras')" in error.hint


@everywhere
def test_lambda_layers_need_permission(generation: int, suffix: str, tmp_path: Path) -> None:
    keras = GENERATIONS[generation]()
    twice = keras.layers.Lambda(lambda x: x * 2, name="twice")
    inner = keras.layers.TimeDistributed(keras.layers.Lambda(lambda x: x + 1, name="plus_one"), name="each")
    source = chain(keras, keras.layers.Dense(3, name="dense"), twice, inner, shape=(2, 4))
    path = saved(source, tmp_path / f"m{suffix}")
    error = refusal(path)
    assert error.code == "model-unsafe" and "twice, plus_one" in error.message
    assert "--allow-unsafe" in error.hint
    x = np.ones((1, 2, 4), np.float32)
    if generation == 3:  # Keras 3 does not know what shape a Lambda in a wrapper gives
        source = chain(keras, keras.layers.Dense(3, name="dense"), twice, shape=(2, 4))
        path = saved(source, path)
    model = load(path, allow_unsafe=True).model
    np.testing.assert_allclose(model(x), source(x), atol=1e-6)


def test_code_does_not_run_before_it_is_refused(tmp_path: Path) -> None:
    """A file that names a module to import, and one whose activation is a Python builtin."""
    witness = tmp_path / "witness"
    (tmp_path / "evil_module.py").write_text(f"open({str(witness)!r}, 'w').close()\nclass Evil: pass\n")
    whole = saved(chain(tf_keras(), tf_keras().layers.Dense(2)), tmp_path / "whole.keras")
    with zipfile.ZipFile(whole) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    for index, (place, what) in enumerate(
        (
            ({"module": "evil_module", "class_name": "Evil"}, "Evil (evil_module)"),
            ({"config": {"name": "d", "activation": _function("builtins", "breakpoint")}}, "would run"),
            ({"config": {"name": "d", "activation": _function("os", "system")}}, "system (os)"),
        )
    ):
        changed = json.loads(json.dumps(config))
        changed["config"]["layers"][-1] |= place
        path = tmp_path / f"{index}.keras"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in (members | {"config.json": json.dumps(changed).encode()}).items():
                archive.writestr(name, content)
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(str(tmp_path))
            assert what in refusal(path).message
    assert not witness.exists()


def _function(module: str, name: str) -> dict[str, str]:
    return {"class_name": "function", "module": module, "config": name, "registered_name": name}


def own_act(x: Any) -> Any:
    return x * 2


@everywhere
def test_custom_objects_are_named(generation: int, suffix: str, tmp_path: Path) -> None:
    keras = GENERATIONS[generation]()

    class Half(keras.layers.Layer):  # type: ignore[name-defined,misc]
        def call(self, x: Any) -> Any:
            return x / 2

    path = saved(chain(keras, keras.layers.Dense(2), Half(name="half")), tmp_path / f"m{suffix}")
    error = refusal(path)
    assert "Half" in error.message
    assert "register_keras_serializable" in error.hint
    path = saved(chain(keras, keras.layers.Dense(2, activation=own_act)), tmp_path / f"a{suffix}")
    assert refusal(path).code == "custom-missing" and "own_act" in refusal(path).message


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_registered_objects_load(suffix: str, tmp_path: Path) -> None:
    keras = tf_keras()

    @keras.saving.register_keras_serializable(package="edgekit_tests")
    class Third(keras.layers.Layer):  # type: ignore[name-defined,misc]
        def call(self, x: Any) -> Any:
            return x / 3

    source = chain(keras, keras.layers.Dense(2), Third(name="third"))
    model = load(saved(source, tmp_path / f"m{suffix}")).model
    np.testing.assert_allclose(model(np.ones((1, 4))), source(np.ones((1, 4))))


@pytest.mark.parametrize("generation", GENERATIONS)
def test_subclassed_models_are_refused(generation: int, tmp_path: Path) -> None:
    keras = GENERATIONS[generation]()

    class Mine(keras.Model):  # type: ignore[name-defined,misc]
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.dense = keras.layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    model = Mine()
    model(np.ones((1, 4), np.float32))
    error = refusal(saved(model, tmp_path / "m.keras"))
    assert error.code == "custom-missing" and "`Mine`" in error.message
    assert "functional API" in error.hint
    assert "--custom" in error.hint


@pytest.mark.parametrize("generation", GENERATIONS)
def test_models_with_nothing_to_compress(generation: int, tmp_path: Path) -> None:
    keras = GENERATIONS[generation]()
    path = tmp_path / "m.keras"
    assert refusal(saved(keras.Sequential([keras.layers.Dense(2)]), path)).code == "input-unsupported"
    assert refusal(saved(chain(keras, keras.layers.Flatten()), path)).code == "nothing-to-compress"


@everywhere
def test_weights_alone_are_not_a_model(generation: int, suffix: str, tmp_path: Path) -> None:
    keras = GENERATIONS[generation]()
    model = chain(keras, keras.layers.Dense(2))
    path = tmp_path / "m.weights.h5"
    model.save_weights(str(path))
    error = refusal(path)
    assert error.code == "model-incomplete"
    assert "save the whole model" in error.hint


@everywhere
def test_damaged_weights(generation: int, suffix: str, tmp_path: Path) -> None:
    whole = saved(classifier(GENERATIONS[generation]()), tmp_path / f"whole{suffix}").read_bytes()
    path = tmp_path / f"m{suffix}"
    for cut in (10, len(whole) // 3, len(whole) - 40):
        path.write_bytes(whole[:cut])
        assert refusal(path).code == "file-damaged"
    if suffix == ".keras":
        position = whole.index(b"\x89HDF") + 40
        path.write_bytes(whole[:position] + bytes(200) + whole[position + 200 :])
        error = refusal(path)
        assert error.code == "file-damaged" and "`model.weights.h5`" in error.message


def test_what_keras_2_does_not_have_gets_post_training_schemes_only(tmp_path: Path) -> None:
    keras = keras3()
    source = chain(keras, keras.layers.Dense(4), keras.layers.RMSNormalization(name="rms"))
    log = Heard()
    loaded = load_model(saved(source, tmp_path / "m.keras"), progress=log)
    assert isinstance(loaded.model, PlainModel)
    assert not loaded.trainable
    assert "rms (RMSNormalization)" in loaded.untrainable
    assert log.notified[-1] == f"post-training schemes only: {loaded.untrainable}"
    assert list(loaded.origin.notes) == [loaded.untrainable]
    x = np.random.default_rng(0).random((5, 4)).astype(np.float32)
    np.testing.assert_allclose(loaded.model.predict(x), source.predict(x, verbose=0), atol=1e-6)
    assert loaded.model.count_params() == source.count_params()


def test_notes_of_the_bridge_stand_in_the_lineage(tmp_path: Path) -> None:
    layers = keras3().layers
    source = chain(keras3(), layers.RandomFlip(name="flip"), layers.Flatten(), layers.Dense(2), shape=(4, 4, 1))
    log = Heard()
    loaded = load_model(saved(source, tmp_path / "m.keras"), progress=log)
    assert list(loaded.origin.notes) == ["flip (RandomFlip) is left out: it acts in training only"]
    assert log.notified[1:] == list(loaded.origin.notes)


def test_read_only_files_load(tmp_path: Path) -> None:
    path = saved(chain(tf_keras(), tf_keras().layers.Dense(2)), tmp_path / "m.keras")
    path.chmod(0o444)
    before = path.read_bytes()
    assert load(path).origin.generation == 2
    assert path.read_bytes() == before
