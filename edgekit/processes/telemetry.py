"""No process of edgekit lets onnxruntime report what it runs.

From 1.29 on, its builds for Linux write a device id and a queue of events to `$XDG_CACHE_HOME/Microsoft` (or below
`~/.cache`), a session's id to `$TMPDIR/.ses`, and send the events to Microsoft over TLS (onnxruntime's Privacy.md).
`disable_telemetry_events` comes too late for all three: `ORT_DISABLE_TELEMETRY` has to be set before the library is
loaded. `edgekit/__init__.py` sets it, so that it holds for every process that runs code of edgekit.

A board may have any version. So its runner gets the session's folder for both places, which goes with the session,
and no certificates, without which nothing is sent.
"""

from __future__ import annotations

import os

SWITCH = "ORT_DISABLE_TELEMETRY"
NOTHING = os.devnull


def switch_off() -> None:
    """Switch it off in this process and those that it starts, whatever the user's environment says."""
    os.environ[SWITCH] = "1"


def confined(folder: str) -> dict[str, str]:
    """Return variables for a program that may load onnxruntime of any version.

    Args:
        folder: of the session, on the program's machine; takes what is written all the same.
    """
    places = {"XDG_CACHE_HOME": folder, "TMPDIR": folder, "SSL_CERT_FILE": NOTHING, "SSL_CERT_DIR": NOTHING}
    return {SWITCH: "1", "ORT_LOAD_CONFIG_FROM_MODEL": "0", **places}
