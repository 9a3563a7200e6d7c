"""Places for results: proved before the work, taken by one process only, and what was made is not lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from edgekit.api.starter import write_starter
from edgekit.bundle import records
from edgekit.bundle.manifest import strangers
from edgekit.bundle.records import Record, add_record, read_record, save_record
from edgekit.errors import OutputError
from edgekit.files import destinations as outputs
from edgekit.files import temporary
from edgekit.files import whole as files
from edgekit.files.destinations import check_apart, prove, prove_bundle
from edgekit.files.placing import place_file
from edgekit.files.temporary import temporary_folder
from edgekit.files.whole import atomic_file, atomic_folder
from tests.conftest import Edgekit
from tests.support.raised import raised
from tests.support.tiny_tflite import tiny_tflite

M = "manifest.json"
BUNDLE = Path(__file__).parents[2] / "benchmarks" / "artifacts" / "mnist-8k"
RECORD = Path(__file__).parents[1] / "report" / "session.json"


@pytest.fixture(autouse=True)
def own_temporaries(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has none yet."""
    monkeypatch.setattr(temporary, "_process", temporary._Process())


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """A small file system of its own; needs root."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small file system needs root")
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True)
    if done.returncode != 0:
        pytest.skip(f"mount is not permitted here: {done.stderr.decode()}")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def entries(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("file/x", "output-not-writable"),
        ("file/x/y", "output-not-writable"),
        ("dangling/x", "output-not-writable"),
        ("loop/x", "output-not-writable"),
        ("pipe/x", "output-not-writable"),
        ("no/../x", "path-invalid"),
        ("x" * 256, "output-not-writable"),
        ("y/" + "x" * 300 + "/y", "output-not-writable"),
        ("a\0b", "path-invalid"),
        ("..", "path-invalid"),
        ("x ", "path-invalid"),
        ("/", "path-invalid"),
        ("/proc/x", "output-not-writable"),
        ("/proc/self/x/y", "output-not-writable"),
        ("/dev/null/x", "output-not-writable"),
    ],
)
def test_places_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("stays")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    before = entries(tmp_path)
    with raised(code):
        prove(Path(name))
    assert entries(tmp_path) == before


@pytest.mark.parametrize("name", ["new", "deep/er/new", "x" * 255, "there", "link/new", "file"])
def test_places_that_can_be_written_are_left_as_they_are(tmp_path: Path, name: str) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    (tmp_path / "file").write_text("stays")
    before = entries(tmp_path)
    prove(tmp_path / name)
    if name != "file":
        prove(tmp_path / name, into=True)
    else:
        with raised("output-not-writable", "file` is not a folder"):
            prove(tmp_path / name, into=True)
    assert entries(tmp_path) == before


@pytest.mark.root
def test_full_and_read_only_disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = tmp_path / "disk"
    with mounted(disk, "size=512k"):
        with raised("disk-full", "disk/x", "512"):
            prove(disk / "x")
        (disk / "big").write_bytes(bytes(500 << 10))
        with raised("disk-full"):
            prove(disk / "x", 0)
        assert entries(disk) == ["big"]
        monkeypatch.setattr(tempfile, "tempdir", None)
        monkeypatch.setenv("TMPDIR", str(disk))
        with raised("disk-full", str(disk)), temporary_folder("x"):
            pytest.fail("must not be entered")
        (disk / "big").write_bytes(bytes(512 << 10))
        with raised("temporary-folder-unusable", str(disk)), temporary_folder("x"):
            pytest.fail("must not be entered")
    with mounted(disk, "ro"):
        with raised("output-not-writable", "disk/x"):
            prove(disk / "x")
        with raised("temporary-folder-unusable", str(disk)):
            temporary_folder("x").__enter__()


@pytest.mark.parametrize("variable", ["TMPDIR", "TEMP", "TMP"])
def test_a_temporary_folder_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv(variable, str(tmp_path / "none"))
    with raised("temporary-folder-unusable", str(variable)) as caught:
        temporary_folder("x").__enter__()
    assert "set TMPDIR" in caught.value.hint
    (tmp_path / "none").mkdir()
    with temporary_folder("x") as folder:
        assert folder.is_relative_to(tmp_path / "none")


def test_a_library_that_fills_the_temporary_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was said to be the output's disk that is full."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "t"))
    (tmp_path / "t").mkdir()
    for filename in (None, str(tmp_path / "t" / "x")):
        error = OSError(28, "No space left on device", *([filename] if filename else []))
        with raised("disk-full", "out: ", "--out"), atomic_folder(tmp_path / "out", marker=M):
            raise error
        with monkeypatch.context() as patch, raised("disk-full", "TMPDIR"):
            patch.setattr(temporary, "_full", lambda place: place.name == "t")
            with atomic_folder(tmp_path / "out", marker=M):
                raise error


def test_a_link_in_the_place_of_the_default_folder(edgekit: Edgekit, tmp_path: Path) -> None:
    tiny_tflite(tmp_path / "m.tflite")
    (tmp_path / "secret").mkdir()
    (tmp_path / "edgekit-records").symlink_to("secret")
    assert "[output-is-link]" in edgekit("bench", "m.tflite", check=1).stderr
    assert entries(tmp_path / "secret") == []


def test_outputs_are_apart_from_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").touch()
    (tmp_path / "link").symlink_to("saved")
    model = Path("saved")
    for out in ("saved/out", "saved/a/b", "./saved/../saved/x", "link/x", str(tmp_path / "saved" / "x")):
        with raised("output-overlaps-input", "inside the input `saved`"):
            check_apart(Path(out), [model])
    for out in ("saved", "link", "./saved/."):
        with raised("output-overlaps-input", "the input `saved` itself"):
            check_apart(Path(out), [model])
    with raised("output-overlaps-input", "saved/saved_model.pb"):
        check_apart(model, [Path("saved/saved_model.pb")])
    check_apart(model, [Path("saved/saved_model.pb")], replaced=False)
    for out in ("saved2", "other/saved", "out"):
        check_apart(Path(out), [model, "digits", None, "no/such"])


def test_a_bundle_that_holds_its_own_source_is_not_replaced(tmp_path: Path) -> None:
    bundle = tmp_path / "b"
    bundle.mkdir()
    (bundle / M).write_text("{}")
    (bundle / "m.keras").write_text("the only copy")
    with raised("output-overlaps-input", "contains the input", "b/m.keras"):
        prove_bundle(bundle, bundle / "m.keras", "digits", force=True, marker=M)
    with raised("output-exists"):
        prove_bundle(bundle, None, "digits", force=False, marker=M)
    prove_bundle(bundle, None, "digits", force=True, marker=M)


def test_force_deletes_what_edgekit_made_and_nothing_else(tmp_path: Path) -> None:
    """Other programs have files called manifest.json, too."""
    bundle = tmp_path / "b"
    shutil.copytree(BUNDLE, bundle)
    look = partial(prove_bundle, bundle, None, force=True, marker=M, strangers=strangers)
    look()
    for name in ("thesis.tex", "edgekit-records/x.json", ".git/HEAD"):
        (bundle / name).parent.mkdir(exist_ok=True)
        (bundle / name).write_text("stays")
        with raised("output-not-ours", name.split("/")[0]):
            look()
        with raised("output-not-ours"):  # noqa: SIM117
            with atomic_folder(bundle, force=True, marker=M, strangers=strangers):
                pytest.fail("must not be entered")
        shutil.rmtree(bundle / name.split("/")[0]) if "/" in name else (bundle / name).unlink()
    (bundle / "README.txt").unlink(missing_ok=True)
    (bundle / "README.txt").mkdir()
    with raised("output-not-ours", "README.txt"):
        look()
    shutil.rmtree(bundle / "README.txt")
    with raised("output-not-ours", "`late`"):  # noqa: SIM117
        with atomic_folder(bundle, force=True, marker=M, strangers=strangers) as folder:
            (folder / M).write_text("{}")
            (bundle / "late").touch()
    for text in (
        '{"name": "an app", "icons": []}',
        "",
        "[]",
        '{"schema": 1, "artifacts": {}, "files": {}}',
        "[" * 9999,
    ):
        (bundle / M).write_text(text)
        with raised("output-not-ours", "manifest.json"):
            look()


def test_the_second_of_two_does_not_replace_the_first(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with (
        raised("output-exists", "another process", "out-2"),
        atomic_folder(out, marker=M, keep=True) as second,
    ):
        (second / M).write_text("second")
        with atomic_folder(out, marker=M) as first:
            (first / M).write_text("first")
    assert (out / M).read_text() == "first"
    assert (tmp_path / "out-2" / M).read_text() == "second"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "out-2"]


@pytest.mark.parametrize("what", ["folder", "file", "link"])
def test_what_others_put_there_meanwhile_stays(tmp_path: Path, what: str) -> None:
    out = tmp_path / "out"
    code = "output-not-ours" if what == "folder" else "output-not-writable"
    with raised(code, "another process made it"):  # noqa: SIM117
        with atomic_folder(out, force=True, marker=M) as folder:
            (folder / M).write_text("ours")
            if what == "folder":
                out.mkdir()
                (out / "thesis").write_text("stays")
            elif what == "file":
                out.write_text("stays")
            else:
                out.symlink_to(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


def test_what_is_put_there_between_look_and_exchange_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    (out / "thesis").mkdir(parents=True)
    looks = iter([None, None])

    def once(path: Path, **_: object) -> None:
        if next(looks, files) is files:
            raise OutputError("not made by edgekit", code="output-not-ours")

    monkeypatch.setattr(files, "check_free", once)
    with raised("output-not-ours"), atomic_folder(out, force=True, marker=M) as folder:
        (folder / M).write_text("ours")
    assert entries(tmp_path) == ["out", "out/thesis"]


MANY = """
import sys
from pathlib import Path
from edgekit.errors import OutputError
from edgekit.files.whole import atomic_folder
won = 0
for _ in range(int(sys.argv[3])):
    try:
        with atomic_folder(Path(sys.argv[1]), force=sys.argv[2] == "force", marker="manifest.json") as folder:
            for name in ("manifest.json", "a", "b"):
                (folder / name).write_text(sys.argv[4])
        won += 1
    except OutputError:
        pass
