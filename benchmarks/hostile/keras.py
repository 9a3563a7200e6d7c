"""Keras files of both generations and SavedModels: code, names, paths, sizes, graphs, and mutations."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.hostile.case import Canary, Case
from benchmarks.hostile.keras_files import (
    CONTAINERS,
    SIZE,
    call,
    data,
    dense,
    entry,
    functional,
    graph,
    kind,
    layer,
    obj,
    reference,
    simple,
    write,
)

PRELOAD = ("edgekit.pipeline.run",)
COUNT = 600
KERAS_2 = tuple(name for name in CONTAINERS if kind(name)[0] == 2)
ZIPS = tuple(name for name in CONTAINERS if name.endswith(".keras"))
HDF5 = tuple(name for name in CONTAINERS if name.endswith(".h5"))
Make = Callable[[Canary], Any]


def cases(seed: int, count: int) -> Iterator[Case]:
    """Yield all crafted cases, and mutated ones up to `count`."""
    crafted = [
        *_code(),
        *_functions(),
        *_symbols(seed),
        *_names(),
        *_paths(),
        *_sizes(),
        *_graphs(),
        *_saved(),
        *_works(),
    ]
    yield from crafted
    for number in range(max(0, count - len(crafted))):
        yield _mutated(seed, number)


def command(model: str, *options: str) -> list[str]:
    """Return what a user types."""
    return ["compress", model, "--data", data(), "--recipe", "float32", "--anyway", *options, "-o", "out"]


def _case(group: str, name: str, container: str, config: Callable[[Canary], Any], **options: Any) -> Case:
    def make(canary: Canary) -> Sequence[str]:
        return command(write(container, config(canary)))

    return Case(group, f"{name} {container}", make, **({"may_work": False} | options))


def _everywhere(
    group: str,
    name: str,
    inner: Callable[[Canary, str], Any],
    containers: Sequence[str],
    shape: tuple[int, ...] = (SIZE,),
) -> Iterator[Case]:
    """Yield a layer behind the input of a model, in every container."""
    for container in containers:

        def config(canary: Canary, container: str = container) -> Any:
            last = dense(container, "last", "evil", 3)
            return functional(container, [entry(container, shape), inner(canary, container), last], "last")

        # A SavedModel whose description is refused may still be run as a graph, whose operations are looked at.
        yield _case(group, name, container, config, may_work=container.endswith("-saved"))


def _lambda_bytes(command: str) -> str:
    """Return the code of a function that runs a shell command, as Keras writes it."""
    import base64
    import marshal

    code = compile(f"lambda x: __import__('os').system({command!r}) and x or x", "evil", "eval").co_consts[0]
    return base64.b64encode(marshal.dumps(code)).decode()


def _code() -> Iterator[Case]:
    def old(canary: Canary, c: str) -> Any:
        function = [_lambda_bytes(canary.command), None, None]
        return layer(c, "Lambda", "evil", call(c, reference(c, "in")), function=function, function_type="lambda")

    def new(canary: Canary, c: str) -> Any:
        code = {"code": _lambda_bytes(canary.command), "defaults": None, "closure": None}
        function = {"class_name": "__lambda__", "config": code if kind(c)[0] == 3 else {"value": list(code.values())}}
        return layer(c, "Lambda", "evil", call(c, reference(c, "in")), function=function)

    def wrapped(canary: Canary, c: str) -> Any:
        inner = obj(
            "Lambda", c, name="inside", function=[_lambda_bytes(canary.command), None, None], function_type="lambda"
        )
        return layer(c, "TimeDistributed", "evil", call(c, reference(c, "in")), layer=inner)

    def activation(canary: Canary, c: str) -> Any:
        code = {"class_name": "__lambda__", "config": {"value": [_lambda_bytes(canary.command), None, None]}}
        return dense(c, "evil", "in", activation=code)

    def python(module: str, name: str, canary: Canary, c: str) -> Any:
        function = {"class_name": "function", "module": module, "config": name, "registered_name": name}
        return dense(c, "evil", "in", activation=function)

    def compiled(canary: Canary, c: str) -> Any:
        code = {"class_name": "__lambda__", "config": {"value": [_lambda_bytes(canary.command), None, None]}}
        return dense(c, "evil", "in") | {
            "compile_config": {"loss": code},
            "build_config": {"input_shape": [None, SIZE]},
        }

    for name, inner in (("Lambda", old), ("__lambda__", new), ("wrapped", wrapped), ("as activation", activation)):
        yield from _everywhere("code in a layer", name, inner, CONTAINERS)
    for module, name in (("builtins", "exec"), ("os", "system"), ("evil", "run"), ("keras.utils", "get_file")):
        yield from _everywhere("functions by name", f"{module}.{name}", partial(python, module, name), CONTAINERS)
    for case in _everywhere("code for training", "compile_config", compiled, CONTAINERS):
        yield Case(case.kind, case.name, case.make)


def operation(c: str, symbol: str, constant: Any, **kwargs: Any) -> Any:
    """Return a recorded TensorFlow function that is called with a constant, not with a tensor."""
    module = "keras.src.layers.core.tf_op_layer"
    return layer(c, "TFOpLambda", "evil", [[["_CONSTANT_VALUE", -1, constant, kwargs]]], module, function=symbol)


def _functions() -> Iterator[Case]:
    """Functions that reach out, called while the file loads: the constant is their argument."""

    def model_json(canary: Canary, c: str) -> Any:
        function = [_lambda_bytes(canary.command), None, None]
        inner = {"class_name": "Lambda", "config": {"name": "l", "function": function, "function_type": "lambda"}}
        first = {"class_name": "InputLayer", "config": {"name": "i", "batch_input_shape": [None, SIZE]}}
        text = {"class_name": "Sequential", "config": {"name": "s", "layers": [first, inner]}}
        return operation(c, "keras.models.model_from_json", json.dumps(text))

    listed: dict[str, Callable[[Canary, str], Any]] = {
        "model_from_json": model_json,
        "DeleteRecursively": lambda k, c: operation(c, "compat.v1.gfile.DeleteRecursively", str(k.folder)),
        "gfile.Remove": lambda k, c: operation(c, "compat.v1.gfile.Remove", str(k.victim)),
        "gfile.Copy": lambda k, c: operation(c, "compat.v1.gfile.Copy", str(k.secret), newpath=str(k.marker)),
        "io.gfile.rename": lambda k, c: operation(c, "io.gfile.rename", str(k.victim), dst=str(k.marker)),
        "io.gfile.makedirs": lambda k, c: operation(c, "io.gfile.makedirs", str(k.marker)),
        "compat.v1.write_file": lambda k, c: operation(c, "compat.v1.write_file", str(k.marker), contents="x"),
        "io.write_file": lambda k, c: operation(c, "io.write_file", str(k.marker), contents="x"),
        "io.read_file": lambda k, c: operation(c, "io.read_file", str(k.secret)),
        "io.matching_files": lambda k, c: operation(c, "io.matching_files", f"{k.folder}/*"),
        "get_file": lambda k, c: operation(c, "keras.utils.get_file", "x", origin=f"file://{k.secret}"),
        "load_op_library": lambda k, c: operation(c, "load_op_library", str(k.secret)),
        "load_library": lambda k, c: operation(c, "load_library", str(k.secret)),
        "load_model": lambda k, c: operation(c, "keras.models.load_model", str(k.secret)),
        "saved_model.load": lambda k, c: operation(c, "saved_model.load", str(k.folder)),
        "dump_debug_info": lambda k, c: operation(c, "debugging.experimental.enable_dump_debug_info", str(k.marker)),
        "profiler.start": lambda k, c: operation(c, "profiler.experimental.start", str(k.marker)),
        "summary writer": lambda k, c: operation(c, "summary.create_file_writer", str(k.marker)),
        "print to a file": lambda k, c: operation(c, "print", "x", output_stream=f"file://{k.marker}"),
        "numpy_function": lambda k, c: operation(c, "numpy_function", "os.system", inp=[], Tout="float32"),
        "TextLineDataset": lambda k, c: operation(c, "data.TextLineDataset", str(k.secret)),
        "zeros of 1 TB": lambda k, c: operation(c, "zeros", [10**6, 10**6]),
        "range": lambda k, c: operation(c, "range", 10**12),
    }
    for name, inner in listed.items():
        yield from _everywhere("functions with a constant", name, inner, KERAS_2)

    def method(class_name: str, k: Canary, c: str, **config: Any) -> Any:
        nodes = [[["_CONSTANT_VALUE", -1, [str(k.marker), "x"], {"kwargs": {}}]]]
        return layer(c, class_name, "evil", nodes, "keras.src.layers.core.tf_op_layer", **config)

    for name, config in (
        ("ClassMethod", {"cls_symbol": "io.gfile.GFile", "method_name": "write"}),
        ("ClassMethod", {"cls_symbol": "io.write_file", "method_name": "__call__"}),
        ("InstanceMethod", {"attr_name": "__class__"}),
        ("InstanceProperty", {"attr_name": "__init__"}),
    ):
        make = partial(method, name, **config)
        yield from _everywhere("methods of classes", f"{name} {next(iter(config.values()))}", make, KERAS_2)


def _symbols(seed: int) -> Iterator[Case]:
    """Any public name of TensorFlow, with paths as arguments; drawn anew for every seed."""

    def make(number: int, canary: Canary) -> Sequence[str]:
        from tensorflow.python.util import tf_export

        from edgekit.models.files.gate.symbols import FUNCTIONS_2

        rng = random.Random(seed * 1000 + number)
        names = sorted(name for name in tf_export._NAME_TO_SYMBOL_MAPPING if name not in FUNCTIONS_2)
        container = rng.choice(KERAS_2)
        arguments = [str(canary.secret), str(canary.marker), [str(canary.victim)], str(canary.folder), 3, [1, 2]]
        evil = operation(container, rng.choice(names), rng.choice(arguments))
        layers = [entry(container), evil, dense(container, "last", "evil", 3)]
        return command(write(container, functional(container, layers, "last")))

    for number in range(60):
        yield Case("any TensorFlow name", f"draw {number}", partial(make, number))


def _names() -> Iterator[Case]:
    """Classes and functions by name where layers, initializers and activations are expected."""

    def of(class_name: str, module: str | None, canary: Canary, c: str) -> Any:
        Path("evil.py").write_text(f"import os\nos.system({canary.command!r})\nclass Evil: pass\n")
        return layer(c, class_name, "evil", call(c, reference(c, "in")), module)  # type: ignore[arg-type]

    for class_name, module in (
        ("Evil", "evil"),
        ("system", "os"),
        ("Popen", "subprocess"),
        ("get_file", "keras.utils"),
        ("load_model", "keras.models"),
        ("GFile", "tf.io.gfile"),
        ("Dense", "evil"),
        ("Evil", None),
        ("Adam", "keras.optimizers"),
        ("TFSMLayer", "keras.layers"),
        ("deserialize", "keras.layers"),
        ("Layer", "keras.layers"),
    ):
        for case in _everywhere(
            "classes by name", f"{module}.{class_name}", partial(of, class_name, module), CONTAINERS
        ):
            # Without modules in the file the name alone counts: a Dense is a Dense.
            yield Case(case.kind, case.name, case.make, may_work=case.may_work or class_name == "Dense")
    for key, value in (
        ("activation", "get"),
        ("activation", "deserialize"),
        ("activation", "keras.utils.get_file"),
        ("kernel_initializer", "get"),
        ("kernel_initializer", {"class_name": "get_file", "module": "keras.utils", "config": {"origin": "x"}}),
        ("kernel_regularizer", {"class_name": "Evil", "module": "evil", "config": {}}),
        ("bias_constraint", {"class_name": "Lambda", "config": {"function": "x"}}),
    ):

        def inner(canary: Canary, c: str, key: str = key, value: Any = value) -> Any:
            Path("evil.py").write_text(f"import os\nos.system({canary.command!r})\nclass Evil: pass\n")
            return dense(c, "evil", "in", **{key: value})

        yield from _everywhere("names in options", f"{key}={str(value)[:30]}", inner, CONTAINERS)


def _paths() -> Iterator[Case]:
    def vocabulary(class_name: str, canary: Canary, c: str) -> Any:
        return layer(c, class_name, "evil", call(c, reference(c, "in")), vocabulary=str(canary.secret))

    for class_name in ("StringLookup", "IntegerLookup", "TextVectorization"):
        yield from _everywhere("paths in options", class_name, partial(vocabulary, class_name), CONTAINERS)

    def folder(canary: Canary, c: str) -> Any:
        return layer(c, "TFSMLayer", "evil", call(c, reference(c, "in")), filepath=str(canary.folder))

    yield from _everywhere("paths in options", "TFSMLayer", folder, CONTAINERS)

    def external_link(file: Any, canary: Canary) -> None:
        import h5py

        del file["model_weights/first/first/kernel:0"]
        file["model_weights/first/first/kernel:0"] = h5py.ExternalLink(str(canary.secret), "/x")

    def soft_link(file: Any, canary: Canary) -> None:
        import h5py

        file["model_weights/loop"] = h5py.SoftLink("/model_weights")

    def circle(file: Any, canary: Canary) -> None:
        file["model_weights/loop"] = file["model_weights"]

    def external_storage(file: Any, canary: Canary) -> None:
        del file["model_weights/first/first/kernel:0"]
        bytes_at = [(str(canary.secret), 0, SIZE * SIZE * 4)]
        file.create_dataset("model_weights/first/first/kernel:0", (SIZE, SIZE), "f4", external=bytes_at)

    def virtual(file: Any, canary: Canary) -> None:
        import h5py

        del file["model_weights/first/first/kernel:0"]
        layout = h5py.VirtualLayout((SIZE, SIZE), "f4")
        layout[:] = h5py.VirtualSource(str(canary.secret), "x", (SIZE, SIZE))
        file.create_virtual_dataset("model_weights/first/first/kernel:0", layout)

    for container in HDF5:
        for edit in (external_link, soft_link, circle, external_storage, virtual):

            def make(canary: Canary, edit: Any = edit, container: str = container) -> Sequence[str]:
                return command(write(container, simple(container), edit=partial(edit, canary=canary)))

            yield Case("paths in HDF5", f"{edit.__name__} {container}", make, may_work=False)
    for container in ZIPS:
        for edit in (external_link, external_storage, virtual):

            def zipped(canary: Canary, edit: Any = edit, container: str = container) -> Sequence[str]:
                import h5py

                write("keras-2.h5", simple("keras-2.h5"))
                with h5py.File("keras-2.h5", "a") as file:
                    edit(file, canary)
                return command(write(container, simple(container), stored=Path("keras-2.h5").read_bytes()))

            yield Case("paths in HDF5", f"{edit.__name__} {container}", zipped, may_work=False)


def _sizes() -> Iterator[Case]:
    def big(c: str, class_name: str, **config: Any) -> Any:
        shape = (8, SIZE) if class_name in ("UpSampling1D", "ZeroPadding1D", "LSTM") else (SIZE,)
        return layer(c, class_name, "evil", call(c, reference(c, "in", 0, shape)), **config)

    listed: dict[str, Callable[[Canary, str], Any]] = {
        "Dense of 10^9 units": lambda k, c: dense(c, "evil", "in", 10**9),
        "Dense of 10^30 units": lambda k, c: dense(c, "evil", "in", 10**30),
        "Dense of -1 units": lambda k, c: dense(c, "evil", "in", -1),
        "RepeatVector": lambda k, c: big(c, "RepeatVector", n=10**9),
        "Reshape": lambda k, c: big(c, "Reshape", target_shape=[10**9, 10**9]),
        "Embedding": lambda k, c: big(c, "Embedding", input_dim=10**9, output_dim=10**3),
        "UpSampling1D": lambda k, c: big(c, "UpSampling1D", size=10**8),
        "ZeroPadding1D": lambda k, c: big(c, "ZeroPadding1D", padding=10**9),
        "LSTM": lambda k, c: big(c, "LSTM", units=10**6),
        "MultiHeadAttention": lambda k, c: big(c, "MultiHeadAttention", num_heads=10**6, key_dim=10**6),
        "Orthogonal": lambda k, c: dense(c, "evil", "in", 10**7, kernel_initializer="orthogonal"),
    }
    for name, inner in listed.items():
        signal = name in ("UpSampling1D", "ZeroPadding1D", "LSTM")
        yield from _everywhere("sizes in options", name, inner, CONTAINERS, (8, SIZE) if signal else (SIZE,))
    for container in CONTAINERS:
        for name, shape in (("10^12", (10**12,)), ("signal", (10**6, 1))):

            def wide(canary: Canary, container: str = container, shape: Any = shape) -> Any:
                last = layer(container, "Flatten", "flat", call(container, reference(container, "in", 0, shape)))
                unrolled = layer(
                    container,
                    "SimpleRNN",
                    "flat",
                    call(container, reference(container, "in", 0, shape)),
                    units=2,
                    unroll=True,
                )
                return functional(container, [entry(container, shape), unrolled if len(shape) == 2 else last], "flat")

            yield _case("sizes of inputs", name, container, wide, may_work=container.endswith("-saved"))
        for name, text in (
            ("digits", '{"class_name": "Sequential", "config": {"name": "m", "layers": [' + "9" * 5000 + "]}}"),
            ("brackets", '{"class_name": "Sequential", "config": ' + "[" * 5000 + "]" * 5000 + "}"),
            ("800 brackets", '{"class_name": "Sequential", "config": ' + "[" * 800 + "]" * 800 + "}"),
            ("objects", '{"class_name": "Sequential", "config": ' * 400 + "{}" + "}" * 400),
        ):
            yield _case(
                "brackets and digits", name, container, lambda _, t=text: t, may_work=container.endswith("-saved")
            )

    def claims(shape: tuple[int, ...], file: Any, canary: Canary, **options: Any) -> None:
        del file["model_weights/first/first/kernel:0"]
        file.create_dataset("model_weights/first/first/kernel:0", shape, "f4", **options)

    for container in HDF5:
        for name, options in (
            ("contiguous", {}),
            ("chunked", {"chunks": (1024, 1024)}),
            ("gzip", {"compression": "gzip"}),
        ):

            def empty(canary: Canary, container: str = container, options: Any = options) -> Sequence[str]:
                edit = partial(claims, (2**20, 2**18), canary=canary, **options)
                return command(write(container, simple(container), edit=edit))

            yield Case("claims in HDF5", f"1 TiB {name} {container}", empty, may_work=False)

    def bomb(canary: Canary, container: str) -> Sequence[str]:
        import zipfile

        with zipfile.ZipFile(container, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("metadata.json", '{"keras_version": "3.15.1"}')
            archive.writestr("config.json", json.dumps(simple(container)))
            with archive.open("model.weights.h5", "w", force_zip64=True) as stream:
                for _ in range(600):
                    stream.write(bytes(1 << 20))
        return command(container)

    for container in ZIPS:
        yield Case("zip bombs", container, partial(bomb, container=container), may_work=False)


def _graphs() -> Iterator[Case]:
    def circle(c: str) -> Any:
        return [entry(c), dense(c, "a", "b"), dense(c, "b", "a"), dense(c, "last", "b", 3)]

    def itself(c: str) -> Any:
        return [entry(c), dense(c, "a", "a"), dense(c, "last", "a", 3)]

    def missing(c: str) -> Any:
        return [entry(c), dense(c, "a", "nobody"), dense(c, "last", "a", 3)]

    def twice(c: str) -> Any:
        return [entry(c), dense(c, "a", "in"), dense(c, "a", "in"), dense(c, "last", "a", 3)]

    def late(c: str) -> Any:
        node = call(c, reference(c, "in", 7))
        return [entry(c), layer(c, "Dense", "a", node, units=SIZE), dense(c, "last", "a", 3)]

    def beyond(c: str) -> Any:
        return [entry(c), dense(c, "a", "in"), layer(c, "Dense", "last", call(c, reference(c, "a", 10**9)), units=3)]

    def backwards(c: str) -> Any:
        middle = [dense(c, f"d{i}", f"d{i - 1}" if i else "in") for i in range(400)]
        return [entry(c), *reversed(middle), dense(c, "last", "d399", 3)]

    def nested(c: str, levels: int, width: int) -> Any:
        inner = functional(c, [entry(c), dense(c, "d", "in")], "d", name="m0")
        first = 1 if kind(c)[0] == 2 else 0  # the number of a model's first call
        for level in range(1, levels):
            step = {**inner, "name": f"m{level - 1}"}
            uses = [{**step, "name": f"u{i}", "config": {**step["config"], "name": f"u{i}"}} for i in range(width)]
            previous = "in"
            for use in uses:
                use["inbound_nodes"] = call(c, reference(c, previous, first if previous != "in" else 0))
                previous = use["name"]
            inner = functional(c, [entry(c), *uses], previous, name=f"m{level}", index=1)
        return inner

    for container in CONTAINERS:
        for make in (circle, itself, missing, twice, late, beyond):
            build = lambda _, c=container, m=make: functional(c, m(c), "last")  # noqa: E731
            # Some containers take a call of an input by any number.
            yield _case(
                "graphs", make.__name__, container, build, may_work=make is late or container.endswith("-saved")
            )
        yield _case(
            "graphs", "backwards", container, lambda _, c=container: functional(c, backwards(c), "last"), may_work=True
        )
        for levels, width in ((60, 1), (12, 1), (6, 6), (5, 3)):

            def deep(_: Canary, c: str = container, levels: int = levels, width: int = width) -> Any:
                return nested(c, levels, width)

            yield _case("models in models", f"{levels} levels of {width}", container, deep, may_work=True)


def _saved() -> Iterator[Case]:
    """SavedModels: what their graphs do, and what lies in their folders."""

    def of(name: str, compute: Callable[[Canary, Any, Any], Any], **options: Any) -> Case:
        def make(canary: Canary) -> Sequence[str]:
            path = graph("model", partial(compute, canary))
            canary.touched()
            if canary.marker.exists():
                canary.marker.unlink()
            return command(path)

        return Case("graphs of SavedModels", name, make, **({"may_work": False} | options))

    def number(tf: Any, text: Any) -> Any:
        return tf.cast(tf.strings.length(text), tf.float32)

    yield of("ReadFile", lambda k, tf, x: x[:, :3] + number(tf, tf.io.read_file(str(k.secret))))
    yield of(
        "MatchingFiles", lambda k, tf, x: x[:, :3] + tf.cast(tf.size(tf.io.matching_files(f"{k.folder}/*")), tf.float32)
    )

    def writing(k: Canary, tf: Any, x: Any) -> Any:
        with tf.control_dependencies([tf.io.write_file(str(k.marker), "x")]):
            return tf.identity(x[:, :3])

    yield of("WriteFile", writing)

    def aborting(k: Canary, tf: Any, x: Any) -> Any:
        stop = tf.cond(tf.reduce_sum(x) > 1e30, lambda: tf.no_op(), lambda: tf.no_op())
        with tf.control_dependencies([stop, tf.raw_ops.Abort(error_msg="x")]):
            return tf.identity(x[:, :3])

    yield of("Abort", aborting)
    yield of("py_function", lambda k, tf, x: tf.py_function(lambda v: v, [x[:, :3]], tf.float32))

    def printing(k: Canary, tf: Any, x: Any) -> Any:
        with tf.control_dependencies([tf.print(x, output_stream=f"file://{k.marker}")]):
            return tf.identity(x[:, :3])

    yield of("PrintV2 to a file", printing)
    yield of("a constant of 64 GiB", lambda k, tf, x: x[:, :3] + tf.reduce_sum(tf.fill([1 << 17, 1 << 17], 0.0)) * 0.0)
    endless = lambda k, tf, x: tf.while_loop(lambda v: tf.reduce_sum(v * v) >= 0.0, lambda v: [v + 1.0], [x[:, :3]])[0]  # noqa: E731
    yield of("a loop without end", endless, timeout=400)

    def big_constant(canary: Canary) -> Sequence[str]:
        from tensorflow.core.protobuf import saved_model_pb2

        path = Path(graph("model", lambda tf, x: x[:, :3] + 1.5), "saved_model.pb")
        message = saved_model_pb2.SavedModel.FromString(path.read_bytes())
        for function in message.meta_graphs[0].graph_def.library.function:
            for node in function.node_def:
                if node.op == "Const" and node.attr["dtype"].type == 1:
                    del node.attr["value"].tensor.tensor_shape.dim[:]
                    for size in (1 << 17, 1 << 17):
                        node.attr["value"].tensor.tensor_shape.dim.add(size=size)
        path.write_bytes(message.SerializeToString())
        return command("model")

    yield Case("graphs of SavedModels", "one value stands for 64 GiB", big_constant, may_work=False)

    def recursive(canary: Canary) -> Sequence[str]:
        from tensorflow.core.protobuf import saved_model_pb2

        path = Path(graph("model", lambda tf, x: x[:, :3] + 1.5), "saved_model.pb")
        message = saved_model_pb2.SavedModel.FromString(path.read_bytes())
        for function in message.meta_graphs[0].graph_def.library.function:
            for node in function.node_def:
                if node.op == "StatefulPartitionedCall":
                    node.attr["f"].func.name = function.signature.name
        path.write_bytes(message.SerializeToString())
        return command("model")

    yield Case("graphs of SavedModels", "a function that calls itself", recursive, may_work=False)

    def linked(place: str, canary: Canary) -> Sequence[str]:
        path = Path(graph("model", lambda tf, x: x[:, :3] + 1.0), place)
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(canary.secret)
        return command("model")

    for place in (
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
        "assets/words",
        "saved_model.pb",
    ):
        yield Case("links in SavedModels", place, partial(linked, place), may_work=False)

    def fifo(canary: Canary) -> Sequence[str]:
        import os

        os.mkfifo("model.keras")
        return ["compress", "model.keras", "--data", data(), "--anyway", "-o", "out"]

    yield Case("links in SavedModels", "a pipe as a model", fifo, may_work=False)


def _works() -> Iterator[Case]:
    """Models without anything wrong: if these did not work, the refusals would prove nothing."""
    for container in CONTAINERS:
        yield Case("nothing wrong", container, lambda _, c=container: command(write(c, simple(c))))


def _mutated(seed: int, number: int) -> Case:
    rng = random.Random(f"{seed}-{number}")
    container = rng.choice(CONTAINERS)

    def make(canary: Canary) -> Sequence[str]:
        if rng.random() < 0.6:
            config = _changed(simple(container), rng, canary)
            return command(write(container, config))
        path = Path(write(container, simple(container)))
        path = rng.choice(sorted(p for p in path.rglob("*") if p.is_file())) if path.is_dir() else path
        content = bytearray(path.read_bytes())
        for _ in range(rng.choice((1, 3, 30))):
            content[rng.randrange(len(content))] = rng.randrange(256)
        path.write_bytes(content[: rng.randrange(len(content))] if rng.random() < 0.1 else content)
        return command(container)

    return Case("mutated", f"{number} {container}", make)


def _changed(config: Any, rng: random.Random, canary: Canary) -> Any:
    """Return a configuration with one to three values replaced, taken away or doubled."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        places: list[tuple[Any, Any]] = []
        stack = [config]
        while stack:
            item = stack.pop()
            inside = item.items() if isinstance(item, dict) else enumerate(item)
            for key, value in inside:
                places.append((item, key))
                if isinstance(value, (dict, list)) and value:
                    stack.append(value)
        parent, key = rng.choice(places)
        other_parent, other_key = rng.choice(places)
        values = [
            *(
                None,
                True,
                -1,
                0,
                1e308,
                2**70,
                3.5,
                "",
                "x",
                "relu",
                "../../x",
                "\x1b[2J",
                "\u202e",
                [],
                {},
                [[[]]],
                "NaN",
            ),
            *("Lambda", "TFOpLambda", "__lambda__", str(canary.secret), float("nan"), "_CONSTANT_VALUE"),
            json.loads(json.dumps(other_parent[other_key])),
        ]
        if rng.random() < 0.2:
            del parent[key]
        else:
            parent[key] = rng.choice(values)
    return config
