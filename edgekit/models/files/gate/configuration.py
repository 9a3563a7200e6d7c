"""The configuration of a Keras model, checked before Keras sees it, and rewritten so that each name means one thing.

Keras turns every dictionary with a `class_name` into an object, at any depth: it looks the name up among the user's
registered objects, then below the `module` that the file names, which it imports. Here the name has to be listed in
`edgekit.models.files.gate.symbols`, and the module is replaced by the one in which the listed object lives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from edgekit.frameworks.types import ConfigValue, KerasConfig
from edgekit.models.files.gate import symbols
from edgekit.models.files.gate.graph import GraphError, ordered

Generation = Literal[2, 3]

MAX_DEPTH = 200
"""Brackets inside brackets; a model inside a model takes five."""
MAX_MODELS = 20
"""Models inside models."""
MAX_CALLS = 10_000
"""Calls of layers, those of nested models counted as often as these are called."""
MAX_INTEGER = 2**63
MAX_SPECTROGRAM = 1 << 16
"""Of any number in a layer that computes its tables of windows and frequencies before it has weights."""

CODE = frozenset({"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "TensorFlowOpLayer"})
"""Layers that carry code, or load it; named as such."""
CODE_OBJECTS = frozenset({"__lambda__", "__typespec__", "TypeSpec", "CompositeTensor", "__wrapped__"})
DATA = {
    "__tuple__": ("items",),
    "TensorShape": ("items",),
    "__tensor__": ("config",),
    "__numpy__": ("config",),
    "__bytes__": ("config",),
    "__slice__": ("config",),
    "__ellipsis__": ("config",),
    "__keras_tensor__": ("config",),
}
"""Objects that are values: class name to the key of the value."""
NUMBERS = frozenset({"bool", *(f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64))}) | frozenset(
    f"{kind}{n}" for kind, sizes in (("float", (16, 32, 64)), ("bfloat", (16,)), ("complex", (64, 128))) for n in sizes
)
OPERATION_LAYERS = ("TFOpLambda", "SlicingOpLambda")
OPERATION_MODULE = "keras.src.layers.core.tf_op_layer"
FUNCTIONAL_MODULE = {2: "keras.src.engine.functional", 3: "keras.src.models.functional"}
SPECTROGRAMS = ("MelSpectrogram", "STFTSpectrogram")


@dataclass
class Admission:
    """What became of a configuration.

    Attributes:
        config: for Keras; usable only if nothing is listed below.
        code: names of layers that carry Python code, or load it from elsewhere.
        refused: what Keras or TensorFlow has, and a model file may not name, in words.
        custom: what neither has and nobody registered, as `package>Class`, `Class` or `Class (module)`.
        graph: why the calls of a model in it cannot be made, empty if they can.
    """

    config: KerasConfig = field(default_factory=dict)
    code: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    custom: list[str] = field(default_factory=list)
    graph: str = ""


class Malformed(Exception):
    """The configuration is none that Keras could have written; the text says why, and where."""


def admit(
    config: Mapping[str, ConfigValue],
    generation: Generation,
    registered: Callable[[str], bool],
    exists: Callable[[str], bool] = lambda _: False,
    canonical: Callable[[str], str] = lambda symbol: symbol,
) -> Admission:
    """Check a model's configuration, and return it as Keras may have it.

    What a model was compiled with is left out, at any depth: it matters to training alone.

    Args:
        config: `{"class_name": ..., "config": {...}}`, as it stands in the file.
        generation: of Keras that reads it.
        registered: whether the user registered a class or function under a name.
        exists: whether Keras has a layer of a name.
        canonical: from any public name of a TensorFlow function to its canonical one.

    Raises:
        Malformed: it is too deep, or something has a form that Keras never writes.
    """
    walk = _Walk(generation, registered, exists, canonical)
    found, calls = walk.value(dict(config), "", "", 0, 0)
    if calls > MAX_CALLS:
        raise Malformed(f"its layers are called {calls:,} times in all, nested models included; at most {MAX_CALLS:,}")
    walk.found.config = found
    return walk.found


class _Walk:
    def __init__(
        self,
        generation: Generation,
        registered: Callable[[str], bool],
        exists: Callable[[str], bool],
        canonical: Callable[[str], str],
    ) -> None:
        self.generation, self.registered, self.exists, self.canonical = generation, registered, exists, canonical
        self.found = Admission()
        self.own = False  # inside an object of the user's, whose code reads its text
        self.layers = symbols.LAYERS_2 if generation == 2 else symbols.LAYERS_3
        self.others = {**symbols.OTHERS_2, **symbols.WRAPPERS_2} if generation == 2 else symbols.OTHERS_3

    def value(self, value: ConfigValue, key: str, layer: str, depth: int, models: int) -> tuple[ConfigValue, int]:
        """Return a value as Keras may have it, and how many calls of layers it stands for.

        Args:
            value: any JSON value.
            key: under which it stands.
            layer: the innermost layer around it, for messages.
            depth: brackets around it.
            models: models around it.
        """
        if depth > MAX_DEPTH:
            raise Malformed(f"its configuration has more than {MAX_DEPTH} brackets inside one another")
        if isinstance(value, dict):
            if "class_name" in value:
                return self.object(value, layer, depth, models)
            kept = {k: v for k, v in value.items() if k != "compile_config"}
            return self.items(kept, layer, depth, models)
        if isinstance(value, (list, tuple)):
            parts = [self.value(item, "", layer, depth + 1, models) for item in value]
            return [part for part, _ in parts], sum(calls for _, calls in parts)
        if isinstance(value, str):
            self.text(value, key, layer)
        elif isinstance(value, int) and abs(value) > MAX_INTEGER:
            raise Malformed(f"`{key}` of layer `{layer}` has more than 64 bits")
        elif not (value is None or isinstance(value, (bool, int, float))):
            raise Malformed(f"`{key}` of layer `{layer}` is a {type(value).__name__}")
        return value, 0

    def items(self, value: KerasConfig, layer: str, depth: int, models: int) -> tuple[KerasConfig, int]:
        """Check a dictionary that is no object."""
        parts = {k: self.value(v, k, layer, depth + 1, models) for k, v in value.items()}
        return {k: part for k, (part, _) in parts.items()}, sum(calls for _, calls in parts.values())

    def text(self, value: str, key: str, layer: str) -> None:
        """Check text where Keras looks a function up by it."""
        ending = key.rpartition("_")[2]
        allowed = symbols.NAMED.get(ending)
        if allowed is not None and value not in allowed and not self.own and not self.registered(value):
            if "." in value or self.exists(value):
                self.add(self.found.refused, f"`{value}` as `{key}` of layer `{layer}`")
            else:
                self.add(self.found.custom, value)

    def object(self, value: KerasConfig, layer: str, depth: int, models: int) -> tuple[ConfigValue, int]:
        """Check an object; the dictionary says its class, and what it is made from."""
        kind, inner = value["class_name"], value.get("config")
        if not isinstance(kind, str):
            raise Malformed(f"a class name in layer `{layer}` is a {type(kind).__name__}")
        if isinstance(inner, dict) and isinstance(inner.get("name"), str):
            layer = inner["name"]
        label = layer or kind
        if kind in DATA:
            return self.data(value, kind, layer, depth, models), 0
        if kind in CODE or kind in CODE_OBJECTS or value.get("function_type") == "lambda":
            self.add(self.found.code, label)
            return value, 0
        if kind == "function":
            return self.function(value, inner, label), 0
        kept = {k: v for k, v in value.items() if k != "compile_config"}
        own = self.is_registered(value, kind)
        if not own and not self.built_in(kept, kind, label):
            return value, 0
        if kind in OPERATION_LAYERS:
            self.operation(inner, label)
        for key, names in symbols.WRAPPED_ATTRIBUTES.items():
            given = inner.get(key) if isinstance(inner, dict) and not own else None
            if given is not None and not (isinstance(given, list) and all(name in names for name in map(str, given))):
                raise Malformed(f"`{key}` of layer `{label}` ({kind}) names what no layer has")
        if kind in SPECTROGRAMS and _largest(inner) > MAX_SPECTROGRAM:
            raise Malformed(f"a size of layer `{label}` ({kind}) is above {MAX_SPECTROGRAM:,}")
        models += isinstance(inner, dict) and "layers" in inner
        if models > MAX_MODELS:
            raise Malformed(f"it has more than {MAX_MODELS} models inside one another")
        around, self.own = self.own, own
        try:
            return self.called(kept, inner, layer, depth, models)
        finally:
            self.own = around

    def called(
        self, value: KerasConfig, inner: ConfigValue, layer: str, depth: int, models: int
    ) -> tuple[KerasConfig, int]:
        """Check what an object is made from, and count the calls: of a model those of its layers."""
        rest, _ = self.items({k: v for k, v in value.items() if k != "config"}, layer, depth, models)
        if not (isinstance(inner, dict) and isinstance(inner.get("layers"), list)):
            made, calls = self.value(inner, "config", layer, depth + 1, models)
            return rest | {"config": made}, 1 + calls
        made, calls = self.items({k: v for k, v in inner.items() if k != "layers"}, layer, depth + 1, models)
        made["layers"] = []
        for item in inner["layers"]:
            part, inside = self.value(item, "", layer, depth + 2, models)
            nodes = item.get("inbound_nodes") if isinstance(item, dict) else None
            calls += inside * max(1, len(nodes) if isinstance(nodes, list) else 1)
            made["layers"].append(part)
        made["layers"] = self.ordered(made, layer)
        return rest | {"config": made}, 1 + calls

    def ordered(self, model: KerasConfig, name: str) -> list[ConfigValue]:
        """Put the layers of a functional model in an order in which they can be called."""
        layers: list[ConfigValue] = model["layers"]
        if not any(isinstance(item, dict) and "inbound_nodes" in item for item in layers):
            return layers
        try:
            return ordered(model, self.generation)
        except GraphError as error:
            self.found.graph = self.found.graph or f"the graph of model `{name}` cannot be built: {error}"
            return layers

    def data(self, value: KerasConfig, kind: str, layer: str, depth: int, models: int) -> KerasConfig:
        """Check an object that is a value."""
        inner = value.get("config")
        if kind in ("__tensor__", "__numpy__") and not (isinstance(inner, dict) and inner.get("dtype") in NUMBERS):
            raise Malformed(f"a constant in layer `{layer}` does not hold numbers")
        rest, _ = self.items({k: v for k, v in value.items() if k != "class_name"}, layer, depth, models)
        return {"class_name": kind, **rest}

    def function(self, value: KerasConfig, name: ConfigValue, label: str) -> KerasConfig:
        """Check a function that stands by its name."""
        if not isinstance(name, str):
            raise Malformed(f"a function in layer `{label}` has no name")
        module = value.get("module")
        if self.registered(name):
            return value
        parts = str(module).split(".") if module is not None else []
        if name in symbols.ACTIVATIONS and (parts[:1] == ["builtins"] or parts[:1] in (["keras"], ["tf_keras"])):
            return {"class_name": "function", "config": name, "module": "builtins", "registered_name": name}
        if parts[:1] in (["keras"], ["tf_keras"]):
            self.add(self.found.refused, f"`{module}.{name}` in layer `{label}`")
        elif parts == ["builtins"] and _is_builtin(name):
            self.add(self.found.code, label)
        else:
            own = module is None or parts == ["builtins"]
            self.add(self.found.custom, name if own else f"{name} ({module})")
        return value

    def is_registered(self, value: KerasConfig, kind: str) -> bool:
        """Return whether Keras would find a class of the user's own."""
        name = value.get("registered_name", kind) if "module" in value else kind
        return isinstance(name, str) and self.registered(name)

    def built_in(self, value: KerasConfig, kind: str, label: str) -> bool:
        """Return whether an object is listed; its module becomes the one in which the listed class lives."""
        if "module" not in value:  # as in HDF5: looked up by name, among Keras's own
            listed = self.layers | symbols.MODELS | symbols.INITIALIZERS | symbols.REGULARIZERS | symbols.CONSTRAINTS
            if kind in listed | symbols.POLICIES or (self.generation == 2 and kind in OPERATION_LAYERS):
                return True
            operations = symbols.OPERATIONS_3.values() if self.generation == 3 else ()
            if any(kind in names for names in (*self.others.values(), *operations)):
                return True
            if self.exists(kind):
                self.add(self.found.refused, f"{kind} in layer `{label}`" if label != kind else kind)
            else:
                self.add(self.found.custom, kind)
            return False
        module = value["module"]
        parts = module.split(".") if isinstance(module, str) else []
        if not parts or (parts[0] not in ("keras", "tf_keras") and module not in self.others):
            self.unknown(value, kind, module)
            return False
        home = self.home(kind, module, parts)
        if home is None:
            self.add(
                self.found.refused, f"`{module}.{kind}` in layer `{label}`" if label != kind else f"`{module}.{kind}`"
            )
            return False
        value["module"] = home
        value["registered_name"] = None if home.count(".") == 1 or home == "keras" else kind
        return True

    def home(self, kind: str, module: str, parts: list[str]) -> str | None:
        """Return the module of a listed class, or None."""
        for room, names in (
            ("initializers", symbols.INITIALIZERS),
            ("regularizers", symbols.REGULARIZERS),
            ("constraints", symbols.CONSTRAINTS),
        ):
            if room in parts:
                return f"keras.{room}" if kind in names else None
        if module in symbols.OPERATIONS_3 and self.generation == 3:
            return module if kind in symbols.OPERATIONS_3[module] else None
        if kind in symbols.POLICIES:
            return "keras.mixed_precision" if self.generation == 2 else "keras.dtype_policies"
        if kind in OPERATION_LAYERS and self.generation == 2:
            return OPERATION_MODULE
        if kind == "Functional":
            return FUNCTIONAL_MODULE[self.generation]
        if kind in symbols.MODELS:
            return "keras"
        for place, names in self.others.items():
            if kind in names and place.removeprefix("tf_") == module.removeprefix("tf_"):
                return place
        return "keras.layers" if kind in self.layers else None

    def unknown(self, value: KerasConfig, kind: str, module: ConfigValue) -> None:
        """Note a class that is not Keras's."""
        name = value.get("registered_name")
        name = name if isinstance(name, str) and ">" in name else kind
        own = not isinstance(module, str) or ">" in name
        self.add(self.found.custom, name if own else f"{name} ({module})")

    def operation(self, inner: ConfigValue, label: str) -> None:
        """Check the TensorFlow function that a layer of Keras 2 records."""
        symbol = inner.get("function") if isinstance(inner, dict) else None
        if not isinstance(symbol, str):
            raise Malformed(f"layer `{label}` records no TensorFlow function")
        if self.canonical(symbol) not in symbols.FUNCTIONS_2:
            self.add(self.found.refused, f"`tf.{symbol}` in layer `{label}`")

    @staticmethod
    def add(names: list[str], name: str) -> None:
        if name not in names:
            names.append(name)


def class_names(config: ConfigValue) -> list[str]:
    """Return every name under which a configuration refers to a class or function, each once."""
    found: dict[str, None] = {}
    stack = [config]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            found.update(
                (n, None) for n in (value.get("class_name"), value.get("registered_name")) if isinstance(n, str)
            )
            value = list(value.values())
        if isinstance(value, (list, tuple)):
            stack.extend(value)
    return list(found)


def plain_values(value: ConfigValue) -> ConfigValue:
    """Turn serialized NumPy numbers, tuples and shapes into numbers and tuples, at any depth."""
    if isinstance(value, list):
        return [plain_values(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind, inner = value.get("class_name"), value.get("config")
    if kind == "__numpy__" and isinstance(inner, dict):
        return inner.get("value")
    if kind in ("__tuple__", "TensorShape") and isinstance(value.get("items"), list):
        return tuple(plain_values(item) for item in value["items"])
    if kind == "__ellipsis__":
        return Ellipsis
    return {key: plain_values(item) for key, item in value.items()}


def _is_builtin(name: str) -> bool:
    import builtins

    return hasattr(builtins, name)


def _largest(value: ConfigValue) -> float:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    own = abs(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0
    return max([own, *map(_largest, items)])
