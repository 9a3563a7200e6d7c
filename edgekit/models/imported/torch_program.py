"""A program of torch.export (`.pt2`), looked at before PyTorch sees it, and copied without what could run code.

A `.pt2` is a zip: the graph as JSON, weights as raw bytes, and sample inputs as a pickle. `torch.export.load` unpickles
the latter, evaluates size expressions as Python, executes guards, loads compiled libraries, and calls any operator that
the graph names, of which some write files. So the graph is read here, strictly: operators of ATen on tensors, names,
numbers, and sizes. What passes is written into a fresh archive, without pickles, guards and stack traces; what does not
is refused by name.

Source of the format: torch/_export/serde/schema.py and torch/export/pt2_archive of PyTorch 2.13.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgekit.errors import InputError
from edgekit.errors.printable import visible
from edgekit.models.files.gate.archive import Bomb, check_archive

SUFFIX = ".pt2"
MOST_JSON = 64 << 20
EXPORT = (
    "export the model as ONNX: `torch.onnx.export(model.eval(), (example,), 'net.onnx', dynamo=True)`, "
    "and give net.onnx"
)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_PATH = re.compile(r"[A-Za-z_0-9]\w*(\.\w+)*", re.ASCII)
_ATEN = re.compile(r"torch\.ops\.aten\.([A-Za-z_]\w*)\.\w+", re.ASCII)
_PLAIN = re.compile(
    r"_operator\.(getitem|add|sub|mul|truediv|floordiv|mod|neg|eq|ne|lt|le|gt|ge|pow|and_|or_)"
    r"|math\.(ceil|floor|trunc|sqrt)|torch\.sym_(max|min|int|float|not|ite|sum)"
)
_SIZE = re.compile(
    r"(?:Symbol\('[su]\d+'(?:, ?\w+=(?:True|False))*\)|Integer\(-?\d{1,12}\)|[su]\d+|\d{1,12}"
    r"|(?:Add|Mul|Max|Min|FloorDiv|CeilDiv|Mod|PythonMod)\(|[()+\-/, ]|\*(?!\*))+"
)
_TAKE_TEXT = frozenset(("conv1d", "conv2d", "conv3d", "div", "einsum", "gelu", "meshgrid", "pad", "scatter_reduce"))
"""Operators that take a text; of others, such as `from_file` and `save`, it may be the name of a file."""
_TREES = (None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict")
_GRAPH_VALUES = ("tensor_values", "sym_int_values", "sym_bool_values", "sym_float_values")


_BROKEN = (
    zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError, ValueError, zlib.error, AttributeError,
    TypeError, LookupError,
)  # fmt: skip
"""What reading a damaged zip, or JSON of another form, raises."""


class _Refused(Exception):
    """The text completes "`net.pt2`: ..."."""


def is_program(path: Path) -> bool:
    """Return whether a file is to be taken as a program of torch.export, by its suffix."""
    return path.suffix.lower() == SUFFIX


def write_clean(path: Path, target: Path) -> None:
    """Write a copy of a program that holds the graph and raw weights only.

    Args:
        path: of the program.
        target: the new file, which ends in `.pt2`.

    Raises:
        InputError: it is none, is damaged, or holds what is not loaded: pickles, compiled code, control flow, operators
            besides ATen's.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(archive, path.stat().st_size)
            _copy(archive, target)
    except _Refused as error:
        raise InputError(f"{path}: {error}", EXPORT, code="program-not-loaded") from error
    except Bomb as error:
        raise InputError(f"{path}: {error}", EXPORT, code="file-suspicious") from error
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such model file", "check the path", code="file-missing") from error
    except _BROKEN as error:
        raise InputError(
            f"{path}: is no whole program of torch.export: {visible(str(error)[:200])}",
            f"copy it again, or {EXPORT}",
            code="file-damaged",
        ) from error


