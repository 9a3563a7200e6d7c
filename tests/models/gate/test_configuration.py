"""What a configuration may name, at any depth, without TensorFlow."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edgekit.models.files.gate.configuration import MAX_DEPTH, Admission, Malformed, admit, class_names, plain_values
from edgekit.models.files.gate.symbols import FUNCTIONS_2

DENSE = {"class_name": "Dense", "module": "keras.layers", "config": {"name": "d", "units": 2, "activation": "relu"}}


def layer(kind: str, name: str, module: str | None = "keras.layers", **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "module": module, "registered_name": None, "config": {"name": name, **config}}


def old(kind: str, name: str, **config: Any) -> dict[str, Any]:
    """As in HDF5: the name alone."""
    return {"class_name": kind, "config": {"name": name, **config}}


def model(*layers: dict[str, Any], name: str = "m") -> dict[str, Any]:
    return layer("Sequential", name, "keras", layers=list(layers))


def admitted(config: dict[str, Any], generation: Any = 3, registered: tuple[str, ...] = ()) -> Admission:
    return admit(
        config, generation, lambda name: name in registered, lambda name: name in ("TextVectorization", "Layer")
    )


def function(name: str, module: str | None) -> dict[str, Any]:
    return {"class_name": "function", "module": module, "config": name, "registered_name": name}


def test_code_is_found_at_any_depth() -> None:
    code = {"class_name": "__lambda__", "config": {"code": "4wEA", "defaults": None, "closure": None}}
    config = model(
        layer("Dense", "plain"),
        layer("Lambda", "old", function=["4wEA", None, None], function_type="lambda"),
        layer("TimeDistributed", "wrapper", layer=layer("Lambda", "wrapped", function=code)),
        model(layer("Dense", "inner", activation=code), name="nested"),
        layer("Dense", "evil", activation=function("breakpoint", "builtins")),
        layer("TFSMLayer", "graph", filepath="/tmp/x"),
        {**layer("Dense", "built"), "build_config": {"input_shape": code}},
        old("Dense", "spec", shape={"class_name": "TypeSpec", "type_spec": "x", "serialized": []}),
    )
    assert admitted(config).code == ["old", "wrapped", "inner", "evil", "graph", "built", "spec"]


def test_a_model_without_anything_wrong_is_admitted_with_public_modules() -> None:
    initializer = {**layer("Zeros", "z", "keras.src.initializers.constant_initializers"), "config": {}}
    config = model(
        {**DENSE, "module": "keras.src.layers.core.dense"}, layer("Dense", "e", bias_initializer=initializer)
    )
    found = admitted({**config, "compile_config": {"loss": {"class_name": "__lambda__", "config": {}}}})
    assert (found.code, found.refused, found.custom, found.graph) == ([], [], [], "")
    first, second = found.config["config"]["layers"]
    assert (first["module"], second["config"]["bias_initializer"]["module"]) == ("keras.layers", "keras.initializers")
    assert "compile_config" not in found.config


@pytest.mark.parametrize(
    ("kind", "module"),
    [
        ("get_file", "keras.utils"),
        ("load_model", "keras.models"),
        ("Layer", "keras.layers"),
        ("TextVectorization", "keras.layers"),
        ("Adam", "keras.optimizers"),
        ("Map", "keras.src.ops.core"),
        ("Add", "keras.src.ops.core"),
        ("Dense", "keras.initializers"),
        ("IntegerLookup", "tf_keras.layers"),
    ],
)
def test_what_keras_has_and_a_file_may_not_name(kind: str, module: str) -> None:
    found = admitted(model(layer(kind, "evil", module)))
    assert found.refused == [f"`{module}.{kind}` in layer `evil`"]


@pytest.mark.parametrize("module", ["os", "subprocess", "evil_module", "tf.io", "keras_hub.models"])
def test_modules_of_others_are_named_and_not_imported(module: str) -> None:
    found = admitted(model(layer("Evil", "evil", module), layer("Dense", "d", activation=function("system", module))))
    assert found.custom == [f"Evil ({module})", f"system ({module})"]


def test_custom_objects_are_named_with_where_they_come_from() -> None:
    config = model(
        layer("Dense", "own", activation=function("relu", "builtins")),
        layer("Mine", "a", "my_package.layers"),
        layer("Mine", "b", "my_package.layers"),
        {**layer("Registered", "c", None), "registered_name": "pkg>Registered"},
        layer("Plain", "d", None),
        old("pkg>InHdf5", "e"),
        old("TextVectorization", "t"),
        layer("Dense", "f", activation=function("my_act", "builtins")),
        {**layer("Known", "g", None), "registered_name": "Known"},
    )
    found = admitted(config, registered=("Known",))
    assert found.custom == ["Mine (my_package.layers)", "pkg>Registered", "Plain", "pkg>InHdf5", "my_act"]
    assert found.refused == ["TextVectorization in layer `t`"]


@pytest.mark.parametrize(
    ("key", "value", "good"),
    [
        ("activation", "relu", True),
        ("activation", "get", False),
        ("activation", "keras.utils.get_file", False),
        ("recurrent_activation", "deserialize", False),
        ("kernel_initializer", "glorot_uniform", True),
        ("kernel_initializer", "get", False),
        ("bias_constraint", "NonNeg", True),
        ("bias_constraint", "exec", False),
        ("padding", "get", True),
    ],
)
def test_text_that_keras_looks_up(key: str, value: str, good: bool) -> None:
    found = admitted(model(layer("Dense", "d", **{key: value})))
    assert bool(found.refused or found.custom) != good
    own = admitted(model({**layer("Mine", "d", None, **{key: value}), "registered_name": "Mine"}), registered=("Mine",))
    assert not own.refused
    assert not own.custom  # the user's class reads it


@pytest.mark.parametrize(
    "symbol", ["io.write_file", "keras.models.model_from_json", "load_op_library", "print", "no.such"]
)
def test_tensorflow_functions_that_are_not_listed(symbol: str) -> None:
    found = admitted(model(layer("TFOpLambda", "evil", "tf_keras.src.layers.core.tf_op_layer", function=symbol)), 2)
    assert found.refused == [f"`tf.{symbol}` in layer `evil`"]
    assert admitted(model(old("TFOpLambda", "evil", function=symbol)), 2).refused == found.refused


def test_tensorflow_functions_that_are_listed() -> None:
    layers = [old("TFOpLambda", name.replace(".", "_"), function=name) for name in sorted(FUNCTIONS_2)]
    found = admitted(model(*layers, old("SlicingOpLambda", "s", function="__operators__.getitem")), 2)
    assert (found.refused, found.custom, found.code) == ([], [], [])


@pytest.mark.parametrize("kind", ["ClassMethod", "InstanceMethod", "InstanceProperty", "TensorFlowOpLayer"])
def test_methods_and_nodes_are_not_layers_of_a_file(kind: str) -> None:
    for made in (layer(kind, "evil", "keras.src.layers.core.tf_op_layer"), old(kind, "evil")):
        found = admitted(model(made), 2)
        assert found.refused or found.custom or found.code


def nested(levels: int) -> dict[str, Any]:
    made = model(DENSE)
    for level in range(levels):
        made = model(made, name=f"m{level}")
    return made


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (model(layer("Dense", "d", units=10**30)), "more than 64 bits"),
        (nested(30), "more than 20 models"),
        (model(layer("Dense", "d", x=json.loads("[" * MAX_DEPTH + "]" * MAX_DEPTH))), "brackets"),
        (model({"class_name": 3, "config": {}}), "a class name"),
        (model({"class_name": "function", "config": None, "module": "builtins"}), "has no name"),
        (model(layer("Dense", "d", x={"class_name": "__numpy__", "config": {"value": [], "dtype": "O"}})), "numbers"),
        (model(layer("MelSpectrogram", "d", fft_length=10**9)), "a size of layer `d`"),
        (model(*[layer("Dense", f"d{i}") for i in range(10_001)]), "are called 10,00"),
    ],
)
def test_what_keras_never_writes(config: dict[str, Any], why: str) -> None:
    with pytest.raises(Malformed, match=why):
        admitted(config)


def test_values_are_read_as_keras_wrote_them() -> None:
    packed = {"class_name": "__tuple__", "items": [1, {"class_name": "TensorShape", "items": [2]}]}
    number = {"class_name": "__numpy__", "config": {"value": 3.5, "dtype": "float32"}}
    assert plain_values({"a": packed, "b": [number, {"class_name": "__ellipsis__"}]}) == {
        "a": (1, (2,)),
        "b": [3.5, ...],
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("aL>_. ", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["class_name", "config", "module", "registered_name", "name", "layers", "inbound_nodes"]),
            inner | st.sampled_from(["Lambda", "function", "builtins", "__lambda__", "TFOpLambda", "Dense", "keras"]),
            max_size=6,
        )
    ),
    max_leaves=25,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@example({"config": {"class_name": "", "config": None, "module": []}}, 2)
@given(st.dictionaries(st.sampled_from(["class_name", "config", "layers"]), JSON), st.sampled_from([2, 3]))
def test_no_configuration_confuses_the_gate(config: dict[str, Any], generation: int) -> None:
    try:
        found = admitted(config, generation)
    except Malformed:
        return
    assert all(isinstance(name, str) for name in (*found.code, *found.refused, *found.custom, *class_names(config)))
