"""`.keras` files that are the same bytes whenever the model is the same: without dates and addresses of memory."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

from edgekit.schema.types import JsonObject, JsonValue

METADATA, CONFIG = "metadata.json", "config.json"
DATE_KEY, DATE = "date_saved", "1980-01-01@00:00:00"
"""The earliest that a zip file can say, in Keras's own format."""
SHARED = "shared_object_id"
"""What tells in a model's configuration that two of its objects are one; Keras takes the address of the object."""


def settle(path: Path) -> None:
    """Write a `.keras` file of either generation again, every date in it `DATE`, and shared objects counted.

    Args:
        path: a file that Keras has just written, in a folder of ours.
    """
    first = path.with_name(f"{path.name}.first")
    path.rename(first)
    with zipfile.ZipFile(first) as source, zipfile.ZipFile(path, "w") as target:
        for info in source.infolist():
            entry = zipfile.ZipInfo(info.filename)  # its date is 1980-01-01
            entry.compress_type, entry.external_attr, entry.create_system = info.compress_type, info.external_attr, 3
            entry.file_size = info.file_size
            if info.filename in _CHANGES:
                value = json.loads(source.read(info))
                target.writestr(entry, json.dumps(_CHANGES[info.filename](value)))
            else:
                with source.open(info) as stream, target.open(entry, "w") as copy:
                    shutil.copyfileobj(stream, copy, 1 << 20)
    first.unlink()


def _dated(metadata: JsonObject) -> JsonObject:
    return {**metadata, DATE_KEY: DATE}


def _counted(config: JsonValue) -> JsonValue:
    """Return a configuration in which shared objects are numbered in their order."""
    numbers: dict[JsonValue, int] = {}

    def count(value: JsonValue) -> JsonValue:
        if isinstance(value, list):
            return [count(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            key: numbers.setdefault(item, len(numbers) + 1) if key == SHARED and isinstance(item, int) else count(item)
            for key, item in value.items()
        }

    return count(config)


_CHANGES: dict[str, Callable[[JsonValue], JsonValue]] = {METADATA: _dated, CONFIG: _counted}
