"""Target files of strangers, bundles that reach outside when pushed, boards that lie, and places for results."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.hostile.case import Canary, Case
from tests.support.tiny_tflite import tiny_tflite

PRELOAD: tuple[str, ...] = (
    "edgekit.cli", "edgekit.measuring.several", "edgekit.data.loading", "edgekit.devices.push",
    "edgekit.devices.doctor",
)  # fmt: skip
COUNT = 120
Make = Callable[[Canary], Sequence[str]]
ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "benchmarks" / "artifacts" / "mnist-8k"
BOARD = """#!/bin/sh
while [ "$1" != "--" ]; do shift; done
HOME={home}; export HOME; cd "$HOME"
{also}
exec sh -c "$3"
"""
"""A board that is a folder: the program that stands for `ssh`."""
QUICK = ("--threads", "1", "--processes", "1", "--min-samples", "5", "--min-seconds", "0", "--no-memory")


def cases(seed: int, count: int) -> Iterator[Case]:
    """Yield all, in an order of the seed's: they are as many as they are."""
    found = [*_targets(), *_fields(), *_links_to_targets(), *_pushes(), *_boards(), *_places(), *_work(), *_wheels()]
    random.Random(f"{seed}-outputs").shuffle(found)
    yield from found[: max(count, 1)] if count < COUNT else found


def _board(also: str = "") -> Path:
    """Put a board of ours on PATH; return its home folder."""
    home = Path("board").absolute()
    home.mkdir()
    Path("bin").mkdir()
    Path("bin/ssh").write_text(BOARD.format(home=home, also=also))
    Path("bin/ssh").chmod(0o755)
    os.environ["PATH"] = f"{Path('bin').absolute()}:{os.environ['PATH']}"
    os.environ |= {"PIP_NO_INDEX": "1", "RUSTUP_HOME": str(Path("rustup").absolute())}  # pip asks for rustc, too
    return home


def _target(lines: str, place: str = "targets/rpi4.toml", transport: str = "ssh") -> None:
    Path(place).parent.mkdir(exist_ok=True)
    Path(place).write_text(f'schema = 1\ntransport = "{transport}"\n{lines}\n')


def _model() -> str:
    return str(tiny_tflite(Path("m.tflite")))


def _commands(target: str) -> Sequence[Sequence[str]]:
    return (
        ("bench", "m.tflite", "--target", target, *QUICK),
        ("push", "m.tflite", "--target", target),
        ("targets", "check", target),
    )


OPTIONS = (
    "ProxyCommand={command}; exit 1", "proxycommand={command}; exit 1", "KnownHostsCommand=/usr/bin/touch {marker}",
    "LocalCommand={command}", "Match=exec '{command}'", "ProxyJump=$({command})", "ProxyJump=x`{command}`",
    "Compression=yes\\nProxyCommand={command}", "Port=1 ProxyCommand={command}", "User=$({command})",
    "PKCS11Provider={secret}", "SecurityKeyProvider={secret}", "IdentityFile={secret}", "CertificateFile={secret}",
    "Include={secret}", "UserKnownHostsFile={victim}", "GlobalKnownHostsFile={secret}", "RevokedHostKeys={secret}",
    "ControlPath={marker}", "IdentityAgent={secret}", "ForwardAgent=yes", "RemoteForward=9 localhost:22",
    "StrictHostKeyChecking=no", "SendEnv=*", "XAuthLocation={marker}",
)  # fmt: skip


def _targets() -> Iterator[Case]:
    for number, option in enumerate(OPTIONS):
        for place, name in (("targets/rpi4.toml", "rpi4"), ("mine.toml", "mine.toml")):

            def make(
                canary: Canary, option: str = option, place: str = place, name: str = name, number: int = number
            ) -> Sequence[str]:
                _model()
                paths = {"command": canary.command, "marker": canary.marker, "victim": canary.victim}
                text = option.format(secret=canary.secret, **paths)
                _target(f'host = "pi@127.0.0.1"\nport = 9\noptions = ["{text}"]', place)
                return _commands(name)[number % 3]

            yield Case("target: ssh options", f"{place}: {option}", make, timeout=40, may_work=False)


