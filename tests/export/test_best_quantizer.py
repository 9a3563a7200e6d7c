"""Which of two quantizers is taken, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import ConversionError
from edgekit.export.foreign import best_quantizer, litert_quantizer
from edgekit.export.foreign.normal_form import normal_form
from edgekit.export.tflite import quantizer as tflite_quantizer
from edgekit.export.tflite.bias import Noted
from edgekit.export.tflite.nearness import nearness_db, outputs
from edgekit.formats.reading import inspect_file
from edgekit.formats.shares import weight_share
from edgekit.formats.tflite.pack import pack
from tests.export.test_dense_scales import SAMPLES, files
from tests.support import foreign_tflite
from tests.support.raised import raised
from tests.support.tiny_tflite import changed

HINT = "leave the scheme out"


def noisier(data: bytes) -> bytes:
    """The int8 file with half the levels in its weights."""

    def change(s: Any, whole: Any) -> None:
        for tensor in whole.subgraphs[0].tensors:
            if tensor.name.startswith(b"w"):
                buffer = whole.buffers[tensor.buffer]
                buffer.data = (np.asarray(buffer.data, np.uint8).view(np.int8) // 16 * 16).view(np.uint8)

    return changed(data, change)


def larger(data: bytes) -> bytes:
    return foreign_tflite.with_metadata(data, notes=bytes(500))


def float_inside(data: bytes) -> bytes:
    """A file with the ends of the int8 one, and float between them: what TensorFlow's quantizer makes, at times."""

    def change(s: Any, whole: Any) -> None:
        graph = whole.subgraphs[0]
        for name, ends, scale in ((b"DEQUANTIZE", graph.inputs, 1 / 127), (b"QUANTIZE", graph.outputs, 0.01)):
            code = getattr(s.BuiltinOperator, name.decode())
            whole.operatorCodes.append(s.OperatorCodeT(deprecatedBuiltinCode=code, builtinCode=code))
            inner = int(ends[0])
            how = s.QuantizationParametersT(scale=[scale], zeroPoint=[0])
            shape = graph.tensors[inner].shape
            graph.tensors.append(s.TensorT(shape=shape, type=s.TensorType.INT8, buffer=0, name=name, quantization=how))
            outer = len(graph.tensors) - 1
            pair = ([outer], [inner]) if name == b"DEQUANTIZE" else ([inner], [outer])
            operator = s.OperatorT(opcodeIndex=len(whole.operatorCodes) - 1, inputs=pair[0], outputs=pair[1])
            graph.operators.insert(0 if name == b"DEQUANTIZE" else len(graph.operators), operator)
        graph.inputs, graph.outputs = [len(graph.tensors) - 2], [len(graph.tensors) - 1]

    return changed(data, change)


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return a function from what the two quantizers make, or raise, to what is taken."""

    def given(found: bytes | str) -> Noted:
        if isinstance(found, str):
            raise ConversionError(found, HINT, code="conversion-failed")
        return Noted(found)

    def taken(by_tensorflow: bytes | str, by_litert: bytes | str | None) -> best_quantizer.Made:
        monkeypatch.setattr(tflite_quantizer, "quantize", lambda *_: {"int8": given(by_tensorflow)})
        monkeypatch.setattr(litert_quantizer, "installed", lambda: by_litert is not None)
        monkeypatch.setattr(litert_quantizer, "quantize", lambda *_: given(by_litert or ""))
        return best_quantizer.quantize(files(1)[0], ["int8"], SAMPLES, tmp_path)["int8"]

    return taken


def test_float_weights_lose(choose: Any) -> None:
    source, int8 = files(1)
    made = choose(float_inside(source), int8)
    assert made.data == int8
    assert made.how.startswith("litert-quantizer (")
    assert made.how.endswith("dB, TensorFlow's quantizer has 0% of the weights quantized)")
    assert choose(int8, float_inside(source)).data == int8


def test_float_inputs_lose(choose: Any) -> None:
    source, int8 = files(1)
    made = choose(source, int8)
    assert made.data == int8 and "TensorFlow's quantizer has 0% of the weights" in made.how


def test_one_that_fails_is_said(choose: Any) -> None:
    _, int8 = files(1)
    made = choose("TensorFlow's quantizer died of SIGSEGV", int8)
    assert made.data == int8 and made.how.endswith("dB, TensorFlow's quantizer failed)")
    assert choose(int8, "cannot").how.startswith("TensorFlow's quantizer (")


def test_two_that_fail_are_both_said(choose: Any) -> None:
    with raised("conversion-failed", "it died; it cannot", HINT):
        choose("it died", "it cannot")


def test_the_nearer_file_is_taken_and_of_two_as_near_the_smaller(choose: Any) -> None:
    _, int8 = files(1)
    for pair, by in (((noisier(int8), int8), "litert-quantizer"), ((int8, noisier(int8)), "TensorFlow's quantizer")):
        made = choose(*pair)
        assert made.data == int8 and made.how.startswith(f"{by} (")
    made = choose(larger(int8), int8)
    assert made.data == int8 and f"dB in {len(pack(larger(int8))):,} bytes" in made.how
    assert choose(int8, larger(int8)).data == int8
    assert choose(int8, int8).how.startswith("TensorFlow's quantizer")


def test_a_file_that_does_not_run_loses(choose: Any) -> None:
    def change(s: Any, whole: Any) -> None:
        whole.operatorCodes[0].version = 99

    _, int8 = files(1)
    made = choose(changed(int8, change), int8)
    assert made.data == int8 and "the file of TensorFlow's quantizer does not run" in made.how


def test_without_the_other_package(choose: Any) -> None:
    _, int8 = files(1)
    assert choose(int8, None) == best_quantizer.Made(int8, "TensorFlow's quantizer")
    with raised("conversion-failed", "it died"):
        choose("it died", None)


def share(data: bytes, folder: Path) -> float | None:
    path = folder / "made.tflite"
    path.write_bytes(data)
    info = inspect_file(path)
    assert {t.dtype for t in (*info.inputs, *info.outputs) if t.name != "tokens"} == {"int8"}
    return weight_share(info).value


@pytest.mark.parametrize("name", ["composite", "tied_embedding"])
def test_litert_quantizer(name: str, tmp_path: Path) -> None:
    """Files that TensorFlow's quantizer dies of or leaves float: in int8, and near what the float file computes."""
    source = foreign_tflite.FILES[name]()
    rng = np.random.default_rng(2)
    fed = [rng.integers(0, 20, (40, 4)) if name == "tied_embedding" else rng.uniform(-1, 1, (40, 16))]
    fed = [fed[0].astype(np.int32 if name == "tied_embedding" else np.float32)]
    made = litert_quantizer.quantize(source, "int8", fed).data
    assert share(made, tmp_path) == 1
    assert nearness_db(outputs(source, fed), outputs(made, fed)) > 25


