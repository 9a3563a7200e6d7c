"""The bundle's README.txt: how to feed the model, with its own numbers, from Python, Kotlin and C++."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from edgekit.bundle.manifest import EVAL, MANIFEST, Artifact, Manifest
from edgekit.errors.printable import visible
from edgekit.export.rewrites.apply import in_words
from edgekit.schema.types import JsonObject
from edgekit.tasks.detection.description import Detection
from edgekit.tasks.detection.forms import FORMS
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.tensors import TensorSpec

KEEP_STATE = frozenset(
    f"{kind}{cell}"
    for kind in ("", "UNIDIRECTIONAL_SEQUENCE_", "BIDIRECTIONAL_SEQUENCE_")
    for cell in ("LSTM", "RNN", "SVDF")
)
"""Operators of TFLite whose state outlives a run; the converter makes such of Keras's LSTM, which starts anew."""


def readme(manifest: Manifest, operators: Collection[str] = ()) -> str:
    """Return the text; `operators` are those of the TFLite files."""
    runnable = [a for a in manifest.artifacts if a.format != "c"]
    chosen = next((a for a in runnable if (a.format, a.scheme) == ("tflite", "int8")), runnable[0])
    parts = [
        visible(f"{manifest.name}, compressed by edgekit {manifest.edgekit} with the recipe `{manifest.recipe}`"),
        _files(manifest),
        _feeding(chosen, manifest.preprocessing),
        _python(chosen, manifest.preprocessing, classes=manifest.task.main.kind == "classification"),
    ]
    parts += _as_in_file(chosen, manifest)
    if chosen.format == "tflite" and len(chosen.inputs) == len(chosen.outputs) == 1:
        source, target = chosen.inputs[0], chosen.outputs[0]
        parts += [_kotlin(chosen, source, target, manifest.preprocessing), _cpp(chosen, source, target)]
    if KEEP_STATE.intersection(operators):
        parts.append(_state())
    parts += _rewrites(manifest)
    parts.append(_meaning(manifest))
    parts.append(f"All numbers, digests and the lineage: {MANIFEST}")
    return "\n\n".join(parts) + "\n"


def _as_in_file(artifact: Artifact, manifest: Manifest) -> list[str]:
    """Return a function that takes and gives arrays as the file did that the model was rebuilt from, channels first."""
    step: JsonObject = next((s for s in manifest.lineage if "channels_last" in s or "outputs_channels_last" in s), {})
    fed, made = step.get("channels_last", {}), step.get("outputs_channels_last", {})
    if not fed and not made:
        return []
    file = visible(str(step["file"]))
    names = [f"x{i}" if len(artifact.inputs) > 1 else "x" for i in range(len(artifact.inputs))]
    body = list[str]()
    for name, source in zip(names, artifact.inputs, strict=True):
        order = fed.get(source.name)
        body += [f"{name} = {name}.transpose({_listed(order)})  # channels last"] if order else []
        body += _typed(name, source)
    if artifact.format == "tflite":
        body += [f"model.set_tensor(model.get_input_details()[{i}]['index'], {name})" for i, name in enumerate(names)]
        body.append("model.invoke()")
        outputs = [f"model.get_tensor(model.get_output_details()[{i}]['index'])" for i in range(len(artifact.outputs))]
    else:
        given = ", ".join(f"{s.name!r}: {name}" for s, name in zip(artifact.inputs, names, strict=True))
        body.append(f"outputs = model.run(None, {{{given}}})")
        outputs = [f"outputs[{i}]" for i in range(len(artifact.outputs))]
    results = [f"y{i}" if len(outputs) > 1 else "y" for i in range(len(outputs))]
    for name, output, target in zip(results, outputs, artifact.outputs, strict=True):
        body.append(f"{name} = {output}")
        body += _real(name, target)
        if target.name in made:
            order = sorted(range(len(target.shape)), key=made[target.name].__getitem__)
            body.append(f"{name} = {name}.transpose({_listed(order)})")
    code = [f"def run({', '.join(names)}):", *(f"    {line}" for line in [*body, f"return {', '.join(results)}"])]
    head = f"Channels are last in the files here. For arrays as {file} takes and gives them, one sample in float32:"
    return [f"{head}\n\n" + _indent("\n".join(code))]