FIELDS = {
    "a program for throttling": '[health]\nthrottled = ["sh", "-c", "{command}"]',
    "a secret as governor": '[health]\ngovernor = "{secret}"',
    "a secret as temperature": '[health]\ntemperature = "/sys/class/thermal/x/temp {secret}"',
    "a device as throttled file": '[health]\nthrottled_file = "/dev/zero"',
    "a program as python": 'python = "{folder}/../here/evil"',
    "python with arguments": 'python = "/bin/sh -c {command}"',
    "work above": 'work = "../canary"',
    "work at the root": 'work = "{folder}"',
    "work empty": 'work = ""',
    "work with shell": 'work = "$({command})"',
    "a secret as key": 'host = "pi@127.0.0.1"\nport = 9\nidentity = "{secret}"',
    "host as option": 'host = "-oProxyCommand={command}"',
    "user as option": 'host = "pi@-oProxyCommand={command}"',
    "host with shell": 'host = "pi@$({command})"',
    "host with newline": 'host = "pi@a\\nb"',
    "serial as option": 'serial = "-H evil"',
}


def _fields() -> Iterator[Case]:
    for name, text in FIELDS.items():
        for transport in ("local", "ssh"):

            def make(canary: Canary, text: str = text, transport: str = transport) -> Sequence[str]:
                _model()
                if transport == "ssh":
                    _board()
                    host = "" if "host" in text else 'host = "pi@board"\n'
                else:
                    host = ""
                Path("evil").write_text(f"#!/bin/sh\n{canary.command}\n")
                Path("evil").chmod(0o755)
                lines = text.format(command=canary.command, secret=canary.secret, folder=canary.folder)
                _target(host + lines, "targets/mine.toml", transport)
                return "targets", "check", "mine"

            yield Case("target: fields", f"{transport}: {name}", make, timeout=60, may_work="python" not in name)


def _links_to_targets() -> Iterator[Case]:
    def secret(canary: Canary) -> Sequence[str]:
        Path("targets").mkdir()
        Path("targets/rpi4.toml").symlink_to(canary.secret)
        return "targets", "show", "rpi4"

    def listed(canary: Canary) -> Sequence[str]:
        Path("targets").mkdir()
        Path("targets/x.toml").symlink_to(canary.secret)
        return "targets", "list"

    def pipe(_: Canary) -> Sequence[str]:
        Path("targets").mkdir()
        os.mkfifo("targets/rpi4.toml")
        return "targets", "check", "rpi4"

    def init(canary: Canary) -> Sequence[str]:
        Path("targets").symlink_to(canary.folder)
        return "targets", "init", "rpi5"

    def trusted(canary: Canary) -> Sequence[str]:
        os.environ["XDG_CONFIG_HOME"] = str(Path("config").absolute())
        own = Path("config/edgekit/targets")
        own.mkdir(parents=True)
        Path("targets").symlink_to(own)
        _target(f'host = "pi@127.0.0.1"\noptions = ["ProxyCommand={canary.command}"]', "evil.toml")
        return "targets", "init", "./evil.toml"

    def desktop(_: Canary) -> Sequence[str]:
        _model()
        _board()
        _target('host = "pi@board"', "targets/desktop.toml")
        return "bench", "m.tflite", *QUICK

    for name, make in (("a secret shown", secret), ("a secret listed", listed), ("a pipe", pipe),
                       ("init through a link", init), ("init into the user's own", trusted),
                       ("desktop is elsewhere", desktop)):  # fmt: skip
        yield Case("target: links", name, make, timeout=40, may_work=False)


