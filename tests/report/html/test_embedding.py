"""Nothing that is put into HTML gets out of its place, and scripts are the ones that are pinned."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from edgekit.reporting.html import vendored
from edgekit.reporting.html.embedding import data, policy, script
from edgekit.reporting.html.markup import Markup, element, joined, text
from edgekit.reporting.html.sections.parts import code_spans
from tests.report.html import HOSTILE
from tests.support.raised import raised


class Reader(HTMLParser):
    """What a browser would take a text for."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_text_stays_a_text(name: str) -> None:
    read = Reader(element("p", name, title=name))
    [(tag, attributes)] = read.elements
    shown = "".join(read.texts)
    assert tag == "p" and attributes == {"title": shown}
    assert shown.isprintable() or name != shown
    assert not re.search(r"[\x00-\x1f\u2028\u2029\u202e]", shown)
    if name.isprintable():
        assert shown == name


def test_markup_is_put_together() -> None:
    assert element("br") == "<br>"
    assert element("p") == "<p></p>"
    assert (
        element("p", None, "a<", Markup("<b>"), hidden=True, id=None, data_x=0) == '<p hidden data-x="0">a&lt;<b></p>'
    )
    assert joined(["a", None, "b"], " ") == "a b"
    assert text('"') == "&quot;"
    for wrong in ("p onclick", "<p", "P", ""):
        with pytest.raises(ValueError, match="is no element"):
            element(wrong)
    with pytest.raises(ValueError, match="is no attribute"):
        element("p", **{"a b": "c"})


def test_words_between_backticks_are_code() -> None:
    assert code_spans("see `a` and `<b>`.") == "see <code>a</code> and <code>&lt;b&gt;</code>."
    assert code_spans("a ` b") == "a ` b"
    assert code_spans("`a` `b") == "<code>a</code> `b"


@pytest.mark.parametrize("name", HOSTILE)
def test_json_is_ended_by_nothing_in_it(name: str) -> None:
    html = data("x", {name: [name, 1.5, True, None, {"a": name}]})
    read = Reader(html + "<p>after</p>")
    assert [tag for tag, _ in read.elements] == ["script", "p"]
    assert not re.search(r"[<>&\u2028\u2029]", html[html.index(">") + 1 : html.rindex("<")])
    held = json.loads(read.texts[0])
    [(key, values)] = held.items()
    assert key == values[0] == values[-1]["a"] and values[1:4] == [1.5, True, None]
    assert not re.search(r"[\x00-\x1f\u2028\u202e]", key)


def test_numbers_that_json_lacks_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        data("x", [float("nan")])


@pytest.mark.parametrize("source", ["a</script>b", "a</SCRIPT b", "<!-- a", "<script", "a\rb", "a\0b"])
def test_a_script_that_would_end_early_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="cannot stand in HTML"):
        script(source)


def test_the_policy_names_scripts_by_their_digests() -> None:
    digest = base64.b64encode(hashlib.sha256(b"one();").digest()).decode()
    found = policy(["one();"], ["p {}"])
    assert found.startswith("default-src 'none'; ")
    assert f"script-src 'sha256-{digest}'; style-src 'sha256-" in found
    assert found.endswith("; base-uri 'none'; form-action 'none'")
    assert "unsafe" not in found and "http" not in found and "*" not in found
    with_map = policy(["one();\n//# sourceMappingURL=a.js.map\n"], [])
    assert f"'sha256-{base64.b64encode(hashlib.sha256(b'one();' + chr(10).encode()).digest()).decode()}'" in with_map


@pytest.mark.parametrize("pinned", vendored.SCRIPTS, ids=lambda one: one.package)
def test_scripts_are_those_that_are_pinned(pinned: vendored.Script) -> None:
    content = (Path(vendored.__file__).parent / "vendor" / pinned.file).read_bytes()
    assert hashlib.sha256(content).hexdigest() == pinned.sha256
    assert pinned.version.encode() in content
    script(content.decode())


def test_a_changed_script_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    first, *rest = vendored.SCRIPTS
    changed = vendored.Script(first.package, first.version, first.build, "0" * 64)
    monkeypatch.setattr(vendored, "SCRIPTS", (changed, *rest))
    with raised("vendored-script-changed", "`vega.min.js`", first.version):
        vendored.sources()


def test_licences_are_there() -> None:
    text = (Path(vendored.__file__).parent / "vendor" / vendored.LICENSES).read_text(encoding="utf-8")
    for one in vendored.SCRIPTS:
        assert f"{one.package} {one.version} (BSD-3-Clause)" in text
    assert {"vega-interpreter", "d3-scale", "fast-json-patch", "topojson-client"} <= set(
        re.findall(r"^[\w-]+", text, re.M)
    )
    assert text.count("Redistribution and use") >= 2 and "ISC" in text
