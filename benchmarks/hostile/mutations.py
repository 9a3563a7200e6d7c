"""Seeded mutations of JSON and TOML: other types at every key path, what parsers choke on, damage to the bytes."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

TEXTS = (
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "left\u202eright",
    "two\nlines",
    "edgekit: done\r",
    "nul\0",
    "../../x",
    "/etc/passwd",
    "-oProxyCommand=touch x",
    ".hidden",
    "a" * 300,
    "\u2028",
    "\x9b31m",
    "",
    "é" * 200,
    "%s{0}{x.__class__}",
    "'; rm -rf ~; '",
    "=cmd|' /C calc'!A0",
)
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 3, 2**31, 2**63, -(2**70), 1e308, -1e308, 5e-324, 0.5, "x", "0", [], [[]], [None],
    [0], ["x"], {}, {"": None}, {"x": 1}, [{"x": []}] * 3, [1] * 2000, *TEXTS,
)  # fmt: skip
RAW = {
    "digits": "1" * 5000,
    "some digits": "9" * 60,
    "negative digits": "-" + "9" * 4400,
    "nan": "NaN",
    "infinity": "Infinity",
    "minus infinity": "-Infinity",
    "overflow": "1e999",
    "deep": "[" * 5000 + "]" * 5000,
    "deep tables": '{"a":' * 5000 + "1" + "}" * 5000,
    "rather deep": "[" * 100 + "]" * 100,
    "twice": '{"a": 1, "a": 2}',
    "half": '"\\ud800"',
    "half key": '{"\\udfff": 1}',
}
"""Values that `json.dumps` does not write."""

Path = tuple[str | int, ...]


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of every value; of a long list the first and the last entry only."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths(item, (*path, key))
    elif isinstance(value, list):
        for index in sorted({0, len(value) - 1}) if value else ():
            yield from paths(value[index], (*path, index))


def replaced(value: Any, path: Path, new: Any) -> Any:
    """Return a copy with another value at a path."""
    made = copy.deepcopy(value)
    place, key = _place(made, path)
    place[key] = new
    return made


def without(value: Any, path: Path) -> Any:
    """Return a copy without what is at a path."""
    made = copy.deepcopy(value)
    place, key = _place(made, path)
    del place[key]
    return made


def inserted(value: Any, path: Path, name: str, new: Any) -> Any:
    """Return a copy with a key or an entry more, beside a path."""
    made = copy.deepcopy(value)
    place, key = _place(made, path)
    if isinstance(place, dict):
        place[name] = new
    else:
        place.insert(key, new)
    return made


def with_raw(value: Any, path: Path, raw: str) -> str:
    """Return JSON text with anything at a path."""
    return json.dumps(replaced(value, path, "@@")).replace('"@@"', raw, 1)


def _place(value: Any, path: Path) -> tuple[Any, Any]:
    for key in path[:-1]:
        value = value[key]
    return value, path[-1]


def json_mutation(value: Any, rng: random.Random) -> tuple[str, bytes]:
    """Return a name and the bytes of one mutation."""
    path = rng.choice(list(paths(value)))
    what = rng.choice(("swap", "swap", "swap", "swap", "delete", "insert", "raw", "raw", "several", "bytes"))
    told = ".".join(map(str, path))[:60]
    if what == "swap":
        new = rng.choice(VALUES)
        return f"swap {told} {new!r:.30}", _dumped(replaced(value, path, new))
    if what == "delete":
        return f"delete {told}", _dumped(without(value, path))
    if what == "insert":
        return f"insert {told}", _dumped(inserted(value, path, rng.choice(TEXTS), rng.choice(VALUES)))
    if what == "raw":
        name = rng.choice(list(RAW))
        return f"{name} {told}", with_raw(value, path, RAW[name]).encode()
    if what == "several":
        for _ in range(4):
            value = replaced(value, rng.choice(list(paths(value))), rng.choice(VALUES))
        return f"several {told}", _dumped(value)
    return damaged(_dumped(value), rng)


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def damaged(content: bytes, rng: random.Random) -> tuple[str, bytes]:
    """Return a name and bytes that were cut, flipped, repeated or encoded otherwise."""
    place = rng.randrange(len(content))
    flipped = bytearray(content)
    for _ in range(rng.choice((1, 5, 50))):
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
    kinds: dict[str, Callable[[], bytes]] = {
        "cut": lambda: content[:place],
        "flips": lambda: bytes(flipped),
        "twice": lambda: content + content,
        "mark": lambda: b"\xef\xbb\xbf" + content,
        "utf-16": lambda: content.decode().encode("utf-16"),
        "latin-1": lambda: content[:place] + b"\xe9" + content[place:],
        "nul": lambda: content[:place] + b"\0" + content[place:],
        "empty": lambda: b"",
        "only spaces": lambda: b" " * 1_000_000,
    }
    name = rng.choice(list(kinds))
    return name, kinds[name]()


TOML_VALUES = (
    "1", "-1", "0", "true", "nan", "inf", "-inf", "1" * 5000, "0x" + "f" * 5000, "1e999", "[]", "[[]]", "{}",
    "{a = 1}", '""', '"x"', "[1, 'x']", "1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", "[" * 5000 + "]" * 5000,
    "[" * 100 + "]" * 100, "{a = " * 3000 + "1" + "}" * 3000, "9" * 40, "9223372036854775808",
    *(json.dumps(text) for text in TEXTS if "\0" not in text), '"\\u0000"', '"\\ud800"', "'''a\nb'''",
)  # fmt: skip
TOML_LINES = (
    "[[stage]]", "[export]", "[a]\n[a]", ".".join("a" * 3000) + " = 1", '."a b"' * 2000, "unknown = 1", '"" = 1',
    '"\\u001b[31m" = 1', "stage = 1", "[expect]", "[health]", "a.b.c = 1\na.b = 2", "schema = 1", "=", "[[[",
    '"k\\n[export]" = 2', '[preprocessing.inputs."\\u202e"]\nscale = 1', "options = ['x=\\ny']",
)  # fmt: skip


def toml_mutation(text: str, rng: random.Random) -> tuple[str, bytes]:
    """Return a name and the bytes of one mutation."""
    lines = text.splitlines()
    given = [i for i, line in enumerate(lines) if re.match(r"[\w.]+ *=", line)]
    index, what = rng.choice(given), rng.choice(("swap", "swap", "swap", "swap", "delete", "line", "line", "bytes"))
    key = lines[index].partition("=")[0].strip()
    if what == "swap":
        value = rng.choice(TOML_VALUES)
        lines[index] = f"{key} = {value}"
        name = f"swap {key} {value:.30}"
    elif what == "delete":
        del lines[index]
        name = f"delete {key}"
    elif what == "line":
        line = rng.choice(TOML_LINES)
        lines.insert(rng.choice((0, index, len(lines))), line)
        name = f"line {line:.30}"
    else:
        return damaged(text.encode(), rng)
    return name.replace("\n", "|"), "\n".join(lines).encode()
