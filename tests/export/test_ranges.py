"""Ranges measured on float files, and what the quantizers make of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.export.calibration import MINMAX, Ranging
from edgekit.export.signature import Signature
from edgekit.export.tflite import convert as tflite
from edgekit.export.tflite.ranges import with_ranges
from edgekit.frameworks.tensorflow import quiet, seed_everything, tensorflow, tf_keras
from edgekit.stats import sqnr_db

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def samples() -> Any:
    return np.random.default_rng(0).uniform(0, 1, (60, 12, 12, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Signature]:
    """A convolution with relu inside and a scaled BatchNormalization behind: MUL and ADD follow each other."""
    seed_everything(0)
    layers, rng = tf_keras().layers, np.random.default_rng(1)
    inputs = layers.Input((12, 12, 3))
    x = inputs
    for _ in range(2):
        x = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
        norm = layers.BatchNormalization()
        x = layers.MaxPooling2D()(norm(x))
        norm.set_weights([rng.uniform(8, 12, 8), rng.uniform(-9, 9, 8), rng.uniform(0, 1, 8), rng.uniform(0.5, 1, 8)])
    model = tf_keras().Model(inputs, layers.Dense(4)(layers.Flatten()(x)))
    signature, folder = Signature(model), tmp_path_factory.mktemp("ranges") / "saved"
    signature.save(folder)
    return folder, signature


def run(flatbuffer: bytes, samples: Any) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=flatbuffer)
    interpreter.allocate_tensors()
    [source], [target] = interpreter.get_input_details(), interpreter.get_output_details()
    found = []
    for sample in samples:
        (scale, zero), kind = source["quantization"], source["dtype"]
        if scale:
            limits = np.iinfo(kind)
            sample = np.clip(np.round(sample / scale + zero), limits.min, limits.max)
        interpreter.set_tensor(source["index"], sample[None].astype(kind))
        interpreter.invoke()
        found.append(interpreter.get_tensor(target["index"])[0])
    scale, zero = target["quantization"]
    return (np.array(found, np.float64) - zero) * scale if scale else np.array(found)


def tensors(flatbuffer: bytes) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromPackedBuf(flatbuffer, 0).subgraphs[0].tensors


def test_every_computed_tensor_has_the_range_that_it_really_has(saved: Any, samples: Any) -> None:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    flatbuffer = tflite.convert(*saved, "float32", samples)
    ranged = tensors(with_ranges(flatbuffer, [samples], MINMAX, "int8"))
    interpreter = Interpreter(
        model_content=flatbuffer,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    computed = [i for i, t in enumerate(ranged) if t.quantization is not None and t.quantization.min is not None]
    assert len(computed) >= 9
    values: dict[int, list[Any]] = {i: [] for i in computed}
    for sample in samples:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], sample[None])
        interpreter.invoke()
        for i in computed:
            values[i].append(interpreter.get_tensor(i))
    for i in computed:
        seen = (ranged[i].quantization.min[0], ranged[i].quantization.max[0])
        np.testing.assert_allclose(seen, (np.min(values[i]), np.max(values[i])), rtol=1e-4, atol=1e-5)


def test_int8_is_better_than_with_the_ranges_that_tensorflow_logs(saved: Any, samples: Any) -> None:
    folder, signature = saved
    converter = tensorflow().lite.TFLiteConverter.from_saved_model(str(folder))
    tflite.int8(converter)
    [spec] = signature.inputs
    converter.representative_dataset = lambda: ({spec.name: sample[None]} for sample in samples)
    exact = run(tflite.convert(folder, signature, "float32", samples), samples)
    with quiet():
        made = converter.convert()
    alone = sqnr_db(exact, run(made, samples))
    ours = sqnr_db(exact, run(tflite.convert(folder, signature, "int8", samples), samples))
    assert ours > alone + 6  # 11 and 29 dB when this was written


@pytest.mark.parametrize("scheme", ["int8", "int16x8"])
def test_an_outlier_costs_less_where_it_may_saturate(scheme: str, saved: Any, samples: Any) -> None:
    spoiled = samples.copy()
    spoiled[3, 5, 5, 1] = 90.0
    exact = run(tflite.convert(*saved, "float32", samples), samples[10:])
    made = {m: tflite.convert(*saved, scheme, spoiled, Ranging(m)) for m in ("minmax", "percentile")}
    ratio = {m: sqnr_db(exact, run(data, samples[10:])) for m, data in made.items()}
    assert tensors(made["minmax"])[0].quantization.scale[0] > 20 * tensors(made["percentile"])[0].quantization.scale[0]
    assert ratio["percentile"] > ratio["minmax"] + (6 if scheme == "int8" else -1)


def test_inputs_are_fed_by_their_names_not_by_their_places(tmp_path: Path) -> None:
    layers, rng = tf_keras().layers, np.random.default_rng(2)
    ports = [layers.Input((4,), name=name) for name in ("zebra", "ant", "mole")]
    model = tf_keras().Model(ports, layers.Dense(2)(layers.Concatenate()([p * 1.5 for p in ports[::-1]])))
    signature = Signature(model)
    signature.save(tmp_path / "saved")
    calibration = tuple(np.asarray(rng.uniform(0, peak, (20, 4)), np.float32) for peak in (1, 10, 100))
    made = tflite.convert(tmp_path / "saved", signature, "int8", calibration)
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_content=made).get_signature_runner()
    found = {name: details["quantization"][0] for name, details in runner.get_input_details().items()}
    for spec, array in zip(signature.inputs, calibration, strict=True):
        assert found[spec.name] == pytest.approx(array.max() / 255, rel=0.01)
