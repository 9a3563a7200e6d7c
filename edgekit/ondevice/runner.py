"""Measure one model file in one fresh process, and write what was seen as JSON.

    python -I -B runner.py JOB.json RESULT.json [FOLDER ...]

The folders hold modules that Python does not find by itself; they come before its site-packages and after its own
modules, none of which they can replace.

This file is self-contained: the standard library, numpy and one of ai_edge_litert, tflite_runtime, onnxruntime. The
same file runs on the desktop, over SSH and over adb, on Python 3.7 and later. It decides nothing and computes no
statistics: it returns raw samples, and edgekit does the rest. stdout and stderr are a log, the answer is the file.

JOB.json:
    schema          2
    mode            "latency" | "memory" | "accuracy"
    runtime         "ai-edge-litert" | "tflite-runtime" | "onnxruntime"
    model           path of the .tflite or .onnx
    threads         int
    samples         path of an .npz with the stored samples: x, or x/NAME for every input; or null: one sample of seeded
                    random values, the same on every machine
    feed            the NAMEs in the order of the file's inputs; empty: the file has one input, x
    preprocessing   an input's {scale, mean, std, layout, channels} from stored samples to model inputs; a list, or null
    quantization    an integer input's {scale, zero_point} for ONNX files (a TFLite file knows its own); a list, or null
    shapes          sizes of every input, in the order of the file, where some are dynamic; or null: as in the file
    values          of every input the number that it holds at every inference, null where it gets samples; or absent
    first_seconds   in which the file is loaded and run once, or the kernel ends this process; or absent
    memory_bytes    that this process may take, or absent
    outputs         accuracy: path of an .npz to write the raw outputs to, one array an output: "0", "1", ...
    min_samples, max_samples, min_seconds, warmup_seconds    latency only
"""

from __future__ import annotations

import json
import math
import os
import platform
import signal
import sys
import time
from typing import TYPE_CHECKING, Any


def use(folders: list[str]) -> None:
    """Look for modules in these folders, before site-packages."""
    places = [os.path.basename(place) in ("site-packages", "dist-packages") for place in sys.path]
    at = places.index(True) if True in places else len(places)
    sys.path[at:at] = folders


if __name__ == "__main__":
    use(sys.argv[3:])

import numpy as np  # noqa: E402 - it may lie in one of the folders

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Array = npt.NDArray[Any]
    Details = dict[str, Any]

SCHEMA = 2
CHUNK = 256  # samples preprocessed at a time, to bound memory
RESOLUTION_FACTOR = 100  # a timed interval is at least this many clock ticks
MAX_CALLS_PER_SAMPLE = 10000
MAX_WARMUP_SECONDS = 5.0
PROGRESS_SECONDS = 2.0
PLATEAU = 0.02  # relative difference between successive warm-up windows that counts as level

# ---------------------------------------------------------------------------------------------- limits and the log


def limit(job: Details) -> None:
    """Bound the time until the first inference is done, and the memory, where the job asks for it."""
    if job.get("memory_bytes"):
        import resource

        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        wanted = job["memory_bytes"]
        resource.setrlimit(
            resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )
    if job.get("first_seconds"):
        signal.setitimer(signal.ITIMER_REAL, job["first_seconds"])  # no handler: it ends native code, too


def has_run() -> None:
    """Note that the first inference is done."""
    signal.setitimer(signal.ITIMER_REAL, 0)


class JobError(Exception):
    """The job cannot be done as asked; the message goes into the result."""


def stage(name: str) -> None:
    """Leave a mark in the log, so that the parent can say where a crash happened."""
    sys.stderr.write("edgekit-runner: %s\n" % name)
    sys.stderr.flush()


# ---------------------------------------------------------------------------------------------- runtimes


