"""The gate for files: every key path of a valid file with something else in it is refused by name, or can be used."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NotRequired, TypedDict

import pytest

from benchmarks.hostile.mutations import RAW, VALUES, inserted, json_mutation, paths, replaced, toml_mutation, without
from benchmarks.hostile.mutations import with_raw as raw_at
from benchmarks.hostile.texts import TARGET, make_bundle, whole_manifest
from edgekit.bundle.manifest import Bundle, Manifest, read_bundle
from edgekit.bundle.recipe import load_recipe, named_recipes, parse, parse_stage
from edgekit.bundle.records import Record, read_record
from edgekit.bundle.runs import ACCURACY, LATENCY, MEMORY, Mode, read_run
from edgekit.devices import target
from edgekit.devices.push import push
from edgekit.errors import EdgekitError, InputError
from edgekit.errors.printable import visible
from edgekit.reporting.bench_table import bench_table
from edgekit.reporting.bundle_table import bundle_table
from edgekit.reporting.ledger_table import ledger_table
from edgekit.schema.document import parse_json, parse_toml, read_text
from edgekit.schema.gate import read
from edgekit.schema.rules import AnyFloat, Count, PlainName, Sized
from edgekit.schema.tables import written
from edgekit.schema.versions import Versions
from tests.support.raised import raised

ROOT = Path(__file__).parents[2]
SESSION = json.loads((ROOT / "tests" / "report" / "session.json").read_text())
MANIFEST = whole_manifest()


def clean(text: str) -> None:
    assert visible(text, "\n") == text


def as_record(value: Any) -> None:
    record = Record.from_dict(value, "run.json")
    clean(bench_table(record))


def as_manifest(value: Any) -> None:
    manifest = Manifest.from_dict(value, "manifest.json")
    clean(bundle_table(Bundle(Path("x"), manifest)))
    if manifest.ledger:
        clean(ledger_table(manifest.ledger))


def attempt(use: Callable[[Any], None], value: Any) -> bool:
    """Whether it could be used; anything but an explained failure is a fault."""
    try:
        use(value)
    except EdgekitError as error:
        clean(error.message + error.hint)
        return False
    return True


@pytest.mark.parametrize(("use", "whole"), [(as_record, SESSION), (as_manifest, MANIFEST)])
def test_other_types_at_every_key_path(use: Callable[[Any], None], whole: Any) -> None:
    use(whole)
    rng, refused = random.Random(0), 0
    found = list(paths(whole))
    for path in found:
        made = [replaced(whole, path, value) for value in rng.sample(VALUES, 3)]
        made += [without(whole, path), inserted(whole, path, "\x1b[31m", {"x": [1]})]
        refused += sum(not attempt(use, value) for value in made)
    assert refused > 2 * len(found)


@pytest.mark.parametrize("name", RAW)
@pytest.mark.parametrize(("use", "whole"), [(as_record, SESSION), (as_manifest, MANIFEST)])
def test_what_parsers_choke_on(use: Callable[[Any], None], whole: Any, name: str) -> None:
    rng = random.Random(name)
    for path in rng.sample(list(paths(whole)), 8):
        attempt(lambda text: use(parse_json(text, "f.json", "record")), raw_at(whole, path, RAW[name]))


@pytest.mark.parametrize("seed", range(4))
def test_damaged_files(tmp_path: Path, seed: int) -> None:
    rng, path = random.Random(seed), tmp_path / "run.json"
    for _ in range(40):
        path.write_bytes(json_mutation(SESSION, rng)[1])
        attempt(lambda file: clean(bench_table(read_record(file))), path)


@pytest.mark.parametrize("name", named_recipes())
def test_mutated_recipes(name: str) -> None:
    rng, text = random.Random(name), load_recipe(name).to_toml()

    def use(content: bytes) -> None:
        recipe = parse(content.decode("utf-8", "replace"), "mine", "mine.toml")
        assert parse(recipe.to_toml(), "mine", "again") == recipe

    for _ in range(25):
        attempt(use, toml_mutation(text, rng)[1])


def test_mutated_targets() -> None:
    rng = random.Random(0)
    for _ in range(300):
        content = toml_mutation(TARGET, rng)[1].decode("utf-8", "replace")
        attempt(lambda text: clean(repr(target.parse(text, "my", "my.toml"))), content)


@pytest.mark.parametrize(
    ("path", "new", "said"),
    [
        (("measurements", 0, "latency", 1, "samples_ns", 3), "x", 'measurements[0].latency[1].samples_ns[3]` is "x", '),
        (("measurements", 0, "latency", 1, "samples_ns", 3), -1, "[3]` is -1, expected an integer of at least 0"),
        (("measurements", 0, "subject"), 9, "measurements[0].subject` is 9, expected 0 to "),
        (("subjects", 0, "bytes"), 0, "subjects[0].bytes` is 0, expected an integer of at least 1"),
        (("subjects", 0, "bytes"), 10**30, "subjects[0].bytes` is an integer of about 30 digits"),
        (("subjects", 0, "bytes"), True, "subjects[0].bytes` is true"),
        (("plan", "min_seconds"), float("nan"), "plan.min_seconds` is nan, expected a number"),
        (("target",), "../x", 'target` is "../x", expected a plain file name'),
        (("host", "cores"), 0, "host.cores` is 0"),
        (("plan", "pin"), "0-9999999999", "plan.pin` is "),
        (("failures",), [], '`failures` is an unknown key'),
        (("created",), None, "created` is null, expected text"),
    ],
)  # fmt: skip
def test_the_sentence_names_file_and_key_path(path: Any, new: Any, said: str) -> None:
    with pytest.raises(InputError) as caught:
        Record.from_dict(replaced(SESSION, path, new), "run.json")
    assert caught.value.message.startswith("run.json: ")
    assert said in caught.value.message


def test_correct_answers_beyond_the_samples() -> None:
    value = next(m for m in SESSION["measurements"] if m["accuracy"])["accuracy"]
    index = next(i for i, m in enumerate(SESSION["measurements"]) if m["accuracy"])
    with raised("value-not-valid", "accuracy` has", "correct of"):
        Record.from_dict(
            replaced(SESSION, ("measurements", index, "accuracy", "correct"), value["samples"] + 1), "run.json"
        )


def test_files_of_this_repository_are_read() -> None:
    records = sorted((ROOT / "benchmarks" / "records").glob("*.json"))[:3]
    manifests = list((ROOT / "benchmarks" / "artifacts").glob("*/manifest.json"))
    assert records and manifests
    for path in records:
        assert read_record(path).measurements
    for path in manifests:
        as_manifest(parse_json(path.read_text(), str(path), "manifest"))


def test_what_edgekit_writes_itself_is_read() -> None:
    infinite = replaced(MANIFEST, ("agreement", 0, "max_abs"), float("inf"))
    infinite = replaced(
        infinite, ("artifacts", 0, "validation"), {"metric": "sqnr", "value": float("nan"), "samples": 1}
    )
    as_manifest(parse_json(json.dumps(infinite), "m", "manifest"))
    record = Record.from_dict(SESSION, "x")
    assert Record.from_dict(record.to_dict(), "x") == record


class Inner(TypedDict):
    name: PlainName
    often: NotRequired[int]
    pair: Annotated[list[float], Sized(2, 2)]
    either: str | list[Inner] | None
    odd: AnyFloat


@pytest.mark.parametrize(
    ("changes", "code", "names"),
    [
        ({"name": "a/b"}, "value-not-valid", ("`name` is", "a plain file name")),
        ({"often": 1.5}, "value-wrong-type", ("`often` is 1.5", "an integer")),
        ({"pair": [1]}, "value-out-of-range", ("`pair` has 1 entries", "from 2 to 2")),
        ({"either": 1}, "value-wrong-type", ("`either` is 1", "text, a list or null")),
        ({"either": [1]}, "value-wrong-type", ("`either[0]` is 1", "a table")),
        ({"odd": "nan"}, "value-wrong-type", ("`odd` is",)),
    ],
)
def test_declarations(changes: dict[str, Any], code: str, names: tuple[str, ...]) -> None:
    good = {"name": "a.b", "pair": [1, 2.5], "either": [], "odd": float("inf"), "more": "kept"}
    assert read(Inner, good, "x", "thing") == good
    with raised(code, "x: ", *names):
        read(Inner, good | changes, "x", "thing")


def test_older_schemas_are_upgraded() -> None:
    upgrades = {1: lambda value: {**value, "b": 2}, 2: lambda value: {**value, "c": value["b"] + 1}}
    versions = Versions("thing", 3, upgrades)
    assert read(dict[str, int], {"schema": 1, "a": 1}, "f", "thing", "", versions) == {"a": 1, "b": 2, "c": 3}
    assert read(dict[str, int], {"schema": 3, "a": 1}, "f", "thing", "", versions) == {"a": 1}
    for schema, code in (
        (4, "schema-too-new"), (10**5000, "schema-too-new"), (0, "value-out-of-range"), ("3", "value-wrong-type"),
        (True, "value-wrong-type"), (None, "value-wrong-type"),
    ):  # fmt: skip
        with raised(code, "f: `schema` is ", "3"):
            read(dict[str, int], {"schema": schema}, "f", "thing", "", versions)
    with raised("value-not-valid", "f: `schema` is 2", "does not hold"):
        read(dict[str, int], {"schema": 2, "a": 1}, "f", "thing", "", versions)
    with raised("schema-missing", "f: `schema` is missing, expected 3"):
        read(dict[str, int], {"a": 1}, "f", "thing", "", versions)


def test_parts_of_files_have_schemas_of_their_own() -> None:
    versions = Versions("part", 2, {1: lambda value: {"b": value["a"]}}, unversioned=1)
    kind = Annotated[dict[str, list[Annotated[dict[str, int], versions]]], Sized(1)]
    assert read(kind, {"x": [{"a": 1}, {"schema": 2, "b": 3}]}, "f", "thing") == {"x": [{"b": 1}, {"b": 3}]}
    with raised("schema-too-new", "f: `x[0].schema` is 3, ", "part up to schema 2", "upgrade edgekit"):
        read(kind, {"x": [{"schema": 3}]}, "f", "thing")


def test_every_older_schema_has_an_upgrade() -> None:
    with pytest.raises(ValueError, match="thing"):
        Versions("thing", 3, {1: dict})


# ------------------------------------------------------------------------------------------------ reading from disk


def test_a_byte_order_mark_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "f.toml"
    path.write_bytes(b"\xef\xbb\xbfschema = 1\n")
    assert load_recipe(str(path)).name == "f"


@pytest.mark.parametrize(
    ("make", "code", "names"),
    [
        (lambda p: os.mkfifo(p), "file-unreadable", "not a regular file"),
        (lambda p: p.mkdir(), "file-unreadable", "a folder"),
        (lambda p: p.symlink_to("/dev/zero"), "file-unreadable", "not a regular file"),
        (lambda p: p.symlink_to(p.name), "file-unreadable", "symbolic links"),
        (lambda p: p.write_bytes(b"\xff"), "not-utf-8", "byte 0"),
        (lambda p: p.write_bytes(b"x" * 2000), "file-too-large", "0 MiB"),
        (lambda p: None, "file-missing", "thing"),
    ],
)
def test_what_is_no_readable_file(tmp_path: Path, make: Callable[[Path], Any], code: str, names: str) -> None:
    path = tmp_path / "f"
    make(path)
    with raised(code, str(path), names):
        read_text(path, "thing", 1000)


@pytest.mark.parametrize("name", ["n" * 300, "a\0b"])
def test_names_that_no_file_has(name: str) -> None:
    with raised("file-unreadable", "thing"):
        read_text(Path(name), "thing")


@pytest.mark.parametrize(
    ("text", "code", "name"),
    [
        ('{"a": {"b": 1, "b": 2}}', "key-twice", "`a.b`"),
        ('{"a": [1, ' + "9" * 5000 + "]}", "value-out-of-range", "`a[1]` is an integer of more than 40 digits"),
        ('{"a": "\\ud800"}', "text-not-printable", "`a`"),
        ("[" * 5000, "nested-too-deep", "64"),
        ("[" * 70 + "]" * 70, "nested-too-deep", "64"),
        ("{", "not-json", "line 1, column 2"),
        ('{"a": [' + "[]," * 300_000 + "1]}", "file-too-large", "200,000"),
        ("[" + ("[" + "[]," * 1000 + "1],") * 300 + "1]", "file-too-large", "200,000"),
    ],
)
def test_json_that_is_refused(text: str, code: str, name: str) -> None:
    with raised(code, "f: ", name):
        parse_json(text, "f", "thing")


@pytest.mark.parametrize(
    ("text", "code", "name"),
    [
        ("a = 1\nb = " + "9" * 5000, "value-out-of-range", "line 2"),
        ("a = " + "[" * 5000 + "]" * 5000, "nested-too-deep", "64"),
        ("a = " + "[" * 70 + "]" * 70, "nested-too-deep", "64"),
        (".".join("a" * 100_000) + " = 1", "nested-too-deep", "64"),
        (".".join(["'a b'"] * 100_000) + " = 1", "nested-too-deep", "64"),
        ("a = 1\na = 2", "not-toml", "TOML"),
    ],
)
def test_toml_that_is_refused(text: str, code: str, name: str) -> None:
    with raised(code, "f: ", name):
        parse_toml(text, "f")


@pytest.mark.parametrize(
    "text", ["../x:a=1", "a\nb:c=1", "prune:a=1,a=2", "prune:a=nan", "prune:a=" + "1" * 5000, "prune:a=" + "[" * 5000,
             "prune:a=0x" + "f" * 5000, "prune:a=1979-05-27", "prune:a={b = 1}", "prune:\x1b=1"],
)  # fmt: skip
def test_stage_texts_that_are_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_stage(text)
    clean(caught.value.message)
    assert len(caught.value.message) < 600


def test_a_key_cannot_break_out_of_a_recipe() -> None:
    with raised("text-not-printable", "`stage[0]` has a key that holds", r"\n"):
        parse('schema = 1\n[[stage]]\nuse = "prune"\n"a = 1\\n[export]\\nb" = 2\n', "m", "m.toml")


# ------------------------------------------------------------------------------------------------ bundles


@pytest.mark.parametrize(
    "name",
    ["", "..", ".ssh", "-rf", "a/b", "a\\b", "a\nb", "a\x1bb", "a\u202eb", "a\0", "n" * 256, "é" * 128, " a", 3, None],
)
@pytest.mark.parametrize("path", [("name",), ("artifacts", 0, "file")])
def test_names_in_a_manifest(path: Any, name: Any) -> None:
    made = name + ".tflite" if isinstance(name, str) and path != ("name",) and name not in ("", "..") else name
    with pytest.raises(InputError, match=r"manifest\.json"):
        Manifest.from_dict(replaced(MANIFEST, path, made), "manifest.json")


def test_names_of_other_files_in_a_manifest() -> None:
    listed = {"sha256": "0" * 64, "bytes": 1}
    for name in ("../x", ".profile", "Manifest.JSON", MANIFEST["artifacts"][0]["file"].upper(), "readme.TXT"):
        with pytest.raises(InputError, match=r"manifest\.json"):
            Manifest.from_dict(inserted(MANIFEST, ("files", "README.txt"), name, listed), "manifest.json")


@pytest.mark.parametrize(
    ("path", "new"),
    [
        (("artifacts", 0, "format"), "sh"), (("artifacts", 0, "scheme"), "int9"), (("artifacts", 0, "file"), "run.sh"),
        (("artifacts", 0, "format"), ["tflite"]), (("artifacts", 0, "sha256"), "0"), (("artifacts",), []),
        (("task", "heads", 0, "metric"), "nonsense"), (("artifacts", 0, "inputs", 0, "shape"), [-7]),
    ],
)  # fmt: skip
def test_what_an_artifact_may_not_be(path: Any, new: Any) -> None:
    with pytest.raises(InputError, match=r"manifest\.json: `"):
        Manifest.from_dict(replaced(MANIFEST, path, new), "manifest.json")


def test_no_metric_of_a_further_output_is_imported() -> None:
    heads = [*MANIFEST["task"]["heads"], {"name": "z", "kind": "classification", "metric": "os:system"}]
    with raised("unknown-name", 'task.heads[1].metric` is "os:system"'):
        Manifest.from_dict(replaced(MANIFEST, ("task", "heads"), heads), "manifest.json")


@pytest.mark.parametrize("name", ["manifest.json", "README.txt", "eval.npz", "recipe.toml", "mnist-cnn-int8.tflite"])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "device"])
def test_a_bundle_holds_regular_files(tmp_path: Path, name: str, kind: str) -> None:
    make_bundle(tmp_path / "b")
    assert read_bundle(tmp_path / "b").manifest.name
    path, secret = tmp_path / "b" / name, tmp_path / "secret"
    if path.exists():
        shutil.move(path, secret)
    else:
        secret.write_text("secret")
    if kind == "link":
        path.symlink_to(secret)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        {"pipe": os.mkfifo, "folder": os.mkdir}[kind](path)
    with raised("file-unreadable", f"{name}: ", ": it is "):
        read_bundle(tmp_path / "b")
    with pytest.raises(InputError, match=name):
        push(tmp_path / "b", target.DESKTOP, str(tmp_path / "there"))
    assert not (tmp_path / "there").exists()


def test_an_artifact_of_another_size_is_not_hashed(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b")
    with (tmp_path / "b" / "mnist-cnn-int8.tflite").open("r+b") as stream:
        stream.truncate(1 << 40)
    with raised("digest-mismatch", "mnist-cnn-int8.tflite"):
        read_bundle(tmp_path / "b")


# ------------------------------------------------------------------------------------------------ answers, cards


@pytest.mark.parametrize("mode", [LATENCY, MEMORY, ACCURACY], ids=str)
def test_results_of_a_hostile_board(mode: Mode[Any]) -> None:
    kept = next(m[mode.name] for m in SESSION["measurements"] if m[mode.name])
    kept = kept[0] if isinstance(kept, list) else kept
    result = {**kept, "ok": True}
    run = read_run(result, mode, "result")
    assert isinstance(run, mode.returns)
    assert json.loads(json.dumps(written(run))) == kept
    rng = random.Random(mode.name)
    for path in paths(result):
        for value in rng.sample(VALUES, 5):
            attempt(lambda changed: read_run(changed, mode, "result"), replaced(result, path, value))
    for value in ([], None, 3, {}, {"ok": True}, {"ok": False}, {**result, "ok": 1}, {"ok": False, "error": 1}):
        assert not attempt(lambda v: read_run(v, mode, "result"), value)


def test_cards_of_models(tmp_path: Path) -> None:
    from edgekit.models.files.saving import card_path, read_card

    model = tmp_path / "m.keras"
    model.write_bytes(b"model")
    how = {"scale": 0.5, "mean": [0.0], "std": [1.0], "layout": "NHWC", "inputs": {}}
    card: dict[str, Any] = {
        "schema": 1, "edgekit": "0", "model_sha256": hashlib.sha256(b"model").hexdigest(), "preprocessing": how,
        "class_names": ["a"], "lineage": [{"step": "load"}],
    }  # fmt: skip

    def use(value: Any) -> None:
        card_path(model).write_text(json.dumps(value))
        found = read_card(model)
        assert found is not None
        str(found.preprocessing)

    use(card)
    rng = random.Random(0)
    for path in paths(card):
        for value in rng.sample(VALUES, 12):
            attempt(use, replaced(card, path, value))
        attempt(use, without(card, path))
    for raw in RAW.values():
        card_path(model).write_text(raw_at(card, ("preprocessing", "scale"), raw))
        with pytest.raises(InputError, match=r"m\.keras\.json"):
            read_card(model)


def test_counts_are_bounded() -> None:
    class Numbers(TypedDict):
        n: Count

    for value in (-1, 2**63, 1.0, True, "1", None):
        with pytest.raises(InputError):
            read(Numbers, {"n": value}, "x", "thing")


@pytest.mark.parametrize("host", ["-oProxyCommand=touch x", "pi@-x", "a b", "-x@y", "a;b", "a\nb"])
def test_hosts_that_ssh_would_take_as_options(host: str) -> None:
    with raised("value-not-valid" if "\n" not in host else "text-not-printable", "my.toml: `host`"):
        target.parse(TARGET.replace('"pi@board.local"', json.dumps(host)), "my", "my.toml")
    for good in ("board", "pi@192.168.1.7", "my_board.local", "::1", "[fe80::1%eth0]"):
        assert target.parse(TARGET.replace("pi@board.local", good), "my", "my.toml").host == good


@pytest.mark.parametrize("kind", ["not a zip", "no numbers", "other names", "cut", "empty"])
def test_outputs_of_a_hostile_board(tmp_path: Path, kind: str) -> None:
    import numpy as np

    from edgekit.measuring.ports import read_outputs
    from edgekit.tasks.task import Task
    from edgekit.tasks.tensors import TensorSpec

    path, numbers = tmp_path / "o.npz", np.zeros((4, 3), np.float32)
    specs = (TensorSpec("y", (1, 3), "float32"),)
    np.savez(path, **{"0": numbers})
    assert read_outputs(path, specs, Task())[0].shape == (4, 3)
    if kind == "not a zip":
        path.write_bytes(b"x" * 100)
    elif kind == "no numbers":
        np.savez(path, **{"0": np.array(["x"])})
    elif kind == "other names":
        np.savez(path, z=numbers)
    else:
        path.write_bytes(path.read_bytes()[:80] if kind == "cut" else b"")
    with pytest.raises(InputError, match="came back"):
        read_outputs(path, specs, Task())


def test_what_programs_of_a_hostile_board_print() -> None:
    from edgekit.devices import benchmark_model, health, interpreter
    from edgekit.errors import TargetError

    for text in ("9" * 5000, "0x" + "f" * 5000, "²", "", "throttled=", "-1"):
        with pytest.raises(ValueError, match="no bits"):
            health.parse_throttled(text)
        assert health.parse_temperatures(text) is None
    probe = {"version": [3, 11, 2], "implementation": "CPython", "machine": "aarch64", "bits": 64, "libc": "glibc 2.36"}
    good = {**probe, "modules": {"numpy": "1.0"}}
    assert interpreter.parse(json.dumps(good), "board").bits == 64
    rng = random.Random(0)
    for path in paths(good):
        for value in rng.sample(VALUES, 10):
            attempt(lambda text: interpreter.parse(text, "board"), json.dumps(replaced(good, path, value)))
    for raw in (*RAW.values(), "", "\n", "{" * 5000):
        with raised("device-answer-invalid", kind=TargetError):
            interpreter.parse(raw, "board")
    line = "count=10 first=1 curr=1 min=1 max=1 avg=1 std=0"
    for log in (f"{line}\ncount={'9' * 5000} avg=1", f"{line}\ncount=3 avg=1e999", f"{line}\ncount=1 x=1"):
        whole = f"{log}\nInference timings in us: Init: 1e999, First inference: 1, Warmup (avg): 1"
        with pytest.raises((ValueError, KeyError, OverflowError)):
            benchmark_model.parse(whole)