def _bundle(artifact: str = "", manifest: Callable[[dict], None] = lambda _: None) -> Path:  # type: ignore[type-arg]
    """Copy a bundle, as far as its files are in the repository; change its manifest, and give a file its new name."""
    shutil.copytree(BUNDLE, "bundle")
    path = Path("bundle/manifest.json")
    value = json.loads(path.read_text())
    value["artifacts"] = [entry for entry in value["artifacts"] if Path("bundle", entry["file"]).is_file()]
    value["files"] = {name: entry for name, entry in value["files"].items() if Path("bundle", name).is_file()}
    if artifact:
        there, new = Path("bundle", value["artifacts"][0]["file"]), Path("bundle", artifact)
        if os.path.abspath(new).startswith(os.getcwd()):  # noqa: PTH100, PTH109 - the path as it is written
            new.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(there, new)
        value["artifacts"][0]["file"] = artifact
    manifest(value)
    path.write_text(json.dumps(value))
    return Path("bundle")


def _pushes() -> Iterator[Case]:
    destinations = {
        "local": lambda: ("--target", "desktop", "--dest", "stick/models"),
        "ssh": lambda: ("--target", "rpi4", "--host", "pi@board", "--dest", f"{Path('stick').absolute()}/models"),
    }

    def to(kind: str) -> Sequence[str]:
        if kind == "ssh":
            _board()
        Path("stick/models").mkdir(parents=True, exist_ok=True)
        return destinations[kind]()

    def named(name: str, kind: str) -> Make:
        def make(canary: Canary) -> Sequence[str]:
            _bundle(name.format(marker=canary.marker) + ".tflite" * ("{marker}" not in name))
            return "push", "bundle", *to(kind)

        return make

    def model_name(name: str, kind: str) -> Make:
        def make(_: Canary) -> Sequence[str]:
            _bundle(manifest=lambda value: value.update(name=name))
            return "push", "bundle", *to(kind)[: 4 if kind == "ssh" else 2]

        return make

    def source(name: str, kind: str) -> Make:
        def make(canary: Canary) -> Sequence[str]:
            bundle = _bundle()
            own = json.loads((bundle / "manifest.json").read_text())["artifacts"][0]["file"]
            place = bundle / name.replace("ARTIFACT", own)
            place.unlink(missing_ok=True)
            place.symlink_to(canary.secret)
            return "push", "bundle", *to(kind)

        return make

    def there(name: str, what: str, kind: str) -> Make:
        def make(canary: Canary) -> Sequence[str]:
            argv = to(kind)
            model = Path(_model())
            if name == "deep/w.bin":
                from tests.support import vendor_onnx

                model = vendor_onnx.external(Path("v.onnx"), "deep/er/w.bin")
            digest = hashlib.sha256(model.read_bytes()).hexdigest()[:16]
            place = {"file": model.name, "part": f"{model.name}.{digest}.part", "deep/w.bin": "deep"}[name]
            leads = {"victim": canary.victim, "marker": canary.marker, "folder": canary.folder}[what]
            Path("stick/models", place).symlink_to(leads)
            return "push", str(model), *argv

        return make

    for kind in destinations:
        for name in ("../up", "../../canary/marker", "{marker}", "a/../../up", ".ssh/x", "-rf", "a\nb", ""):
            yield Case("push: names", f"{kind}: artifact {name!r}", named(name, kind), timeout=40, may_work=False)
        above = {"local": "../../../canary/up", "ssh": "../../../../canary/up"}[kind]
        for name in (above, "/etc", "..", "~", "$(x)\n"):
            plain = name == "~"  # of a folder in `models`, as any other
            yield Case("push: names", f"{kind}: model {name!r}", model_name(name, kind), timeout=40, may_work=plain)
        for name in ("README.txt", "manifest.json", "eval.npz", "recipe.toml", "ARTIFACT"):
            yield Case("push: links here", f"{kind}: {name}", source(name, kind), timeout=40, may_work=False)
        for name in ("file", "part", "deep/w.bin"):
            for what in ("victim", "marker", "folder"):
                if (name, kind) == ("part", "local"):
                    continue
                make = there(name, what, kind)
                yield Case("push: links there", f"{kind}: {name} -> {what}", make, timeout=40, may_work=False)


