"""A model as a C array, for microcontrollers that link it into their firmware."""

from __future__ import annotations

import re
from pathlib import Path

from edgekit.printable import visible

ALIGNMENT = 16  # TensorFlow Lite Micro reads the flatbuffer in place and needs this alignment
_COLUMNS = 16


def write_header(path: Path, model: Path, name: str) -> None:
    """Write `model_data.h`: an aligned, constant byte array and its length, valid C11 and C++11.

    Args:
        path: the header to write.
        model: the file to embed.
        name: what the model is called, in the comment and (as an identifier) in the names.
    """
    data = model.read_bytes()
    told = visible(model.name).replace("*/", "* /").replace("\\", "/")
    identifier = re.sub(r"\W", "_", name, flags=re.ASCII).lower()
    guard = f"EDGEKIT_{identifier.upper()}_MODEL_DATA_H"
    symbol = f"{identifier}_model_data"
    symbol = f"m_{symbol}" if symbol[0].isdigit() else symbol
    rows = [data[i : i + _COLUMNS] for i in range(0, len(data), _COLUMNS)]
    body = ",\n".join("  " + ", ".join(f"0x{byte:02x}" for byte in row) for row in rows)
    path.write_text(
        f"""/* {told} ({len(data)} bytes) as an array, made by edgekit. Include it in one source file. */
#ifndef {guard}
#define {guard}

#ifdef __cplusplus
alignas({ALIGNMENT})
#else
_Alignas({ALIGNMENT})
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