class TFLite:
    """A .tflite file under ai_edge_litert or tflite_runtime."""

    def __init__(self, runtime: str) -> None:
        if runtime == "ai-edge-litert":
            import ai_edge_litert as package
            from ai_edge_litert.interpreter import Interpreter
        else:
            import tflite_runtime as package
            from tflite_runtime.interpreter import Interpreter
        self._make = Interpreter
        self.version = version_of(package, runtime)
        self._interpreter: Any = None

    def load(self, path: str, threads: int, shapes: list[list[int]] | None = None) -> None:
        """Read the file, apply the default delegate, and allocate tensors."""
        self._interpreter = self._make(model_path=path, num_threads=threads)
        for details, shape in paired(self._interpreter.get_input_details(), shapes):
            if [int(n) for n in details["shape"]] != shape:
                self._interpreter.resize_tensor_input(details["index"], shape)
        self._interpreter.allocate_tensors()
        self.inputs = [tensor_details(d) for d in self._interpreter.get_input_details()]
        self.outputs = [tensor_details(d) for d in self._interpreter.get_output_details()]

    def delegate(self) -> str:
        """Return which delegate took how much of the graph, or why that is unknown."""
        try:
            names = [op["op_name"] for op in self._interpreter._get_ops_details()]
        except Exception as error:  # a private method of the interpreter
            return "unavailable: %s" % error
        delegates = names.count("DELEGATE")
        return "XNNPACK (%d partition%s)" % (delegates, "s" * (delegates != 1)) if delegates else "none"

    def set(self, arrays: list[Array]) -> None:
        """Copy the inputs in, and forget what an LSTM keeps from the run before: every sample stands for itself."""
        self._interpreter.reset_all_variables()
        for details, array in zip(self.inputs, arrays):
            self._interpreter.set_tensor(details["index"], array)

    def invoke(self) -> None:
        """Run the model once."""
        self._interpreter.invoke()

    def get(self, index: int) -> Array:
        """Return a copy of an output."""
        output: Array = self._interpreter.get_tensor(self.outputs[index]["index"])
        return output


class Onnx:
    """An .onnx file under onnxruntime, with inputs and outputs bound so that only the run is timed."""

    def __init__(self, runtime: str) -> None:
        import onnxruntime

        self._module = onnxruntime
        self.version = version_of(onnxruntime, runtime)

    def load(self, path: str, threads: int, shapes: list[list[int]] | None = None) -> None:
        """Read the file and create the session on the CPU."""
        ort = self._module
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.inputs = [onnx_details(d) for d in self._session.get_inputs()]
        for details, shape in paired(self.inputs, shapes):
            details["shape"] = shape
        self.outputs = [onnx_details(d) for d in self._session.get_outputs()]
        self._binding = self._session.io_binding()

    def delegate(self) -> str:
        """Return the execution providers."""
        return ", ".join(self._session.get_providers())

    def set(self, arrays: list[Array]) -> None:
        """Bind the inputs, and the outputs to fresh buffers."""
        for details, array in zip(self.inputs, arrays):
            self._binding.bind_cpu_input(details["name"], array)
        for details in self.outputs:
            self._binding.bind_output(details["name"], "cpu")

    def invoke(self) -> None:
        """Run the model once."""
        self._session.run_with_iobinding(self._binding)

    def get(self, index: int) -> Array:
        """Return a copy of an output."""
        output: Array = self._binding.copy_outputs_to_cpu()[index]
        return output


RUNTIMES: Details = {"ai-edge-litert": TFLite, "tflite-runtime": TFLite, "onnxruntime": Onnx}


def version_of(package: Any, distribution: str) -> str:
    """Return the installed version of a runtime."""
    version = getattr(package, "__version__", None)
    if version:
        return str(version)
    try:
        from importlib.metadata import version as installed

        return installed(distribution)
    except Exception as error:  # Python 3.7, or unpacked wheels without metadata
        return "unavailable: %s" % error


def paired(inputs: list[Details], shapes: list[list[int]] | None) -> list[tuple[Details, list[int]]]:
    """Return every input with the shape that the job gives it; nothing if the job gives none."""
    if shapes is None:
        return []
    if len(shapes) != len(inputs):
        raise JobError("the job has shapes for %d inputs, the model has %d" % (len(shapes), len(inputs)))
    return list(zip(inputs, shapes))