def _listed(order: Sequence[int]) -> str:
    return ", ".join(map(str, order))


def _state() -> str:
    """Say how each runtime forgets the sample before."""
    calls = (
        ("Python", "model.reset_all_variables()"),
        ("Kotlin", "interpreter.resetVariableTensors()"),
        ("C++", "interpreter->ResetVariableTensors()"),
        ("microcontroller", "interpreter.Reset()"),
    )
    head = "The .tflite files hold an LSTM or the like, whose state outlives a run. Call before every sample:"
    return "\n".join([head, *(f"  {where:<16} {call}" for where, call in calls)])


def _meaning(manifest: Manifest) -> str:
    """Say what the outputs are."""
    if not manifest.class_names:
        heads = (
            f"{visible(h.name)}: {h.kind}{', logits' * h.logits}, judged by {visible(h.metric)}"
            for h in manifest.task.heads
        )
        return "Outputs: " + "; ".join(heads)
    classes = ", ".join(f"{i} {visible(name)}" for i, name in enumerate(manifest.class_names[:20]))
    said = f"Classes: {classes}{', ...' * (len(manifest.class_names) > 20)}"
    return said if manifest.task.detection is None else f"{said}\n{_boxes(manifest, manifest.task.detection)}"


def _boxes(manifest: Manifest, how: Detection) -> str:
    """Say how the outputs of a detector become boxes."""
    pairs = zip(manifest.task.heads, how.parts, strict=True)
    held = (
        f"{visible(head.name)}: {', '.join(part.holds)}, channels {part.axis}" for head, part in pairs if part.holds
    )
    return (
        f"Outputs, raw: {'; '.join(held)}. Boxes are {how.boxes} ({FORMS[how.boxes].holds}) in {how.units}, scores "
        f"{how.scores}. edgekit keeps scores from {how.threshold:g}, and of boxes of one class that overlap by more "
        f"than {how.overlap:g} the best; all of it is in {MANIFEST}, `task`, and explained in docs/detection.md."
    )


def _rewrites(manifest: Manifest) -> list[str]:
    """Say what was rewritten in the model before quantization, and in which files; nothing if nothing was."""
    files: dict[str, list[str]] = {}
    for artifact in manifest.artifacts:
        if artifact.rewrites:
            files.setdefault(in_words(artifact.rewrites), []).append(visible(artifact.file))
    return [
        "\n".join(
            [
                f"Rewritten before quantization, the outputs in float unchanged ({', '.join(names)}):",
                *(f"  {line}" for line in words.split("; ")),
            ]
        )
        for words, names in files.items()
    ]


def _files(manifest: Manifest) -> str:
    lines = [f"  {visible(a.file):<28} {a.bytes:>9,} bytes  {a.scheme}" for a in manifest.artifacts]
    count = manifest.data["eval"]["samples"]
    inputs = next(a.inputs for a in manifest.artifacts if a.format != "c")
    keys = "x, y" if len(inputs) == 1 else ", ".join(f"x/{visible(spec.name)}" for spec in inputs)
    wide = [f"  {visible(note)}" for note in map(Artifact.wide_weights, manifest.artifacts) if note]
    return "\n".join(["Files", *lines, f"  {EVAL:<28} {count:>9,} test samples ({keys}), as stored", *wide])


def pixel_formula(source: TensorSpec, preprocessing: Preprocessing) -> str:
    """Return the shortest formula from a stored value `x` to what the input tensor holds."""
    if source.scale is None or source.zero_point is None:
        return f"{preprocessing}, as {source.dtype}"
    plain = preprocessing.mean == (0.0,) and preprocessing.std == (1.0,)
    # scale and zero_point are exact up to float32: x / 255 with an int8 scale of 1/255 is x - 128
    if plain and math.isclose(preprocessing.scale / source.scale, 1.0, rel_tol=1e-5):
        return f"x{_plus(source.zero_point)}"
    return f"round(({preprocessing}) / {source.scale:.9g}){_plus(source.zero_point)}, clipped to {source.dtype}"


def _plus(zero_point: int | None) -> str:
    return "" if not zero_point else f" {'-' if zero_point < 0 else '+'} {abs(zero_point)}"


