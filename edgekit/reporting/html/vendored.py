"""The charting library: the minified builds of three npm packages, unchanged, pinned by their digests.

Their licences, and those of what they contain, are in `vendor/LICENSES.txt`. To take newer ones: `npm pack` each, copy
the file here, and write its version and digest below.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources

from edgekit.errors import InputError

PACKAGE = "edgekit.reporting.html"
LICENSES = "LICENSES.txt"


@dataclass(frozen=True)
class Script:
    """One file of an npm package.

    Attributes:
        package, version: of npm.
        build: the file in the package, whose name it keeps.
        sha256: of the file.
    """

    package: str
    version: str
    build: str
    sha256: str

    @property
    def file(self) -> str:
        """Its name in `vendor/`."""
        return self.build.rpartition("/")[2]


SCRIPTS = (
    Script("vega", "6.4.0", "build/vega.min.js", "8f6a3587cf8d4f42c7e08120e3eb05d067e746d554e39d2dcf52acc0bd5ba28f"),
    Script(
        "vega-lite", "6.4.3", "build/vega-lite.min.js",
        "35a9821df838825b05a6a73e9414b58747a1b18321583858ed903c66393a5c7e",
    ),
    Script(
        "vega-embed", "7.3.0", "build/vega-embed.min.js",
        "b1455caba2fb1a72fb46025ba0ba1316e2dbc7f0dd40a3f6040172bf9c08ba91",
    ),
)  # fmt: skip
"""In the order in which a page runs them. Vega-Embed holds Vega's expression interpreter, which needs no `eval`."""


def sources() -> tuple[str, ...]:
    """Return the scripts' texts.

    Raises:
        InputError: a file is not the one that is pinned.
    """
    return tuple(map(_checked, SCRIPTS))


def asset(name: str) -> str:
    """Return the text of a file of the page's own."""
    return resources.files(PACKAGE).joinpath("assets", name).read_text(encoding="utf-8")


def _checked(script: Script) -> str:
    content = resources.files(PACKAGE).joinpath("vendor", script.file).read_bytes()
    if hashlib.sha256(content).hexdigest() != script.sha256:
        raise InputError(
            f"`{script.file}` is not that of {script.package} {script.version}: its digest is another",
            "install edgekit again: the file was changed or damaged",
            code="vendored-script-changed",
        )
    return content.decode("utf-8")