def test_every_tensor_gets_a_name_of_its_own() -> None:
    """Also where the name that would be made is taken: this looped for ever."""
    from ai_edge_litert import schema_py_generated as schema

    def rename(s: Any, whole: Any) -> None:
        for tensor, name in zip(whole.subgraphs[0].tensors, (b"a", b"a_4", b"a"), strict=False):
            tensor.name = name

    made = litert_quantizer._as_it_takes(changed(files(1)[0], rename))
    names = [tensor.name for tensor in schema.ModelT.InitFromPackedBuf(made, 0).subgraphs[0].tensors]
    assert names[:3] == [b"a", b"a_4", b"a_5"] and len(set(names)) == len(names)


@pytest.mark.tensorflow
def test_tensorflow_quantizes_what_litert_torch_writes(tmp_path: Path) -> None:
    """As it came, all its weights stayed float: the metadata `keep_stablehlo_constant` hid them."""
    fed = [np.random.default_rng(2).uniform(-1, 1, (40, 16)).astype(np.float32)]
    source = foreign_tflite.stablehlo_constants()
    made = tflite_quantizer.quantize(normal_form(source)[0], ["int8"], fed)["int8"].data
    assert share(made, tmp_path) == 1
    assert nearness_db(outputs(source, fed), outputs(made, fed)) > 25