def _feeding(artifact: Artifact, preprocessing: Preprocessing) -> str:
    lines = [f"Feeding {visible(artifact.file)}"]
    for source in artifact.inputs:
        key = _key(artifact, source)
        lines += [
            f"  input   {visible(source.name)}: {source.dtype} {list(source.shape)}" + _quantization(source),
            f"          value = {pixel_formula(source, preprocessing.of(source.name))}, "
            f"where x is a stored sample ({EVAL}{'' if key == 'x' else f', {visible(key)}'})",
        ]
    for target in artifact.outputs:
        lines.append(f"  output  {visible(target.name)}: {target.dtype} {list(target.shape)}" + _quantization(target))
        if target.scale is not None:
            lines.append(f"          real = (value - {_signed(target.zero_point)}) * {target.scale:.9g}")
    return "\n".join(lines)


def _key(artifact: Artifact, source: TensorSpec) -> str:
    """Return the name of an input's samples in the evaluation file."""
    return "x" if len(artifact.inputs) == 1 else f"x/{source.name}"


def _quantization(spec: TensorSpec) -> str:
    return "" if spec.scale is None else f", scale {spec.scale:.9g}, zero_point {spec.zero_point}"


def _signed(value: int | None) -> str:
    return f"({value})" if (value or 0) < 0 else str(value)


def _python(artifact: Artifact, preprocessing: Preprocessing, *, classes: bool) -> str:
    several = len(artifact.inputs) > 1
    steps = [f"samples = np.load('{EVAL}')"]
    names = [f"x{index}" if several else "x" for index in range(len(artifact.inputs))]
    for name, source in zip(names, artifact.inputs, strict=True):
        steps += _prepare(name, source, _key(artifact, source), preprocessing.of(source.name))
    if artifact.format == "tflite":
        head = "import numpy as np\nfrom ai_edge_litert.interpreter import Interpreter"
        steps += [f"model = Interpreter({artifact.file!r}, num_threads=1)", "model.allocate_tensors()"]
        steps += [
            f"model.set_tensor(model.get_input_details()[{index}]['index'], {name})" for index, name in enumerate(names)
        ]
        steps.append("model.invoke()")
        outputs = [
            f"model.get_tensor(model.get_output_details()[{i}]['index'])[0]" for i in range(len(artifact.outputs))
        ]
    else:
        head = "import numpy as np\nimport onnxruntime"
        fed = ", ".join(f"{s.name!r}: {name}" for s, name in zip(artifact.inputs, names, strict=True))
        steps += [f"model = onnxruntime.InferenceSession({artifact.file!r})", f"outputs = model.run(None, {{{fed}}})"]
        outputs = [f"outputs[{index}][0]" for index in range(len(artifact.outputs))]
    for index, target in enumerate(artifact.outputs):
        name = f"y{index}" if len(outputs) > 1 else "y"
        steps += [f"{name} = {outputs[index]}", *_real(name, target)]
        steps.append(
            "print(y.argmax(), y.max())" if classes and len(outputs) == 1 else f"print({target.name!r}, {name})"
        )
    return "Python\n\n" + _indent(head + "\n\n" + "\n".join(steps))


def _prepare(name: str, source: TensorSpec, key: str, how: Preprocessing) -> list[str]:
    """Return the lines that turn the first stored sample into an input."""
    steps = [f"{name} = samples[{key!r}][:1].astype(np.float32)"]
    steps.append(f"{name} = ({name} * {how.scale!r} - np.float32({list(how.mean)!r})) / np.float32({list(how.std)!r})")
    if how.channels == "BGR":
        steps.append(f"{name} = {name}[..., ::-1]")
    if how.layout == "NCHW":
        steps.append(f"{name} = {name}.transpose(0, 3, 1, 2)")
    return [*steps, *_typed(name, source)]


def _typed(name: str, source: TensorSpec) -> list[str]:
    """Return the line that turns real values into those of an input tensor; none where they are the same."""
    if source.scale is not None:
        return [
            f"{name} = np.clip(np.round({name} / {source.scale!r}){_plus(source.zero_point)}, "
            f"*{_limits(source.dtype)}).astype(np.{source.dtype})"
        ]
    return [] if source.dtype == "float32" else [f"{name} = {name}.astype(np.{source.dtype})"]