print(won)
"""


@pytest.mark.parametrize("force", ["force", ""])
def test_many_at_once_end_with_one_whole_folder(tmp_path: Path, force: str) -> None:
    argv = [sys.executable, "-c", MANY, str(tmp_path / "out"), force, "15"]
    children = [subprocess.Popen([*argv, str(n)], stdout=subprocess.PIPE, text=True) for n in range(3)]
    won = [int(child.communicate()[0]) for child in children]
    assert sum(won) == (45 if force else 1)
    assert len({(tmp_path / "out" / name).read_text() for name in (M, "a", "b")}) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    if not links:
        monkeypatch.setattr(Path, "hardlink_to", lambda *_: (_ for _ in ()).throw(OSError(95, "no links here")))
    for name in ("file", "dangling"):
        path = tmp_path / name
        if name == "dangling":
            path.symlink_to("nowhere")
        else:
            path.write_text("stays")
        with raised("output-exists"), atomic_file(path, replace=False) as temporary:
            temporary.write_text("new")
    assert (tmp_path / "file").read_text() == "stays"
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / "new").write_text("new")
    assert place_file(tmp_path / "new", tmp_path / "free")
    assert (tmp_path / "free").read_text() == "new"


@pytest.fixture
def record() -> Record:
    return read_record(RECORD)


def test_records_at_once_get_names_of_their_own(
    tmp_path: Path, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = add_record(tmp_path, record)
    monkeypatch.setattr(records.os.path, "lexists", lambda _: False)  # as if the other came after the look
    second = add_record(tmp_path, record)
    assert first != second and first.read_bytes() == second.read_bytes()
    assert read_record(second) == record


def test_no_measurement_is_lost(tmp_path: Path, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_WORK", str(tmp_path / "cache"))
    (tmp_path / "file").touch()
    path, trouble = save_record(tmp_path / "file" / "x", record)
    assert path is not None and path.parent == tmp_path / "cache" / "records"
    assert read_record(path) == record
    assert "is not a folder" in trouble and f"kept as {path}" in trouble
    monkeypatch.setenv("EDGEKIT_WORK", str(tmp_path / "file"))
    path, trouble = save_record(tmp_path / "file" / "x", record)
    assert path is None and trouble.startswith("the record cannot be written: ")


def test_a_place_that_goes_while_it_is_measured(edgekit: Edgekit, tmp_path: Path) -> None:
    """The folder for the records becomes a file after it was proved: by the program that is measured with."""
    tiny_tflite(tmp_path / "m.tflite")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nrm -rf {tmp_path}/r; touch {tmp_path}/r\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    quick = ["--threads", "1", "--processes", "1", "--min-samples", "5", "--min-seconds", "0", "--no-memory"]
    argv = ["bench", "m.tflite", "--out", "r", "--python", str(python), *quick]
    edgekit.env["EDGEKIT_WORK"] = str(tmp_path / "cache")
    done = edgekit(*argv, check=3)
    assert "is not a folder; the record is kept as" in done.stderr
    (kept,) = (tmp_path / "cache" / "records").iterdir()
    assert f"record: {kept}" in done.stdout
    (tmp_path / "r").unlink()
    edgekit.env["EDGEKIT_WORK"] = str(tmp_path / "m.tflite")
    done = edgekit(*argv, check=3)
    (tmp_path / "said.json").write_text(done.stdout[done.stdout.index("{") :])
    assert read_record(tmp_path / "said.json").subjects[0].name == "m.tflite"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["bench", "m.tflite", "--out", "file"], "file: cannot be created: `file` is not a folder"),
        (["bench", "m.tflite", "--out", "file/x"], "file/x: cannot be created: `file` is not a folder"),
        (["bench", "m.tflite", "--out", "/proc/x"], "/proc/x: cannot be created here"),
        (["bench", "bundle", "--out", "bundle/records"], "`--out bundle/records`: is inside the input `bundle`"),
        (["compress", "m.keras", "-o", "file"], "file: exists and is not a folder"),
        (["compress", "m.keras", "-o", "file/x"], "file/x: cannot be created: `file` is not a folder"),
        (["compress", "m.keras", "-o", "/proc/x"], "/proc/x: cannot be created here"),
        (["compress", "saved", "-o", "saved/out"], "`-o saved/out`: is inside the input `saved`"),
        (["compress", "saved", "-o", "saved", "--force"], "`-o saved`: is the input `saved` itself"),
        (["compress", "m.keras", "--data", "saved", "-o", "saved/out"], "is inside the input `saved`"),
        (["compress", "bundle/m.keras", "-o", "bundle", "--force"], "contains the input `bundle/m.keras`"),
        (["train", "digits-cnn", "--data", "digits", "-o", "file/m.keras"], "`file` is not a folder"),
        (["train", "digits-cnn", "--data", "saved", "-o", "saved/m.keras"], "is inside the input `saved`"),
        (["push", "m.tflite", "--target", "desktop", "--dest", "file/x"], "file/x: cannot be created"),
        (["push", "m.tflite", "--target", "desktop", "--dest", "/proc/x"], "/proc/x: cannot be created here"),
        (["init", "file/x"], "file/x: cannot be created"),
    ],
)  # fmt: skip
def test_wrong_places_are_refused_before_anything_heavy(
    edgekit: Edgekit, tmp_path: Path, argv: list[str], message: str
) -> None:
    tiny_tflite(tmp_path / "m.tflite")
    (tmp_path / "file").write_text("stays")
    for name in ("saved", "bundle"):
        (tmp_path / name).mkdir()
    (tmp_path / "bundle" / M).write_text("{}")
    (tmp_path / "bundle" / "m.keras").write_text("x")
    (tmp_path / "m.keras").write_text("x")
    for name in ("tensorflow", "tf_keras", "keras"):  # before the rest of the path
        (tmp_path / "traps" / name).mkdir(parents=True)
        (tmp_path / "traps" / name / "__init__.py").write_text("raise SystemExit('heavy')")
    edgekit.env["PYTHONPATH"] = os.pathsep.join([str(tmp_path / "traps"), os.environ.get("PYTHONPATH", "")])
    before = entries(tmp_path)
    done = edgekit(*argv, check=1)
    assert message in done.stderr
    assert entries(tmp_path) == before


def test_the_starter_replaces_nothing_that_comes_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: object, **__: object) -> None:
        (tmp_path / "data.py").write_text("mine")

    monkeypatch.setattr("edgekit.api.starter.prove", late)
    with raised("output-exists", "data.py"):
        write_starter(tmp_path)
    assert entries(tmp_path) == ["data.py"]
    assert (tmp_path / "data.py").read_text() == "mine"
    assert outputs.RECORD_BYTES