def _copy(archive: zipfile.ZipFile, target: Path) -> None:
    names = archive.namelist()
    root = next((name.partition("/")[0] for name in names if name.endswith("/models/model.json")), None)
    if root is None:
        pickled = any(name.endswith(("data.pkl", ".pkl")) for name in names)
        raise _Refused(
            "is a pickle of torch.save, which runs code when it is loaded; edgekit loads none"
            if pickled
            else "holds no `models/model.json`, as torch.export.save of PyTorch 2.8 and newer writes it"
        )
    compiled = next((name for name in names if "/aotinductor/" in name or name.endswith((".so", ".pyd"))), None)
    if compiled is not None:
        raise _Refused(f"holds compiled code, `{visible(compiled[:120])}`, which is not run")
    program = _program(_json(archive, f"{root}/models/model.json"))
    weights = _payloads(_json(archive, f"{root}/data/weights/model_weights_config.json"), "weight_")
    constants = _payloads(_json(archive, f"{root}/data/constants/model_constants_config.json"), "tensor_")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as copy:
        for name, text in (
            ("archive_format", "pt2"),
            ("archive_version", "0"),
            ("byteorder", _order(archive, root)),
            (".data/version", "3\n"),
            ("models/model.json", json.dumps(program)),
            ("data/weights/model_weights_config.json", json.dumps(weights)),
            ("data/constants/model_constants_config.json", json.dumps(constants)),
            ("data/sample_inputs/model.pt", ""),
        ):
            copy.writestr(f"model/{name}", text)
        for folder, config in (("weights", weights), ("constants", constants)):
            for name in sorted({payload["path_name"] for payload in config["config"].values()}):
                with archive.open(f"{root}/data/{folder}/{name}") as source:
                    copy.writestr(f"model/data/{folder}/{name}", source.read())


def _order(archive: zipfile.ZipFile, root: str) -> str:
    if f"{root}/byteorder" in archive.namelist() and archive.read(f"{root}/byteorder").strip() != b"little":
        raise _Refused("was written on a machine with another byte order")
    return "little"


def _json(archive: zipfile.ZipFile, name: str) -> Any:
    try:
        member = archive.getinfo(name)
    except KeyError:
        raise _Refused(f"holds no `{visible(name[:120])}`") from None
    if member.file_size > MOST_JSON:
        raise _Refused(f"`{visible(name[:120])}` is larger than {MOST_JSON >> 20} MiB")
    return json.loads(archive.read(member))


def _payloads(config: Any, prefix: str) -> Any:
    """Return the description of raw tensors; refuse pickled ones."""
    kept = {}
    for name, payload in _table(config, "config").items():
        if payload.get("use_pickle") or not re.fullmatch(prefix + r"\d+", str(payload.get("path_name"))):
            raise _Refused(f"keeps `{visible(str(name)[:120])}` as a pickle, which runs code when it is loaded")
        meta = _cleaned(_table(payload, "tensor_meta"))
        kept[_dotted(name)] = {
            "path_name": payload["path_name"],
            "is_param": bool(payload.get("is_param")),
            "use_pickle": False,
            "tensor_meta": meta,
        }
    return {"config": kept}


def _program(program: Any) -> Any:
    module = _table(program, "graph_module")
    graph = _table(module, "graph")
    if graph.get("custom_obj_values"):
        raise _Refused("holds objects of custom classes, which are not loaded")
    kept: dict[str, Any] = {key: _named(graph.get(key) or {}) for key in _GRAPH_VALUES}
    kept |= {key: _cleaned(graph.get(key) or []) for key in ("inputs", "outputs")}
    kept["nodes"] = [_node(node) for node in graph.get("nodes") or []]
    kept |= {"is_single_tensor_return": bool(graph.get("is_single_tensor_return")), "custom_obj_values": {}}
    calls = [call for call in module.get("module_call_graph") or [] if call.get("fqn") == "" and call.get("signature")]
    if not calls:
        raise _Refused("does not say how it is called")
    signature = calls[0]["signature"]
    call = {
        "inputs": [],
        "outputs": [],
        "in_spec": _tree(signature.get("in_spec")),
        "out_spec": _tree(signature.get("out_spec")),
        "forward_arg_names": [_identifier(name) for name in signature.get("forward_arg_names") or []],
    }
    return {
        "graph_module": {
            "graph": kept,
            "signature": _cleaned(_table(module, "signature")),
            "module_call_graph": [{"fqn": "", "signature": call}],
            "metadata": {},
            "treespec_namedtuple_fields": {},
        },
        "opset_version": {"aten": int(_table(program, "opset_version").get("aten", 0))},
        "range_constraints": {
            _identifier(name): {
                key: None if (n := bounds.get(key)) is None else int(n) for key in ("min_val", "max_val")
            }
            for name, bounds in (program.get("range_constraints") or {}).items()
        },
        "schema_version": {key: int(n) for key, n in _table(program, "schema_version").items()},
        "verifiers": [],
        "torch_version": "",
        "guards_code": [],
    }


