"""Target files of the current folder are anybody's: what they may say, and that nothing else is done on their word."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path

import pytest

from edgekit.devices.device import connected
from edgekit.devices.target import Health, parse
from edgekit.devices.targets import (
    all_targets,
    copy_target,
    distrusted,
    find_target,
    read_target,
    user_folder,
    where_from,
)
from edgekit.devices.trust import OPTIONS, PATHS, untrusted
from edgekit.errors import InputError, OutputError
from edgekit.files.whole import work_base
from tests.conftest import Edgekit
from tests.support.pretended import pretend
from tests.support.raised import raised
from tests.support.tiny_tflite import tiny_tflite

SSH = 'schema = 1\ntransport = "ssh"\nhost = "pi@board"\n'


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "targets").mkdir()
    user_folder().mkdir(parents=True)
    return tmp_path


def write(folder: Path, text: str, name: str = "board") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


DANGEROUS = [
    "ProxyCommand=touch ran", "proxycommand=touch ran", "PROXYCOMMAND=touch ran", "LocalCommand=touch ran",
    "PermitLocalCommand=yes", "KnownHostsCommand=/bin/sh -c x", "PKCS11Provider=/tmp/evil.so", "Include=/tmp/evil",
    "SecurityKeyProvider=/tmp/evil.so", "ForwardAgent=yes", "ForwardX11=yes", "ForwardX11Trusted=yes", "Tunnel=yes",
    "LocalForward=9000 board:22", "RemoteForward=9000 localhost:22", "DynamicForward=9000", "GatewayPorts=yes",
    "UserKnownHostsFile=/dev/null", "GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=no",
    "StrictHostKeyChecking=off", "StrictHostKeyChecking=accept-new", "NoHostAuthenticationForLocalhost=yes",
    "HostKeyAlias=github.com", "VerifyHostKeyDNS=yes", "UpdateHostKeys=yes", "CheckHostIP=no", "RevokedHostKeys=/x",
    "IdentityFile=~/.ssh/other", "CertificateFile=/x", "IdentityAgent=/tmp/agent", "AddKeysToAgent=yes",
    "ControlPath=/tmp/x", "ControlMaster=yes", "ControlPersist=yes", "SendEnv=*", "SetEnv=LD_PRELOAD=/x",
    "RemoteCommand=sh", "RequestTTY=force", "XAuthLocation=/tmp/evil", "ProxyUseFdpass=yes", "Hostname=evil",
    "CanonicalizeHostname=always", "Ciphers=3des-cbc", "KexAlgorithms=+diffie-hellman-group1-sha1", "MACs=hmac-md5",
    "HostKeyAlgorithms=+ssh-dss", "GSSAPIDelegateCredentials=yes", "EnableSSHKeysign=yes", "LogLevel=QUIET",
    "StdinNull=yes", "ForkAfterAuthentication=yes", "SessionType=none", "IgnoreUnknown=*", "Match=exec touch", "Tag=x",
    "PermitRemoteOpen=any", "EscapeChar=~", "NoSuchOption=1",
    "ProxyJump=$(touch ran)", "ProxyJump=-oProxyCommand=x", "ProxyJump=a b", "ProxyJump=a;touch ran", "ProxyJump=`x`",
    "ProxyJump=a,-b", "ProxyJump=", "Port=22 ProxyCommand=x", "Port=22\tProxyCommand=x", "User=-x", "User=$(x)",
    "User=a b", "BindAddress=$(x)", "Compression=yes;x", "IPQoS=a b c", "ConnectTimeout=x", "Compression=",
]  # fmt: skip
HARMLESS = [
    "ProxyJump=gateway", "proxyjump=me@gate.example.org:2222,other", "Port=2222", "User=pi", "Compression=yes",
    "ConnectTimeout=30", "IdentitiesOnly=yes", "StrictHostKeyChecking=yes", "AddressFamily=inet6", "IPQoS=throughput",
    "IPQoS=af21 cs1", "BindAddress=192.168.1.2", "ServerAliveInterval=5", "TCPKeepAlive=no", "ConnectionAttempts=3",
]  # fmt: skip


@pytest.mark.parametrize("option", DANGEROUS)
def test_options_that_not_everybody_may_give(here: Path, option: str) -> None:
    text = SSH + f"options = ['Compression=yes', '{option}']\n"
    for place in (write(here / "targets", text), write(here, text, "mine")):
        for name in {str(place), place.stem if place.parent.name == "targets" else str(place)}:
            code = "text-not-printable" if "\t" in option else "target-not-trusted"
            with raised(code, "`options") as caught:
                find_target(name)
            assert caught.value.message.startswith(f"{place.relative_to(here) if '/' not in name else name}: ")
    if "\t" not in option:
        write(user_folder(), text, "own")
        assert find_target("own").options[1] == option
        assert find_target("board", trust=True).options[1] == option


@pytest.mark.parametrize("option", HARMLESS)
def test_options_that_everybody_may_give(here: Path, option: str) -> None:
    write(here / "targets", SSH + f"options = ['{option}']\n")
    assert find_target("board").options == (option,)


def test_every_allowed_option_is_one_of_openssh(here: Path) -> None:
    """ssh takes each of them; a misspelt one would be refused by it."""
    values = {
        "AddressFamily": "inet", "BindAddress": "127.0.0.1", "Compression": "yes", "ConnectionAttempts": "2",
        "ConnectTimeout": "9", "IdentitiesOnly": "yes", "IPQoS": "throughput", "Port": "22", "ProxyJump": "gate",
        "ServerAliveCountMax": "3", "ServerAliveInterval": "5", "StrictHostKeyChecking": "yes", "TCPKeepAlive": "yes",
        "User": "pi",
    }  # fmt: skip
    assert set(values) == set(OPTIONS)
    argv = [part for name, value in values.items() for part in ("-o", f"{name}={value}")]
    done = subprocess.run(["ssh", "-F", "none", "-G", *argv, "board"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SSH + 'python = "./evil.py"\n', "`python` is ./evil.py"),
        (SSH + 'python = "/tmp/python3"\n', "`python` is /tmp/python3"),
        (SSH + 'python = "sh"\n', "`python` is sh"),
        (SSH + 'python = "/bin/sh -c x"\n', "`python` is /bin/sh -c x"),
        (SSH + 'python = "-c"\n', "`python` is -c"),
        ('schema = 1\ntransport = "local"\npython = "evil"\n', "`python` is evil"),
        (SSH + '[health]\nthrottled = ["sh", "-c", "touch ran"]\n', "`health.throttled` is sh -c touch ran"),
        (SSH + '[health]\nthrottled = ["vcgencmd", "reset"]\n', "`health.throttled` is vcgencmd reset"),
        (SSH + '[health]\nthrottled = ["./vcgencmd", "get_throttled"]\n', "`health.throttled` is"),
        (SSH + '[health]\ngovernor = "/home/pi/.bashrc"\n', "`health.governor` is"),
        (SSH + '[health]\ngovernor = "/etc/shadow"\n', "`health.governor` is"),
        (
            SSH + '[health]\ngovernor = "/sys/devices/system/cpu/../../../../etc/scaling_governor"\n',
            "`health.governor`",
        ),
        (SSH + '[health]\ngovernor = "/sys/power/state"\n', "`health.governor` is"),
        (SSH + '[health]\ntemperature = "/sys/class/thermal/a/temp /etc/shadow"\n', "`health.temperature` is"),
        (SSH + '[health]\ntemperature = "/proc/self/environ"\n', "`health.temperature` is"),
        (SSH + '[health]\ntemperature = "/dev/zero"\n', "`health.temperature` is"),
        (SSH + '[health]\nthrottled_file = "/etc/get_throttled"\n', "`health.throttled_file` is"),
    ],
)
def test_fields_that_not_everybody_may_give(here: Path, text: str, message: str) -> None:
    write(here / "targets", text)
    with raised("target-not-trusted", message, "--trust-target"):
        find_target("board")
    assert distrusted(read_target("board"))
    find_target("board", trust=True)
    write(user_folder(), text, "own")
    find_target("own")


@pytest.mark.parametrize(
    "text",
    [
        'host = "-oProxyCommand=x"', 'host = "pi@-oProxyCommand=x"', 'host = "pi@a b"', 'host = "pi@a\\nb"',
        'host = "pi@$(x)"', 'host = "pi@a;x"', 'host = "ssh://x"', 'host = ""', "port = -1", "port = 99999999999",
        'work = "/"', 'work = ""', 'work = "."', 'work = "~/.."', 'work = "a/../.."', 'work = "/etc"', 'work = "a\\nb"',
        'options = ["Compression=yes\\nProxyCommand=x"]', 'options = ["Compression yes"]', 'options = ["-F=x"]',
        'identity = "a\\u0000b"', 'serial = "a\\nb"', 'python = ""', 'python = "a\\nb"',
    ],
)  # fmt: skip
def test_values_that_are_none_wherever_they_stand(text: str) -> None:
    lines = SSH if not text.startswith("host") else 'schema = 1\ntransport = "ssh"\n'
    with pytest.raises(InputError, match=text.split(" ")[0]):
        parse(f"{lines}{text}\n", "x", "own.toml")


def test_a_shadowed_target_keeps_its_way(here: Path) -> None:
    write(here / "targets", SSH, "desktop")
    with raised("target-not-trusted", "`transport` is ssh", "`desktop` is local"):
        find_target("desktop")
    write(here / "targets", SSH, "rpi4")
    assert find_target("rpi4").host == "pi@board"


def test_which_file_is_used(here: Path) -> None:
    assert where_from(find_target("rpi4")) == ""
    write(here / "targets", SSH, "rpi4")
    assert where_from(find_target("rpi4")) == "target `rpi4` is from targets/rpi4.toml, in place of the package's"
    write(here / "targets", SSH)
    assert where_from(find_target("board")) == "target `board` is from targets/board.toml"
    write(user_folder(), SSH, "own")
    assert where_from(find_target("own")) == f"target `own` is from {user_folder()}/own.toml"


def test_links_decide_by_what_they_lead_to(here: Path) -> None:
    write(user_folder(), SSH + 'options = ["ForwardAgent=yes"]\n', "own")
    (here / "link.toml").symlink_to(user_folder() / "own.toml")
    assert find_target("./link.toml").options
    write(here, SSH + 'options = ["ForwardAgent=yes"]\n', "evil")
    (user_folder() / "evil.toml").symlink_to(here / "evil.toml")
    with raised("target-not-trusted", "ForwardAgent"):
        find_target("evil")
    (here / "targets" / "secret.toml").symlink_to("/etc/passwd")
    with raised("link-leaves-folder", "secret.toml"):
        find_target("secret")
    with raised("link-leaves-folder", "secret.toml"):
        all_targets()


def test_a_file_of_the_package_may_come_from_anybody() -> None:
    for target in all_targets(Path("none")):
        assert untrusted(target, target) == []
    assert set(PATHS) | {"throttled"} == {f.name for f in dataclasses.fields(Health)}


def test_init_copies_files_that_need_no_flag(here: Path) -> None:
    copy_target("rpi5", Path("targets"), "mine", "me@10.0.0.9:2200")
    found = find_target("mine").at(None, "key")
    assert (found.host, found.port, found.place) == ("me@10.0.0.9", 2200, "here")
    path = here / "targets" / "mine.toml"
    copied = path.read_text()
    for identity in ("~/.ssh/board", "keys/board", f"{work_base()}/boards/rpi4-emulated/ssh/id_ed25519"):
        path.write_text(f'identity = "{identity}"\n' + copied)
        assert find_target("mine").identity == identity
    for identity in ("/etc/shadow", "~/secret", "~/.ssh/../secret", "../key", "link"):
        (here / "link").unlink(missing_ok=True)
        (here / "link").symlink_to("/etc/shadow")
        path.write_text(f'identity = "{identity}"\n' + copied)
        with raised("target-not-trusted", "`identity`"):
            find_target("mine")


def test_init_does_not_make_a_strangers_file_the_users(here: Path) -> None:
    evil = write(here, SSH + 'options = ["ProxyCommand=x"]\n', "evil")
    (here / "targets").rmdir()
    (here / "targets").symlink_to(user_folder())
    with raised("output-is-link", "targets", kind=OutputError):
        copy_target(str(evil), Path("targets"))
    assert list(user_folder().iterdir()) == []
    (here / "targets").unlink()
    copy_target(str(evil), Path("targets"))
    with raised("target-not-trusted", "ProxyCommand"):
        find_target("evil")


@pytest.mark.parametrize("identity", ["~nobody-of-this-name/key", "k%d", "k$HOME", "folder", "pipe", "none"])
def test_keys_that_are_none(here: Path, identity: str) -> None:
    (here / "folder").mkdir()
    os.mkfifo(here / "pipe")
    for name in ("k%d", "k$HOME"):
        (here / name).write_text("x")
    target = find_target("ssh").at("pi@board", identity)
    with pytest.raises(InputError), connected(target):
        pytest.fail("must not be entered")


def test_nothing_runs_from_the_command_line(edgekit: Edgekit, tmp_path: Path) -> None:
    tiny_tflite(tmp_path / "m.tflite")
    ran = tmp_path / "ran"
    pretend(tmp_path / "bin", "ssh", f"#!/bin/sh\ntouch {ran}\nexit 255\n")
    edgekit.env |= {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "XDG_CONFIG_HOME": str(tmp_path / "config")}
    write(tmp_path / "targets", SSH + f"options = ['ProxyCommand=touch {ran}']\n", "rpi4")
    for argv in (
        ["bench", "m.tflite", "--target", "rpi4"],
        ["bench", "m.tflite", "--target", "targets/rpi4.toml"],
        ["push", "m.tflite", "--target", "rpi4"],
        ["targets", "check", "rpi4"],
    ):
        done = edgekit(*argv, check=1)
        assert "targets/rpi4.toml: `options` has ProxyCommand" in done.stderr
        assert not ran.exists()
    done = edgekit("targets", "check", "rpi4", "--trust-target", check=1)
    assert ran.exists()
    assert "target `rpi4` is from targets/rpi4.toml, in place of the package's" in done.stderr
    assert "targets/rpi4.toml (needs --trust-target)" in edgekit("targets", "list").stdout
    shown = edgekit("targets", "show", "rpi4").stdout
    assert shown.startswith(
        "# target `rpi4` is from targets/rpi4.toml, in place of the package's\n# needs --trust-target"
    )