def tensor_details(details: Details) -> Details:
    """Reduce the interpreter's description of a tensor to what is used here."""
    scale, zero_point = details["quantization"]
    return {
        "index": details["index"],
        "name": details["name"],
        "shape": [int(n) for n in details["shape"]],
        "dtype": np.dtype(details["dtype"]).name,
        "quantization": {"scale": float(scale), "zero_point": int(zero_point)} if scale else None,
    }


def onnx_details(argument: Any) -> Details:
    """Describe an input or output of an ONNX session in the same way; symbolic dimensions become 1."""
    kinds = {"float": "float32", "double": "float64"}
    # Sequences and maps have types such as seq(map(int64,tensor(float))), and no sizes.
    kind = argument.type[len("tensor(") : -1] if argument.type.startswith("tensor(") else argument.type
    return {
        "name": argument.name,
        "shape": [n if isinstance(n, int) and n > 0 else 1 for n in argument.shape],
        "dtype": kinds.get(kind, kind),
        "quantization": None,
    }


# ---------------------------------------------------------------------------------------------- inputs


def preprocess(x: Array, how: Details | None) -> Array:
    """Turn stored samples into model inputs: (x * scale - mean) / std, then the order of channels, then the layout."""
    if how is None:
        return x
    out = x.astype(np.float32) * np.float32(how["scale"])
    out -= np.asarray(how["mean"], np.float32)
    out /= np.asarray(how["std"], np.float32)
    if how.get("channels") == "BGR":
        out = np.ascontiguousarray(out[..., ::-1])
    if how["layout"] == "NCHW" and out.ndim == 4:
        out = np.ascontiguousarray(out.transpose(0, 3, 1, 2))
    return out


def to_input(x: Array, details: Details) -> Array:
    """Quantize (where the input is an integer with a scale) and cast to the dtype of the input."""
    dtype: Any = np.dtype(details["dtype"])
    quantization = details["quantization"]
    if dtype.kind in "iu" and quantization:
        limits = np.iinfo(dtype)
        scaled = np.round(x / np.float32(quantization["scale"])) + quantization["zero_point"]
        quantized: Array = np.clip(scaled, limits.min, limits.max).astype(dtype)
        return quantized
    return np.ascontiguousarray(x, dtype=dtype)


def random_inputs(model: TFLite | Onnx) -> list[Array]:
    """Return one seeded random sample an input, or the number that the job gives it.

    [0, 1) for floats, the whole range for bytes and quantized integers, 0 or 1 for other integers: they may be indices.
    """
    rng = np.random.RandomState(0)
    arrays = []
    for d in fed_inputs(model):
        try:
            dtype: Any = np.dtype(d["dtype"])
        except TypeError:
            raise JobError("no random input can be made for type %s of input %s" % (d["dtype"], d["name"]))
        shape = [max(1, n) for n in d["shape"]]
        if dtype.kind in "fc":
            arrays.append(rng.random_sample(shape).astype(dtype))
        elif dtype.kind in "iu":
            limits = np.iinfo(dtype)
            whole = dtype.itemsize == 1 or (dtype.itemsize == 2 and d["quantization"])
            low, high = (limits.min, limits.max + 1) if whole else (0, 2)
            arrays.append(rng.randint(low, high, size=shape).astype(dtype))
        elif dtype.kind == "b":
            arrays.append(rng.randint(0, 2, size=shape).astype(dtype))
        else:
            raise JobError("no random input can be made for dtype %s of input %s" % (d["dtype"], d["name"]))
    return arranged(model, arrays)


def fitted(x: Array, details: Details) -> Array:
    """Return `x` as the input takes it one by one; a last axis of one that the input lacks is dropped."""
    expected = details["shape"]
    if x.shape[-1] == 1 and x.ndim == len(expected) + 1:
        x = x[..., 0]
    if list(x.shape[1:]) != expected[1:] or expected[:1] not in ([1], [-1]):
        raise JobError(
            "the samples have shape %s, the model's input %s expects %s"
            % (list(x.shape[1:]), details["name"], expected)
        )
    return x


