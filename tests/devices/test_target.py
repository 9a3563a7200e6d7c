"""Target files: where they are found, what they may say, and how an address is overridden."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from edgekit.devices.target import DESKTOP, parse
from edgekit.devices.targets import all_targets, copy_target, find_target
from edgekit.errors import InputError, OutputError
from tests.support.raised import raised

MINIMAL = 'schema = 1\ntransport = "ssh"\n'


@pytest.fixture(autouse=True)
def no_own_targets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("RPI4", "RPI_ZERO_2W", "ANDROID", "SSH"):
        monkeypatch.delenv(f"EDGEKIT_{name}_HOST", raising=False)
    return tmp_path / "config" / "edgekit" / "targets"


def test_the_packaged_targets_are_those_of_the_project() -> None:
    project = Path(__file__).parents[2] / "targets"
    names = sorted(p.stem for p in project.glob("*.toml"))
    assert names == [t.name for t in all_targets(Path("none"))]
    assert set(names) >= {
        "desktop",
        "rpi3",
        "rpi4",
        "rpi5",
        "rpi-zero-2w",
        "rpi4-32bit",
        "android",
        "rpi4-emulated",
        "ssh",
    }
    for target in all_targets(Path("none")):
        assert target.description, target.name


def test_the_nearest_file_of_a_name_wins(tmp_path: Path, no_own_targets: Path) -> None:
    assert find_target("rpi4", tmp_path).host == "pi@raspberrypi.local"
    no_own_targets.mkdir(parents=True)
    (no_own_targets / "rpi4.toml").write_text(MINIMAL + 'host = "pi@own"\n')
    assert find_target("rpi4", tmp_path).host == "pi@own"
    (tmp_path / "rpi4.toml").write_text(MINIMAL + 'host = "pi@project"\n')
    assert find_target("rpi4", tmp_path).host == "pi@project"
    assert find_target(str(no_own_targets / "rpi4.toml"), tmp_path).host == "pi@own"


def test_every_field(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "edgekit/devices/target.py").read_text().split('"""')[1]
    example = text[text.index("schema") :]
    target = parse(example, "x", "docstring")
    assert (target.host, target.port, target.identity) == ("pi@raspberrypi.local", 22, "~/.ssh/id_ed25519")
    assert (target.runtimes, target.threads) == (("ai-edge-litert", "tflite-runtime"), (1, 4))
    assert (target.expect.cpu, target.health.throttled) == ("Cortex-A72", ("vcgencmd", "get_throttled"))
    assert target.options == ("ProxyJump=gateway",)