LIES = {
    "talks for ever": "yes | head -c 20000000000",
    "complains for ever": "while :; do head -c 1000000 /dev/zero >&2; done",
    "one endless line": 'case "$3" in *LIFELINE*) ;; *run-*|*edgekit-connected*) ;; *) exec cat /dev/zero;; esac',
    "another session's folder": 'case "$3" in *keeper*|*busy*) echo "session {canary}"; exec cat >/dev/null;; esac',
    "a folder above": 'case "$3" in *"printf"*) echo "/x/../{canary}"; exit 0;; esac',
    "python says nonsense": 'case "$3" in *sys.version_info*) echo "{{{{"; echo "edgekit-exit: 0" >&2; exit 0;; esac',
    "digits": 'case "$3" in *meminfo*) echo "MemTotal: 9" | tr 9 9; yes 9 | head -c 900000 | tr -d "\\n";; esac',
    "hangs up": "exit 255",
    "a glibc of the far future": """case "$3" in *sys.version_info*) echo '{"version": [3, 11, 2], "implementation": """
    """"CPython", "machine": "x86_64", "bits": 64, "libc": "glibc 2.99999999999", "modules": {}}'; """
    """echo "edgekit-exit: 0" >&2; exit 0;; esac""",
}


def _boards() -> Iterator[Case]:
    for name, also in LIES.items():
        for number in (0, 1, 2):

            def make(canary: Canary, also: str = also, number: int = number) -> Sequence[str]:
                _model()
                _board(also.replace("{canary}", str(canary.folder)))
                _target('host = "pi@board"\nwork = "w"', "targets/mine.toml")
                return _commands("mine")[number]

            yield Case("board: lies", f"{name}: {('bench', 'push', 'check')[number]}", make, timeout=120)


def _places() -> Iterator[Case]:
    def at(place: str, *argv: str, link: str = "") -> Make:
        def make(canary: Canary) -> Sequence[str]:
            _model()
            Path("file").write_text("stays")
            os.mkfifo("pipe")
            Path("saved/variables").mkdir(parents=True)
            Path("saved/saved_model.pb").touch()
            _bundle()
            Path("loop").symlink_to("loop")
            Path("link").symlink_to(canary.folder)
            Path("dangling").symlink_to(canary.marker)
            return [part.replace("PLACE", place) for part in argv]

        return make

    places = ("file", "file/x", "pipe/x", "loop/x", "/proc/x", "/proc/self/fd/x", "/sys/x", "/dev/null", "/dev/full/x",
              "x" * 256, "x/" * 2100 + "x", "a\0b", "..")  # fmt: skip
    for place in places:
        shown = place if len(place) < 40 else f"{len(place)} characters"
        for name, argv in {
            "bench": ("bench", "m.tflite", "--out", "PLACE", *QUICK),
            "compress": ("compress", "m.tflite", "--data", "digits", "-o", "PLACE"),
        }.items():
            yield Case("places: wrong", f"{name}: {shown!r}", at(place, *argv), timeout=20, may_work=place == "..")
    for place in ("file/m.keras", "/proc/m.keras", "saved/m.keras", "link/secret.txt"):
        argv = ("train", "digits-cnn", "--data", "saved", "-o", "PLACE")
        yield Case("places: wrong", f"train: {place}", at(place, *argv), timeout=20, may_work=False)
    for place in ("saved", "saved/out", "saved/variables/x", "link", "dangling", "./saved/../saved/y"):
        argv = ("compress", "saved", "--data", "digits", "-o", "PLACE", "--force")
        yield Case("places: of inputs", f"compress saved: {place}", at(place, *argv), timeout=20, may_work=False)
    for place in ("bundle", "bundle/records"):
        argv = ("bench", "bundle", "--out", "PLACE", *QUICK)
        yield Case("places: of inputs", f"bench bundle: {place}", at(place, *argv), timeout=60, may_work=False)
    argv = ("push", "bundle", "--target", "desktop", "--dest", "bundle/copy")
    yield Case("places: of inputs", "push bundle", at("", *argv), timeout=20, may_work=False)

    def default(canary: Canary) -> Sequence[str]:
        _model()
        Path("edgekit-records").symlink_to(canary.folder)
        return "bench", "m.tflite", *QUICK

    yield Case("places: wrong", "the default is a link", default, timeout=60, may_work=False)
    for folder in ("/no/such", "/proc", "/dev/null", "a\nb", "file"):

        def temporary(canary: Canary, folder: str = folder) -> Sequence[str]:
            argv = at("", "bench", "m.tflite", "--out", "r", *QUICK)(canary)
            os.environ["TMPDIR"] = folder
            return argv

        yield Case("places: TMPDIR", repr(folder), temporary, timeout=40, may_work=False)