def read_samples(job: Details, model: TFLite | Onnx) -> list[Array]:
    """Return the job's stored samples, one array an input of the file; never unpickles."""
    names = ["x/" + name for name in job["feed"]] or ["x"]
    count = len(fed_inputs(model))
    if count != len(names):
        raise JobError("the model has %d inputs to feed, samples are given for %d" % (count, len(names)))
    with np.load(job["samples"], allow_pickle=False) as archive:
        missing = [name for name in names if name not in archive.files]
        if missing:
            raise JobError("there is no %s in %s" % (", ".join(missing), job["samples"]))
        arrays = [archive[name] for name in names]
    if not all(len(x) == len(arrays[0]) for x in arrays) or not len(arrays[0]):
        raise JobError("there are no samples in %s" % job["samples"])
    return arrays


def fed_inputs(model: TFLite | Onnx) -> list[Details]:
    """Return the inputs that get samples."""
    return [details for details in model.inputs if details.get("value") is None]


def prepared(job: Details, model: TFLite | Onnx, stored: list[Array]) -> list[Array]:
    """Return stored samples as the inputs of the file that get samples take them."""
    how = job.get("preprocessing") or [None] * len(stored)
    return [to_input(fitted(preprocess(x, h), d), d) for x, h, d in zip(stored, how, fed_inputs(model))]


def arranged(model: TFLite | Onnx, samples: list[Array]) -> list[Array]:
    """Return what every input gets: its sample, or the number that the job gives it."""
    rest = iter(samples)
    return [
        next(rest) if d.get("value") is None else np.full([max(1, n) for n in d["shape"]], d["value"], d["dtype"])
        for d in model.inputs
    ]


def first_inputs(job: Details, model: TFLite | Onnx) -> list[Array]:
    """Return the inputs of the timed calls: the first stored sample, or seeded random values."""
    if job.get("samples") is None:
        return random_inputs(model)
    return arranged(model, prepared(job, model, [x[:1] for x in read_samples(job, model)]))


# ---------------------------------------------------------------------------------------------- machine state


def read_text(path: str) -> str | None:
    """Return the stripped text of a file, or None."""
    try:
        with open(path) as stream:
            return stream.read().strip()
    except (OSError, UnicodeDecodeError):
        return None


def frequencies_khz() -> list[int]:
    """Return the current frequency of every CPU in kHz, from sysfs, else from /proc/cpuinfo; may be empty."""
    found = []
    for cpu in range(os.cpu_count() or 1):
        text = read_text("/sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq" % cpu)
        if text and text.isdigit():
            found.append(int(text))
    if not found:
        for line in (read_text("/proc/cpuinfo") or "").splitlines():
            if line.startswith("cpu MHz"):
                found.append(int(float(line.split(":")[1]) * 1000))
    return found


def temperatures_c() -> dict[str, float]:
    """Return the temperature of every thermal zone in degrees Celsius; may be empty."""
    found = {}
    for zone in range(32):
        base = "/sys/class/thermal/thermal_zone%d/" % zone
        text = read_text(base + "temp")
        if text and text.lstrip("-").isdigit():
            found[read_text(base + "type") or "zone%d" % zone] = int(text) / 1000.0
    return found


def swap_pages() -> int | None:
    """Return pages swapped in and out since boot, or None."""
    counts = dict(line.split() for line in (read_text("/proc/vmstat") or "").splitlines() if line.startswith("pswp"))
    return sum(int(v) for v in counts.values()) if counts else None


def steal_ticks() -> int | None:
    """Return the clock ticks this virtual machine waited for a CPU since boot, or None."""
    fields = (read_text("/proc/stat") or "").splitlines()[:1]
    fields = fields[0].split() if fields else []
    return int(fields[8]) if len(fields) > 8 else None


def machine_state() -> Details:
    """Read what changes: load, frequency, temperature, swap and steal counters. Unavailable values are None."""
    try:
        load = os.getloadavg()[0]
    except (OSError, AttributeError):
        load = None
    return {
        "load_1min": load,
        "frequencies_khz": frequencies_khz() or None,
        "temperatures_c": temperatures_c() or None,
        "swap_pages": swap_pages(),
        "steal_ticks": steal_ticks(),
    }


def memory_kib(key: str) -> int | None:
    """Return VmRSS or VmHWM of this process in KiB, or None where /proc is not Linux's."""
    for line in (read_text("/proc/self/status") or "").splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    return None