@pytest.mark.parametrize(
    ("given", "host", "port"),
    [
        ("pi@192.168.1.7", "pi@192.168.1.7", None),
        ("pi@127.0.0.1:2222", "pi@127.0.0.1", 2222),
        ("board", "board", None),
        ("board:22", "board", 22),
        ("pi@fe80::1", "pi@fe80::1", None),
        ("pi@[fe80::1]:2222", "pi@fe80::1", 2222),
        ("first.last@host.example.org", "first.last@host.example.org", None),
    ],
)
def test_addresses(given: str, host: str, port: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    target = find_target("ssh").at(given)
    assert (target.host, target.port) == (host, port)
    monkeypatch.setenv("EDGEKIT_SSH_HOST", given)
    assert find_target("ssh").host == host
    monkeypatch.setenv("EDGEKIT_RPI_ZERO_2W_HOST", given)
    assert find_target("rpi-zero-2w").host == host


@pytest.mark.parametrize(
    "host",
    ["", "pi@", "@board", "-oProxyCommand=x", "pi@-oX", "pi @board", "board:", "board:0", "board:99999", "board:x"],
)
def test_what_is_no_address(host: str) -> None:
    with raised("address-invalid", "--host"):
        find_target("rpi4").at(host)


def test_addresses_are_for_what_has_one() -> None:
    with raised("option-not-for-target", "--host", "`desktop`"):
        DESKTOP.at("pi@board")
    with raised("option-not-for-target", "--identity", "`rpi4-emulated`"):
        find_target("rpi4-emulated").at(None, "key")
    assert find_target("android").at("R58M123").serial == "R58M123"


@pytest.mark.parametrize(
    ("text", "code", "names"),
    [
        ("", "schema-missing", ("`schema`", "begin the file with: schema = 1")),
        ("schema = 2\nnew = 1\n", "schema-too-new", ("`schema` is 2", "schema 1", "upgrade edgekit")),
        ("schema = 1\n", "key-missing", ("`transport`", "local, ssh, adb, emulated")),
        ("\x00", "not-toml", ()),
        ('schema = 1\ntransport = "shs"\n', "unknown-name", ('`transport` is "shs"', "`ssh`?")),
        (MINIMAL + "hots = 1\n", "key-unknown", ("`hots`", "`host`?")),
        (MINIMAL + "port = 0\n", "value-out-of-range", ("`port` is 0", "1 to 65535")),
        (MINIMAL + "port = true\n", "value-wrong-type", ("`port` is true",)),
        (
            MINIMAL + 'host = "-oProxyCommand=x"\n',
            "value-not-valid",
            ('`host` is "-oProxyCommand=x"', "pi@192.168.1.7"),
        ),
        (MINIMAL + 'work = "/tmp/x"\n', "value-not-valid", ('`work` is "/tmp/x"', "home folder")),
        (MINIMAL + 'work = "../x"\n', "value-not-valid", ('`work` is "../x"',)),
        (MINIMAL + 'work = "~"\n', "value-not-valid", ('`work` is "~"',)),
        (MINIMAL + 'runtimes = ["tensorflow"]\n', "unknown-name", ('`runtimes[0]` is "tensorflow"',)),
        (MINIMAL + "runtimes = []\n", "value-out-of-range", ("`runtimes` has 0 entries",)),
        (MINIMAL + "threads = [0]\n", "value-out-of-range", ("`threads[0]` is 0", "1 to 1024")),
        (MINIMAL + 'threads = "4"\n', "value-wrong-type", ('`threads` is "4"', "a list")),
        (MINIMAL + 'options = ["-v"]\n', "value-not-valid", ('`options[0]` is "-v"', "ProxyJump=gateway")),
        (MINIMAL + 'serial = "a\\tb"\n', "text-not-printable", ("`serial`", r"\t")),
        (MINIMAL + "[expect]\nbits = 16\n", "unknown-name", ("`expect.bits` is 16", "32 or 64")),
        (MINIMAL + "[expect]\nram = 1\n", "key-unknown", ("`expect.ram`",)),
        (MINIMAL + '[health]\ntemperature = "temp"\n', "value-not-valid", ('`health.temperature` is "temp"',)),
        (MINIMAL + "[health]\nthrottled = [1]\n", "value-wrong-type", ("`health.throttled[0]` is 1",)),
    ],
)
def test_what_a_target_may_not_say(text: str, code: str, names: tuple[str, ...]) -> None:
    with raised(code, *names, kind=InputError) as caught:
        parse(text, "x", "my.toml")
    assert caught.value.message.startswith("my.toml: ")


def test_targets_that_are_not_there(tmp_path: Path) -> None:
    with raised("unknown-name", "`rpi9`", "did you mean"):
        find_target("rpi9", tmp_path)
    with raised("file-missing", "none.toml"):
        find_target(str(tmp_path / "none.toml"))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with raised("not-utf-8", "binary.toml"):
        find_target(str(tmp_path / "binary.toml"))


def test_a_copy_to_be_changed(tmp_path: Path) -> None:
    path = copy_target("rpi4", tmp_path, "lab pi".replace(" ", "-"), "me@10.0.0.9:2200")
    assert path == tmp_path / "lab-pi.toml"
    assert tomllib.loads(path.read_text())["host"] == "me@10.0.0.9"
    target = find_target("lab-pi", tmp_path)
    assert (target.host, target.port, target.expect.cpu) == ("me@10.0.0.9", 2200, "Cortex-A72")
    with raised("output-exists", "lab-pi.toml", "--as", kind=OutputError):
        copy_target("rpi4", tmp_path, "lab-pi")
    with raised("name-not-plain", "../x"):
        copy_target("rpi4", tmp_path, "../x")
    assert copy_target("android", tmp_path, host="R58M").read_text().count('serial = "R58M"') == 1


def test_a_copy_keeps_comments_and_odd_spellings(tmp_path: Path, no_own_targets: Path) -> None:
    no_own_targets.mkdir(parents=True)
    text = """# mine
schema = 1
  "transport" = "ssh"   # quoted, and set in
host = "pi@old"
description = '''
host = "not this one"'''
port = 22

[expect]  # 64-bit
bits = 64
"""
    (no_own_targets / "lab.toml").write_text(text)
    copied = copy_target("lab", tmp_path, host="me@10.0.0.9").read_text()
    assert copied == text.replace("pi@old", "me@10.0.0.9").replace("port = 22\n", "")
    assert find_target("lab", tmp_path).description == 'host = "not this one"'
