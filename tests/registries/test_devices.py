"""A transport and a fact about devices, added in a package of their own, are known wherever they should be."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from edgekit.bundle.facts import HostFacts, Unavailable
from edgekit.cli.options import targets
from edgekit.devices import doctor
from edgekit.devices.device import connected
from edgekit.devices.doctor import DeviceCheck, Result
from edgekit.devices.facts import FACTS, Fact, facts_table, read_fact
from edgekit.devices.target import Target, parse
from edgekit.devices.transports import registry
from edgekit.devices.transports.base import Transport
from edgekit.devices.transports.fake import FakeTransport
from edgekit.devices.transports.registry import TransportKind, transports_table
from edgekit.progress import SILENT
from tests.support.raised import raised

MODULE = """
from edgekit.devices.transports.local import LocalTransport

class Container(LocalTransport):
    def __init__(self, name):
        self.address = f"container {name}"

def connect(address, progress):
    return Container(address.host)
"""
TEXT = 'schema = 1\ntransport = "container"\ndescription = "build box"\n'


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TransportKind:
    """A transport that edgekit does not know."""
    (tmp_path / "way_to_containers.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    kind = TransportKind(
        "container",
        "a container here",
        "way_to_containers",
        read_host=lambda text: {"host": text.removeprefix("docker:")},
        needs_address=True,
        shares_cpu=True,
    )
    monkeypatch.setattr(registry, "TRANSPORTS", [*registry.TRANSPORTS, kind])
    return kind


def test_a_transport_is_one_module_and_one_row(container: TransportKind) -> None:
    target = parse(TEXT, "box", "box.toml")
    assert target.kind is container
    with raised("address-missing", "EDGEKIT_BOX_HOST"), connected(target):
        pass
    with connected(target.at("docker:a1")) as transport:
        assert transport.address == "container a1"
        assert transport.run(["echo", "hello"], timeout=10).stdout == "hello\n"
    with raised("option-not-for-target", "--identity", "`box`", "`container`"):
        target.at(None, "key")
    assert "| `container` | a container here | `--host` |" in transports_table()


def test_its_name_and_address_are_known_to_commands(
    container: TransportKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "box.toml").write_text(TEXT)
    monkeypatch.setenv("EDGEKIT_BOX_HOST", "docker:b2")
    [target] = targets([str(tmp_path / "box.toml")], None, None, SILENT, trust=False)
    assert target.host == "b2"
    with pytest.raises(Exception, match="local, ssh, adb, emulated, container"):
        parse('schema = 1\ntransport = "contaner"\n', "box", "box.toml")


def test_only_transports_with_an_address_take_one() -> None:
    with raised("option-not-for-target", "--host", "`local`", "ssh and adb"):
        Target("local", name="here", source="test").at("pi@10.0.0.7")
    assert Target("adb", name="phone", source="test").at("emulator-5554").serial == "emulator-5554"
    assert Target("ssh", name="pi", source="test").at("pi@[fe80::1]:2222").port == 2222


def test_every_transport_can_be_imported() -> None:
    import importlib

    for kind in registry.TRANSPORTS:
        assert callable(importlib.import_module(kind.module).connect), kind.name


def test_a_fact_is_a_row_and_a_field_of_records(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(FACTS) == {field.name for field in dataclasses.fields(HostFacts)}
    monkeypatch.setitem(FACTS, "page_size", Fact(("getconf", "PAGESIZE"), int, "bytes of a page"))
    assert read_fact(FakeTransport({"getconf PAGESIZE": "4096"}), "page_size") == 4096
    assert isinstance(read_fact(FakeTransport({"getconf PAGESIZE": "?"}), "page_size"), Unavailable)
    assert "| `page_size` | bytes of a page | `getconf` |" in facts_table()


def test_a_device_check_is_one_function_and_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def swap(target: Target, facts: HostFacts, transport: Transport) -> Result:
        return Result("swap", "ok", "none")

    monkeypatch.setattr(doctor, "CHECKS", [DeviceCheck("swap", "swap space", swap)])
    assert [finding.what for finding in doctor._system(Target("local", name="x", source="x"), FakeTransport())] == [
        "swap"
    ]
    assert doctor.checks_table() == "| swap | swap space |"