def reset_peak() -> bool:
    """Ask the kernel to forget the peak RSS so far; False where that is not allowed."""
    try:
        with open("/proc/self/clear_refs", "w") as stream:
            stream.write("5")
        return True
    except OSError:
        return False


# ---------------------------------------------------------------------------------------------- the three passes


def clock_resolution_ns() -> int:
    """Return the smallest step of the clock that was seen, in ns."""
    best = 0
    for _ in range(200):
        start = now = time.perf_counter_ns()
        while now == start:
            now = time.perf_counter_ns()
        best = min(best or now - start, now - start)
    return best


def median(values: list[int]) -> float:
    """Return the middle of a non-empty list."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2.0


def timed(model: TFLite | Onnx, inputs: list[Array], calls: int) -> int:
    """Return how long `calls` runs took in ns; copying the inputs in is not timed."""
    model.set(inputs)
    start = time.perf_counter_ns()
    for _ in range(calls):
        model.invoke()
    return time.perf_counter_ns() - start


def warm_up(model: TFLite | Onnx, inputs: list[Array], seconds: float) -> tuple[list[int], bool]:
    """Run until two successive windows agree within 2 %, for at least `seconds` in all.

    Returns the ns of every call, and whether the plateau was reached.
    """
    samples: list[int] = []
    previous, started = math.inf, time.perf_counter()
    while True:
        window: list[int] = []
        opened = time.perf_counter()
        while len(window) < 5 or time.perf_counter() - opened < seconds / 4:
            window.append(timed(model, inputs, 1))
        samples += window
        level = median(window)
        elapsed = time.perf_counter() - started
        plateau = abs(level - previous) <= PLATEAU * level
        if (plateau and elapsed >= seconds) or elapsed >= MAX_WARMUP_SECONDS:
            return samples, plateau
        previous = level


def measure_latency(job: Details, model: TFLite | Onnx, result: Details) -> None:
    """Time single runs; where one is too short for the clock or the budget, several runs share a sample."""
    inputs = first_inputs(job, model)
    stage("first inference")
    result["first_ns"] = timed(model, inputs, 1)
    has_run()
    stage("warm-up")
    result["state_before"] = machine_state()
    result["warmup_ns"], result["plateau"] = warm_up(model, inputs, job["warmup_seconds"])
    level = max(1.0, median(result["warmup_ns"][-50:]))
    resolution = clock_resolution_ns()
    calls = max(
        math.ceil(RESOLUTION_FACTOR * resolution / level),
        math.ceil(job["min_seconds"] * 1e9 / level / job["max_samples"]),
    )
    calls = int(min(max(1, calls), MAX_CALLS_PER_SAMPLE))
    stage("timing")
    samples: list[int] = []
    started = time.perf_counter()
    while len(samples) < job["min_samples"] or time.perf_counter() - started < job["min_seconds"]:
        samples.append(timed(model, inputs, calls))
    result["clock_resolution_ns"] = resolution
    result["calls_per_sample"] = calls
    result["samples_ns"] = samples
    result["state_after"] = machine_state()


def measure_memory(job: Details, model: TFLite | Onnx, result: Details) -> None:
    """Note the resident set at each stage; `model` is loaded here, after the baseline."""
    np.random.RandomState(0)  # numpy loads its generators on first use: before the baseline
    baseline = memory_kib("VmRSS")
    if baseline is None:
        raise JobError("memory cannot be read: no VmRSS in /proc/self/status")
    result["peak_was_reset"] = reset_peak()
    stage("load")
    load(job, model)
    loaded = memory_kib("VmRSS")
    inputs = random_inputs(model)
    stage("first inference")
    timed(model, inputs, 1)
    has_run()
    first = memory_kib("VmRSS")
    for _ in range(10):
        timed(model, inputs, 1)
    result["rss_kib"] = {
        "after_imports": baseline,
        "after_load": loaded,
        "after_first": first,
        "peak": memory_kib("VmHWM"),
    }


def by_sample(found: list[Array], name: str) -> Array:
    """Return an output for all samples, (n, ...); a first axis of one is the batch, and any other is the output's own.

    Detectors have outputs such as (boxes, 4), without a batch, or a bare number.
    """
    sizes = sorted({output.shape for output in found})
    if len(sizes) > 1:
        listed = " and ".join("x".join(map(str, size)) or "a number" for size in sizes[:2])
        raise JobError("its output %s has other sizes for other samples (%s), so it cannot be judged" % (name, listed))
    if sizes[0][:1] == (1,):
        return np.concatenate(found)
    return np.stack(found)


def every_input(job: Details, model: TFLite | Onnx) -> Iterator[list[Array]]:
    """Yield the inputs of every stored sample, or of one of seeded random values; note how far that is."""
    if job.get("samples") is None:
        yield random_inputs(model)
        return
    stored = read_samples(job, model)
    reported = time.perf_counter()
    for start in range(0, len(stored[0]), CHUNK):
        if time.perf_counter() - reported > PROGRESS_SECONDS:
            stage("evaluation, sample %d of %d" % (start, len(stored[0])))
            reported = time.perf_counter()
        batch = prepared(job, model, [x[start : start + CHUNK] for x in stored])
        for row in range(len(batch[0])):
            yield arranged(model, [x[row : row + 1] for x in batch])


def measure_accuracy(job: Details, model: TFLite | Onnx, result: Details) -> None:
    """Run every sample once and write the raw outputs; they are judged elsewhere."""
    outputs: list[list[Array]] = [[] for _ in model.outputs]
    result["samples"] = 0
    stage("evaluation")
    for inputs in every_input(job, model):
        model.set(inputs)
        model.invoke()
        has_run()
        result["samples"] += 1
        for index, found in enumerate(outputs):
            found.append(np.array(model.get(index)))
    arrays: Details = {
        str(index): by_sample(found, model.outputs[index]["name"]) for index, found in enumerate(outputs)
    }
    np.savez(job["outputs"], **arrays)


# ---------------------------------------------------------------------------------------------- the job


def load(job: Details, model: TFLite | Onnx) -> None:
    """Load the file with the sizes and the values that the job gives its inputs."""
    model.load(job["model"], job["threads"], job.get("shapes"))
    for details, value in zip(model.inputs, job.get("values") or ()):
        details["value"] = value


def run(job: Details) -> Details:
    """Do the job and return the result."""
    result: Details = {"mode": job["mode"], "threads": job["threads"]}
    result["python"] = platform.python_version()
    stage("import")
    started = time.perf_counter_ns()
    if job["runtime"] not in RUNTIMES:
        raise JobError("unknown runtime %s" % job["runtime"])
    limit(job)
    model: TFLite | Onnx = RUNTIMES[job["runtime"]](job["runtime"])
    result["import_ns"] = time.perf_counter_ns() - started
    result["numpy"] = np.__version__
    result["runtime"] = {"name": job["runtime"], "version": model.version}
    if job["mode"] == "memory":
        measure_memory(job, model, result)
    else:
        stage("load")
        started = time.perf_counter_ns()
        load(job, model)
        result["init_ns"] = time.perf_counter_ns() - started
        for details, known in zip(model.inputs, job.get("quantization") or ()):
            details["quantization"] = known or details["quantization"]
        {"latency": measure_latency, "accuracy": measure_accuracy}[job["mode"]](job, model, result)
    result["runtime"]["delegate"] = model.delegate()
    return result


def main(argv: list[str]) -> int:
    """Read the job, run it, and write the result whole or not at all."""
    job_path, result_path = argv[:2]
    with open(job_path) as stream:
        job = json.load(stream)
    if job["schema"] != SCHEMA:
        raise SystemExit("this runner speaks job schema %d, not %r" % (SCHEMA, job["schema"]))
    try:
        result, status = dict(run(job), ok=True), 0
    except Exception as error:  # everything goes into the answer: this is the process's last frame
        cause = type(error).__name__
        result, status = {"ok": False, "error": cause, "message": str(error)}, 1
        import traceback

        traceback.print_exc()
    result["schema"] = SCHEMA
    with open(result_path + ".part", "w") as stream:
        json.dump(result, stream, separators=(",", ":"))
    os.replace(result_path + ".part", result_path)
    stage("done")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
