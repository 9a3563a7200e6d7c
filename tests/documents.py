"""The JSON Schema of what `--json` prints, command by command, made from the registries where there is one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from edgekit.errors.codes import KINDS
from edgekit.reporting import bench_columns, bundle_table, ledger_table, search_table, sensitivity_table
from edgekit.reporting.checking import table as checking
from edgekit.text.columns import Column

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
YES: Schema = {"type": "boolean"}
NULL: Schema = {"type": "null"}


def of(**properties: Schema) -> Schema:
    """Return an object with these keys and no others."""
    return {"type": "object", "properties": properties, "required": sorted(properties), "additionalProperties": False}


def several(items: Schema) -> Schema:
    """Return an array."""
    return {"type": "array", "items": items}


def row(columns: Sequence[Column[Any]], **more: Schema) -> Schema:
    """Return a row of a table: a key a column."""
    cell = {"type": ["number", "string", "object", "null"]}
    return of(**{c.name: {**cell, "description": f"{c.help} {c.unit}".strip()} for c in columns}, **more)


def maybe(schema: Schema) -> Schema:
    """Return what may be null."""
    return {"anyOf": [schema, NULL]}


def named(**values: Schema) -> Schema:
    """Return an object with any keys, whose values are of one kind."""
    [value] = values.values()
    return {"type": "object", "additionalProperties": value}


FAILURE = of(code=TEXT, message=TEXT, hint=TEXT)
REASONS = several(of(code=TEXT, message=TEXT))
CODE = of(code=TEXT, kind={"enum": list(KINDS)}, means=TEXT, why=TEXT, mend=TEXT, room=TEXT)
RECIPE = of(name=TEXT, description=TEXT)
TARGET = {
    "name": TEXT, "transport": TEXT, "address": maybe(TEXT), "file": TEXT, "description": TEXT,
    "needs_trust": several(TEXT),
}  # fmt: skip
ROW = row(
    bench_columns.COLUMNS, record=maybe(TEXT), target=TEXT, metric=maybe(TEXT), reasons=REASONS,
)  # fmt: skip
BUNDLE = {
    "bundle": TEXT,
    "metric": TEXT,
    "files": several(row(bundle_table.columns())),
    "ledger": several(row(ledger_table.columns())),
}
SEARCH = {
    "metric": TEXT,
    "cost": {"enum": ["latency", "macs"]},
    "target": TEXT,
    "gzip": YES,
    "met": YES,
    "nearest": maybe(WHOLE),
    "misses": named(miss=NUMBER),
    "complete": WHOLE,
    "pruned": WHOLE,
    "failed": WHOLE,
    "seconds": NUMBER,
    "budget": named(bound=maybe(NUMBER)),
    "front": several(row(search_table.columns(), recipe_file=maybe(TEXT))),
}
INTERVAL = of(value=maybe(NUMBER), low=maybe(NUMBER), high=maybe(NUMBER))
SIDE = of(
    file=TEXT, sha256=TEXT, bytes=WHOLE, gzip_bytes=WHOLE, threads=WHOLE, target=TEXT, created=TEXT,
    median_ms=maybe(NUMBER), verdict=TEXT, reasons=REASONS,
)  # fmt: skip
DOCUMENTS: dict[str, Schema] = {
    "an error": of(error=FAILURE),
    "bench": of(
        records=several(TEXT),
        rows=several(ROW),
        unsaved=several({"type": "object"}),
        errors=several(of(target=TEXT, code=TEXT, message=TEXT, hint=TEXT)),
    ),
    "check": of(
        decision={"enum": ["pass", "fail", "cannot tell"]},
        checks=several(row(checking.COLUMNS, code=maybe(TEXT), reason=maybe(TEXT), baseline=maybe(TEXT))),
        unread=REASONS,
    ),
    "compare": of(
        record=maybe(TEXT),
        confidence=NUMBER,
        pairs=several(
            of(
                a=SIDE,
                b=SIDE,
                sentences=several(TEXT),
                latency=of(
                    difference={"enum": ["faster", "slower", "none shown", "unknown"]},
                    why=TEXT,
                    ratio=maybe(INTERVAL),
                    detectable=maybe(NUMBER),
                    paired=maybe(YES),
                    processes=maybe(of(a=WHOLE, b=WHOLE)),
                ),
                score=of(
                    difference={"enum": ["same predictions", "shown", "none shown", "unknown"]},
                    why=TEXT,
                    metric=maybe(TEXT),
                    change=maybe(INTERVAL),
                    **dict.fromkeys(("a", "b", "detectable", "p"), maybe(NUMBER)),
                    **dict.fromkeys(("gained", "lost", "samples"), maybe(WHOLE)),
                ),
                memory_mib=maybe(of(a=NUMBER, b=NUMBER)),
                operators=maybe(named(operator=of(a=WHOLE, b=WHOLE))),
            )
        ),
        unlike=several(of(what=TEXT, a=TEXT, b=TEXT, affects=several(TEXT))),
        notes=several(TEXT),
    ),
    "compress": of(**BUNDLE, usable=YES, lost=several(TEXT), advice=TEXT),
    "doctor": of(
        edgekit=TEXT,
        python=TEXT,
        platform=TEXT,
        packages=named(version=TEXT),
        checks=several(of(what=TEXT, state=TEXT, text=TEXT, mend=TEXT)),
    ),
    "explain": of(codes=several(CODE)),
    "explain CODE": CODE,
    "history": of(
        metric=TEXT,
        series=several(
            of(
                file=TEXT,
                target=maybe(TEXT),
                threads=maybe(WHOLE),
                metric=TEXT,
                unit=TEXT,
                unlike=several(of(what=TEXT, here=TEXT, there=TEXT)),
                points=several(
                    of(
                        record=TEXT,
                        created=TEXT,
                        value=NUMBER,
                        low=maybe(NUMBER),
                        high=maybe(NUMBER),
                        sha256=TEXT,
                    )
                ),
                changes=several(
                    of(index=WHOLE, record=TEXT, created=TEXT, before=NUMBER, after=NUMBER, p=NUMBER, worse=YES)
                ),
            )
        ),
        left_out=several(of(what=TEXT, code=TEXT, message=TEXT)),
    ),
    "init": of(written=several(TEXT)),
    "inspect": several({"type": "object", "required": ["path", "format", "bytes", "inputs", "outputs", "operators"]}),
    "push": of(target=TEXT, files=several(of(path=TEXT, bytes=WHOLE, sha256=TEXT, sent=WHOLE))),
    "recipes": of(recipes=several(RECIPE)),
    "recipes NAME": of(name=TEXT, description=TEXT, toml=TEXT),
    "report": of(
        decisions=several(
            of(kind=TEXT, file=maybe(TEXT), source=TEXT, target=maybe(TEXT), threads=maybe(WHOLE), text=TEXT)
        ),
        records=several(of(record=TEXT, target=TEXT, created=TEXT)),
        rows=several(ROW),
        cautions=several(TEXT),
        bundles=several(of(name=TEXT, **BUNDLE)),
        searches=several(of(name=TEXT, **SEARCH)),
        skipped=several(of(path=TEXT, code=TEXT, message=TEXT)),
        written=maybe(TEXT),
    ),
    "search": of(out=TEXT, **SEARCH),
    "sensitivity": of(
        model=TEXT,
        format=TEXT,
        samples=WHOLE,
        sqnr_db=maybe(NUMBER),
        inputs_share=NUMBER,
        outputs_share=NUMBER,
        scores=named(score={"type": "object"}),
        layers=several(row(sensitivity_table.COLUMNS, exact=YES, with_it=several(TEXT))),
        culprit=maybe(TEXT),
        conclusion=TEXT,
        plot=maybe(TEXT),
    ),
    "targets check": of(target=TEXT, findings=several(of(what=TEXT, state=TEXT, text=TEXT, fix=TEXT))),
    "targets emulate down": of(stopped=YES),
    "targets emulate status": of(running=YES),
    "targets init": of(written=several(TEXT)),
    "targets list": of(targets=several(of(**TARGET))),
    "targets show": of(**TARGET, text=TEXT),
    "train": of(written=several(TEXT), best_epoch=WHOLE, epochs=WHOLE, scores=named(score=NUMBER)),
}
"""By what is typed behind `edgekit`. `targets emulate up` prints what `status` prints of a board that is up."""


def page() -> str:
    """Return all of them as one JSON Schema."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What edgekit prints with --json",
        "$defs": DOCUMENTS,
        "anyOf": [{"$ref": f"#/$defs/{name.replace(' ', '%20')}"} for name in DOCUMENTS],
    }
    return json.dumps(schema, indent=2) + "\n"


def faults(value: Any, schema: Schema, place: str = "") -> list[str]:
    """Return where a value is not what a schema says, as far as the schemas of this file go."""
    if "anyOf" in schema:
        each = [faults(value, one, place) for one in schema["anyOf"]]
        return [] if [] in each else each[0]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{place}: {value!r} is none of {schema['enum']}"]
    kinds = schema.get("type", [])
    if kinds and type(value) not in [t for kind in ([kinds] if isinstance(kinds, str) else kinds) for t in TYPES[kind]]:
        return [f"{place}: {value!r} is no {kinds}"]
    if isinstance(value, list):
        return [f for i, one in enumerate(value) for f in faults(one, schema.get("items", {}), f"{place}[{i}]")]
    if not isinstance(value, dict):
        return []
    known, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
    found = [f"{place}.{key}: is missing" for key in schema.get("required", []) if key not in value]
    for key, one in value.items():
        if key in known or isinstance(rest, dict):
            found += faults(one, known.get(key, rest), f"{place}.{key}")
        elif not rest:
            found.append(f"{place}.{key}: is not in the schema")
    return found


TYPES = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,), "null": (type(None),),
    "array": (list,), "object": (dict,),
}  # fmt: skip
