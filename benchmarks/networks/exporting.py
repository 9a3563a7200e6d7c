"""Write what networks are judged by, with the Python that has PyTorch.

    VENV/bin/python exporting.py {OUT.json WHAT NAME FOLDER}...

files   dynamo.onnx and older.onnx, by both exporters; samples.npz with inputs for calibration and for the test, and the
        outputs of the test
litert  litert.tflite by litert-torch, litert-int8.tflite by its quantizer with the same calibration
"""

import gc
import json
import pathlib
import re
import sys
import time
import warnings

import numpy as np
import torch
from zoo import ZOO, network, samples

CALIBRATION, TEST, BATCH = 100, 100, 10
SEED = 31


def main(*jobs):
    """Do the jobs, four arguments each."""
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    for made, what, name, folder in zip(*(jobs[i::4] for i in range(4)), strict=True):
        row = {"files": files, "litert": litert}[what](name, pathlib.Path(folder))
        pathlib.Path(made).write_text(json.dumps(row))
        gc.collect()


def files(name, folder):
    """Export, and keep the samples."""
    model, inputs = network(name), [f"x{i}" for i in range(len(ZOO[name][1]))]
    calibration, test = samples(name, CALIBRATION, SEED), samples(name, TEST, SEED + 1)
    with torch.no_grad():
        made = [_flat(model(*(x[i : i + BATCH] for x in test))) for i in range(0, TEST, BATCH)]
    outputs = [torch.cat(column).numpy() for column in zip(*made, strict=True)]
    arrays = {f"calibration_{key}": x.numpy() for key, x in zip(inputs, calibration, strict=True)}
    arrays |= {f"test_{key}": x.numpy() for key, x in zip(inputs, test, strict=True)}
    arrays |= {f"output_{i}": values for i, values in enumerate(outputs)}
    np.savez(folder / "samples.npz", **arrays)
    row = {"parameters": sum(p.numel() for p in model.parameters()), "sizes": [list(x.shape[1:]) for x in test]}
    ends = {"input_names": inputs, "output_names": [f"y{i}" for i in range(len(outputs))]}
    for exporter, options in (("dynamo", {"dynamo": True, "external_data": False}), ("older", {"dynamo": False})):
        row[exporter] = _reason(
            lambda exporter=exporter, options=options: torch.onnx.export(
                model, tuple(x[:1] for x in test), str(folder / f"{exporter}.onnx"), verbose=False, **options, **ends
            )
        )
    return row


def litert(name, folder):
    """Convert and quantize, both as their documentation says; images channels last, as it advises."""
    import litert_torch
    from ai_edge_quantizer import quantizer, recipe

    model, test = network(name), samples(name, 1, SEED + 1)
    arrays = np.load(folder / "samples.npz")
    calibration = [arrays[f"calibration_x{i}"] for i in range(len(test))]
    calibration = [x.astype(np.int32) if x.dtype == np.int64 else x for x in calibration]  # as its file takes them
    images = [i for i, x in enumerate(test) if x.ndim == 4]
    if images:
        model = litert_torch.to_channel_last_io(model, args=images)
        test = tuple(x.permute(0, 2, 3, 1) if x.ndim == 4 else x for x in test)
        calibration = [np.moveaxis(x, 1, -1) if x.ndim == 4 else x for x in calibration]
    started = time.perf_counter()

    def convert():
        litert_torch.convert(model.eval(), test).export(str(folder / "litert.tflite"))

    row = {"converted": _reason(convert)}
    if row["converted"]:
        return row

    def quantize():
        quantized = quantizer.Quantizer(str(folder / "litert.tflite"), recipe.static_wi8_ai8())
        feeds = [
            {f"args_{i}": np.ascontiguousarray(x[n : n + 1]) for i, x in enumerate(calibration)}
            for n in range(CALIBRATION)
        ]
        made = quantized.quantize(quantized.calibrate({"serving_default": feeds}))
        made.export_model(str(folder / "litert-int8.tflite"), overwrite=True)

    return {**row, "quantized": _reason(quantize), "seconds": round(time.perf_counter() - started)}


def _flat(outputs):
    return [outputs] if isinstance(outputs, torch.Tensor) else list(outputs)


def _reason(work):
    """Return why something failed; empty if it did not."""
    try:
        work()
    except Exception as error:  # whatever an exporter raises is what the row says
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        text = re.sub(r"\S*/site-packages/", "", lines[0]) if lines else ""  # where VENV is says nothing
        return f"{type(error).__name__}: {text}"[:300]
    return ""


if __name__ == "__main__":
    main(*sys.argv[1:])