def _real(name: str, target: TensorSpec) -> list[str]:
    """Return the line that turns values of an output tensor into real ones; none where they are the same."""
    if target.scale is None:
        return []
    return [f"{name} = ({name}.astype(np.float32) - {_signed(target.zero_point)}) * {target.scale!r}"]


def _limits(dtype: str) -> tuple[int, int]:
    bits = int(dtype.removeprefix("u").removeprefix("int"))
    return (0, 2**bits - 1) if dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _kotlin(artifact: Artifact, source: TensorSpec, target: TensorSpec, preprocessing: Preprocessing) -> str:
    count, classes = math.prod(source.shape), target.shape[-1]
    width = {"float32": 4, "int16": 2}.get(source.dtype, 1)
    order, stored = _kotlin_place(source, preprocessing)
    put = {"float32": "putFloat", "int16": "putShort"}.get(source.dtype, "put")
    out = {"float32": "FloatArray", "int16": "ShortArray"}.get(target.dtype, "ByteArray")
    convert = {"float32": "", "int16": ".toShort()"}.get(source.dtype, ".toByte()")
    code = f"""// implementation("com.google.ai.edge.litert:litert:1.4.0") or newer; {visible(artifact.file)} in assets/
val mean = floatArrayOf({_floats(preprocessing.mean)})
val std = floatArrayOf({_floats(preprocessing.std)})
val input = ByteBuffer.allocateDirect({count * width}).order(ByteOrder.nativeOrder())
sample.forEachIndexed {{ i, x ->          // {count} stored values, {stored}, last axis fastest
    val real = (x * {preprocessing.scale:.9g}f - mean[i % mean.size]) / std[i % std.size]
    input.{put}({f"{order} * {width}, " if order else ""}{_kotlin_value(source)}{convert})
}}
val output = arrayOf({out}({classes}))
Interpreter(FileUtil.loadMappedFile(context, {_quoted(artifact.file)})).run(input.rewind(), output)
val best = output[0].indices.maxByOrNull {{ output[0][it] }}"""
    return "Kotlin (Android)\n\n" + _indent(code)


def _kotlin_place(source: TensorSpec, how: Preprocessing) -> tuple[str, list[int]]:
    """Return where the stored value `i` goes in the input, empty if to `i`, and the axes of a stored sample."""
    shape, reverse = list(source.shape[1:]), how.channels == "BGR"
    if how.layout == "NCHW" and len(shape) == 3:
        channels, *image = shape
        channel = "(2 - i % 3)" if reverse else f"i % {channels}"
        return f"({channel} * {math.prod(image)} + i / {channels})", [*image, channels]
    return "(i / 3 * 3 + 2 - i % 3)" if reverse else "", shape


def _floats(values: tuple[float, ...]) -> str:
    return ", ".join(f"{v:.9g}f" for v in values)


def _kotlin_value(source: TensorSpec) -> str:
    if source.scale is None:
        return "real"
    low, high = _limits(source.dtype)
    return f"((real / {source.scale:.9g}f).roundToInt(){_plus(source.zero_point)}).coerceIn({low}, {high})"


def _cpp(artifact: Artifact, source: TensorSpec, target: TensorSpec) -> str:
    kinds = {"float32": "float", "int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t"}
    code = f"""auto model = tflite::FlatBufferModel::BuildFromFile({_quoted(artifact.file)});
tflite::ops::builtin::BuiltinOpResolver resolver;
std::unique_ptr<tflite::Interpreter> interpreter;
tflite::InterpreterBuilder(*model, resolver)(&interpreter);
interpreter->AllocateTensors();
auto* input = interpreter->typed_input_tensor<{kinds.get(source.dtype, source.dtype)}>(0);
// fill {math.prod(source.shape)} values by the formula above
interpreter->Invoke();
auto* output = interpreter->typed_output_tensor<{kinds.get(target.dtype, target.dtype)}>(0);
int best = std::max_element(output, output + {target.shape[-1]}) - output;"""
    return "C++ (TensorFlow Lite; on a microcontroller include model_data.h instead)\n\n" + _indent(code)


def _quoted(name: str) -> str:
    """Return a name as a string of Kotlin and C++."""
    return '"' + visible(name).replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$") + '"'


def _indent(code: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in code.splitlines())
