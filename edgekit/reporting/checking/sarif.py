"""Checks as SARIF 2.1.0 (OASIS), which GitHub's code scanning and other viewers read.

A missed bound is a result of kind `fail` and level `error`; what cannot be told is of kind `open`, for which the
standard (section 3.27.10) wants the level `none`. What passes is no result: GitHub would show it as an alert. Rules are
the codes of edgekit's register.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import PurePath
from urllib.parse import quote

from edgekit.errors.codes import register
from edgekit.errors.printable import visible
from edgekit.reporting.checking.checks import FAIL, PASS, Check, Checks
from edgekit.schema.types import JsonObject

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
NAME = "edgekit"
_LOG = {"$schema": SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": {"name": NAME}}}]}
HEAD = json.dumps(_LOG, indent=1).partition(f'"{NAME}"')[0] + f'"{NAME}"'
"""How every file begins, by which one is recognised as edgekit's own."""


def sarif(checks: Checks, version: str) -> str:
    """Return the JSON text.

    Args:
        checks: to report.
        version: of edgekit.
    """
    reported = [check for check in checks.checks if check.word != PASS]
    codes = list(dict.fromkeys([*(check.code for check in reported), *(reason.code for reason in checks.unread)]))
    results = [_result(check, codes.index(check.code)) for check in reported]
    for reason in checks.unread:
        text = visible(reason.sentence)
        results.append({"ruleId": reason.code, "ruleIndex": codes.index(reason.code), **_open(text)})
    driver = {"name": NAME, "version": version, "rules": list(map(_rule, codes))}
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}
    return json.dumps(log, indent=1) + "\n"


def _rule(code: str) -> JsonObject:
    entry = register()[code]
    return {
        "id": code,
        "shortDescription": {"text": entry.means},
        "fullDescription": {"text": f"{entry.means} {entry.why}"},
        "help": {"text": entry.mend},
        "defaultConfiguration": {"level": "error"},
    }


def _result(check: Check, index: int) -> JsonObject:
    text = visible(f"{check.file.place}: {check.sentence}")
    kind = {"kind": "fail", "level": "error", "message": {"text": text}} if check.word == FAIL else _open(text)
    identity = "\0".join(map(str, (check.file.name, check.file.target, check.file.threads, check.bound.name)))
    located = {"locations": [_location(check.file.path)]} if check.file.path else {}
    return {
        "ruleId": check.code,
        "ruleIndex": index,
        **kind,
        **located,
        "partialFingerprints": {"edgekitCheck/v1": hashlib.sha256(visible(identity).encode()).hexdigest()},
    }


def _open(text: str) -> JsonObject:
    return {"kind": "open", "level": "none", "message": {"text": text}}


def _location(path: str) -> JsonObject:
    plain = PurePath(path)
    uri = plain.as_uri() if plain.is_absolute() else quote(os.fsencode(plain.as_posix()))
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": 1}}}
