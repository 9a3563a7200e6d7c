"""A model as a C array, for microcontrollers that link it into their firmware."""

from __future__ import annotations

import re
from pathlib import Path

from edgekit.errors.printable import visible
from edgekit.formats.tflite.microcontrollers import SOURCE, lacking
from edgekit.progress import Progress

ALIGNMENT = 16  # TensorFlow Lite Micro reads the flatbuffer in place and needs this alignment
_COLUMNS = 16


def write_header(path: Path, model: Path, name: str, progress: Progress) -> None:
    """Write `model_data.h`: an aligned, constant byte array and its length, valid C99, C11 and C++11.

    Args:
        path: the header to write.
        model: the file to embed.
        name: what the model is called, in the comment and (as an identifier) in the names.
        progress: warned of operators that TensorFlow Lite Micro does not run; the comment names them, too.
    """
    data = model.read_bytes()
    file = visible(model.name).replace("*/", "* /").replace("\\", "/")
    missing = ", ".join(visible(operator).replace("*/", "* /").replace("\\", "/") for operator in lacking(data))
    note = ""
    if missing:
        note = f"\n   TensorFlow Lite Micro does not run it: no kernel for {missing}\n   ({SOURCE})."
        progress.warn(
            f"{path.name}: TensorFlow Lite Micro does not run this model: no kernel for {missing} ({SOURCE}); replace "
            'the layers that need them, or leave the header out: formats = ["tflite", "onnx"] under [export]',
            "microcontroller-operator-missing",
        )
    identifier = re.sub(r"\W", "_", name, flags=re.ASCII).lower()
    guard = f"EDGEKIT_{identifier.upper()}_MODEL_DATA_H"
    symbol = f"{identifier}_model_data"
    symbol = f"m_{symbol}" if symbol[0].isdigit() else symbol
    rows = [data[i : i + _COLUMNS] for i in range(0, len(data), _COLUMNS)]
    body = ",\n".join("  " + ", ".join(f"0x{byte:02x}" for byte in row) for row in rows)
    path.write_text(
        f"""/* {file} ({len(data)} bytes) as an array, made by edgekit. Include it in one source file.{note} */
#ifndef {guard}
#define {guard}

#if defined(__cplusplus) && __cplusplus >= 201103L
alignas({ALIGNMENT})
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
_Alignas({ALIGNMENT})
#elif defined(__GNUC__) || defined(__ARMCC_VERSION)
__attribute__((aligned({ALIGNMENT})))
#elif defined(_MSC_VER)
__declspec(align({ALIGNMENT}))
#else
#error "this array must be aligned to {ALIGNMENT} bytes: compile as C11 or C++11"
#endif
static const unsigned char {symbol}[] = {{
{body}
}};
static const unsigned int {symbol}_len = {len(data)}u;

#endif /* {guard} */
""",
        encoding="ascii",
        errors="replace",
    )