def _work() -> Iterator[Case]:
    def work(work: str, fill: Callable[[Path, Canary], None]) -> Make:
        def make(canary: Canary) -> Sequence[str]:
            _model()
            home = _board()
            fill(home, canary)
            _target(f'host = "pi@board"\nwork = "{work}"', "targets/mine.toml")
            argv = ("--python", sys.executable, "--clean", *QUICK)
            return "bench", "m.tflite", "--target", "mine", *argv

        return make

    def link(home: Path, canary: Canary) -> None:
        (home / "d").symlink_to(canary.folder)

    def inner(name: str) -> Callable[[Path, Canary], None]:
        def fill(home: Path, canary: Canary) -> None:
            (home / "d").mkdir()
            (home / "d" / ".edgekit").write_text("edgekit made this folder\n")
            (home / "d" / name).symlink_to(canary.folder if name != "governors" else canary.secret)

        return fill

    def files(home: Path, canary: Canary) -> None:
        (home / "d" / "files").mkdir(parents=True)
        (home / "d" / "runtimes").symlink_to(canary.folder)
        (home / "d" / "files" / "letter").write_text("stays")

    yield Case("work: --clean", "a link to a folder", work("d", link), timeout=60, may_work=False)
    yield Case("work: --clean", "a folder of the user's", work("d", files), timeout=60, may_work=False)
    for name in ("files", "runtimes", "governors"):
        yield Case("work: --clean", f"{name} is a link", work("d", inner(name)), timeout=60, may_work=False)


def _wheels() -> Iterator[Case]:
    for member in ("../../../../canary/marker", "x.data/purelib//{marker}", "a\x1b[2J/x"):

        def make(canary: Canary, member: str = member) -> Sequence[str]:
            _model()
            _board()
            Path("wheels").mkdir()
            info = "ai_edge_litert-2.3.0.dist-info"
            version = f"cp{sys.version_info[0]}{sys.version_info[1]}"
            tag = f"{version}-{version}-manylinux_2_17_x86_64"
            with zipfile.ZipFile(f"wheels/ai_edge_litert-2.3.0-{tag}.whl", "w") as archive:
                archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: ai-edge-litert\nVersion: 2.3.0\n")
                archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n")
                archive.writestr(f"{info}/RECORD", "")
                archive.writestr(member.format(marker=str(canary.marker)), "x")
            python = Path("bin/python-without")
            python.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E "$@"\n')
            python.chmod(0o755)
            argv = ("--python", str(python.absolute()), "--runtime-wheels", "wheels", *QUICK)
            return "bench", "m.tflite", "--target", "rpi4", "--host", "pi@board", *argv

        yield Case("wheels", member, make, timeout=120, may_work=False)