def _bound(value: Any) -> int | None:
    return None if value is None else int(value)


def _node(node: Any) -> Any:
    target = str(node.get("target"))
    aten = _ATEN.fullmatch(target)
    if aten is None and _PLAIN.fullmatch(target) is None:
        control = target.startswith("torch.ops.higher_order.")
        why = "control flow" if control else "edgekit lets PyTorch run operators of ATen only"
        raise _Refused(f"operator `{visible(target[:120])}` (node `{visible(str(node.get('name'))[:80])}`): {why}")
    inputs = _cleaned(node.get("inputs") or [])
    if _texts(inputs) and (aten is None or aten[1] not in _TAKE_TEXT):
        raise _Refused(f"operator `{visible(target[:120])}` is given a text, which may be the name of a file")
    return {
        "target": target,
        "inputs": inputs,
        "outputs": _cleaned(node.get("outputs") or []),
        "metadata": {},
        "is_hop_single_tensor_return": None,
        "name": _identifier(node.get("name")),
    }


_FORBIDDEN = {
    "as_graph": "holds a graph in a graph: control flow",
    "as_operator": "hands over an operator as a value",
    "as_custom_obj": "takes an object of a custom class",
    "custom_obj": "takes an object of a custom class",
    "as_opaque": "takes an opaque object",
    "token": "has side effects",
}
_DEVICES = ("device", "as_device")
"""Keys of where a tensor was: here it is on the CPU."""
_KEYS: dict[str, Callable[[Any], Any]] = {
    "name": lambda value: value if value == "" else _identifier(value),
    "as_name": lambda value: _identifier(value),
    "parameter_name": lambda value: _dotted(value),
    "buffer_name": lambda value: _dotted(value),
    "tensor_constant_name": lambda value: _dotted(value),
    "user_input_name": lambda value: _identifier(value),
    "expr_str": lambda value: _size(value),
    "as_string": lambda value: value if re.fullmatch(r"[\w ,.>-]{0,300}", str(value)) else _text(value),
}
"""By key: what a value may be, and what is kept of it."""


def _cleaned(value: Any) -> Any:
    """Return JSON of the graph as it is, every text of it checked by its key."""
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        forbidden = next((why for key, why in _FORBIDDEN.items() if key in value), None)
        if forbidden is not None:
            raise _Refused(f"{forbidden}, and is not loaded")
        return {_identifier(key): _of_key(key, item) for key, item in value.items()}
    if isinstance(value, str):
        return _text(value)
    return value


def _of_key(key: str, value: Any) -> Any:
    if key in _DEVICES:
        return {"type": "cpu", "index": None}
    return _KEYS[key](value) if key in _KEYS and not isinstance(value, (dict, list)) else _cleaned(value)


def _named(values: Any) -> Any:
    return {_identifier(name): _cleaned(value) for name, value in values.items()}


def _texts(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_texts, value))
    if isinstance(value, dict):
        return any(key in ("as_string", "as_strings") or _texts(item) for key, item in value.items())
    return False


def _table(value: Any, key: str) -> Any:
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, dict):
        raise _Refused(f"its description lacks `{key}`")
    return found


def _identifier(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise _Refused(f"the name `{visible(str(value)[:80])}` in its graph is none")
    return value


def _dotted(value: Any) -> str:
    if not isinstance(value, str) or not _PATH.fullmatch(value) or any(p.startswith("__") for p in value.split(".")):
        raise _Refused(f"the name `{visible(str(value)[:80])}` of a weight is none")
    return value


def _size(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 1000 or not _SIZE.fullmatch(value):
        raise _Refused(f"the size `{visible(str(value)[:80])}` is not plain arithmetic: export it with fixed sizes")
    return value


def _text(value: Any) -> str:
    raise _Refused(f"its graph holds the text `{visible(str(value)[:80])}`, which is not known to be harmless")


def _tree(text: Any) -> str:
    """Return how inputs or outputs are nested, as JSON; refuse classes besides Python's own containers."""
    tree = json.loads(text)

    def check(node: Any) -> None:
        if node.get("type") not in _TREES:
            raise _Refused(f"an input or output is a `{visible(str(node.get('type'))[:80])}`, which is not loaded")
        for child in node.get("children_spec") or []:
            check(child)

    check(tree[1])
    return json.dumps(tree)
