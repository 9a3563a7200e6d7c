"""Data of strangers: links, pipes, names, limits, labels. For `.npy` and `.npz` see tests/formats/numpy."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.hostile.data_files import arrays, headed, literal, members, npy, npz, picture, png
from edgekit.data.dataset import build
from edgekit.data.loading import check_spec, load_data, load_raw
from edgekit.data.sources import cache, csv_file, image_decode, images
from edgekit.data.sources.function import loose_of
from edgekit.data.sources.holdout import complete
from edgekit.data.stored import read_samples
from edgekit.errors import InputError, OutputError
from edgekit.files import private
from edgekit.files.opening import plain
from tests.support.raised import raised


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A picture and table outside of every folder that is given; whoever opens it fails."""
    path = tmp_path / "outside" / "secret.png"
    path.parent.mkdir()
    path.write_bytes(png())
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for name in ("cat", "dog"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(5):
            (tmp_path / "set" / name / f"{i}.png").write_bytes(png(rows=(bytes([0]) + bytes([9 * i] * 8)) * 8))
    return tmp_path / "set"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "arrays"
    path.mkdir()
    for name, data in members():
        (path / name).write_bytes(data)
    return path


@pytest.mark.parametrize("place", ["cat/z.png", "cat/deep/er/z.png", "tiger", "tiger/deep", "z.png"])
@pytest.mark.parametrize("relative", [False, True])
def test_pictures_outside_are_not_read(pictures: Path, secret: Path, place: str, relative: bool) -> None:
    path = pictures / place
    path.parent.mkdir(parents=True, exist_ok=True)
    target = secret if place.endswith("png") else secret.parent
    path.symlink_to(os.path.relpath(target, path.parent) if relative else target)
    if place == "tiger/deep":  # folders that are linked inside of a class are not entered
        assert load_raw(str(pictures)).class_names == ("cat", "dog")
        return
    with raised("link-leaves-folder", place, "set`", "outside") as caught:
        load_raw(str(pictures))
    assert "replace the link" in caught.value.hint


@pytest.mark.parametrize("name", ["train", "test", "val"])
def test_parts_outside_are_not_read(pictures: Path, secret: Path, name: str) -> None:
    for other in ("train", "test"):
        if other != name:
            (pictures / other).mkdir()
            for c in ("cat", "dog"):
                (pictures / other / c).symlink_to(f"../{c}")
    if name == "val":
        (pictures / "test" / "cat").unlink()
        (pictures / "test" / "dog").unlink()
        (pictures / "test").rmdir()
    (pictures / name).symlink_to(secret.parent)
    with raised("link-leaves-folder", name):
        load_raw(str(pictures))


def test_a_link_to_the_folder_and_links_inside_are_fine(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "typed").symlink_to("set")
    (pictures / "cat" / "again.png").symlink_to("../dog/0.png")
    (pictures / "tiger").symlink_to("cat")
    raw = load_raw(str(tmp_path / "typed"))
    assert raw.class_names == ("cat", "dog", "tiger")
    assert len(raw.x_train) + len(raw.x_test) == 17


@pytest.mark.parametrize("key", ["x_train", "y_train", "x_test"])
def test_arrays_and_tables_outside_are_not_read(folder: Path, secret: Path, tmp_path: Path, key: str) -> None:
    (folder / f"{key}.npy").unlink()
    (folder / f"{key}.npy").symlink_to("hop")
    (folder / "hop").symlink_to(secret)
    with raised("link-leaves-folder", f"{key}.npy"):
        load_raw(str(folder))
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "train.csv").symlink_to(secret)
    with raised("link-leaves-folder", "train.csv"):
        load_raw(str(tables))
    (tables / "train.csv").unlink()
    (tables / "train.csv").write_text("a,t\n1,2\n3,4\n")
    (tables / "test.csv").symlink_to(secret)
    with raised("link-leaves-folder", "test.csv"):
        load_raw(str(tables))


def test_samples_of_a_bundle_outside_are_not_read(tmp_path: Path, secret: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "eval.npz").symlink_to(secret)
    with raised("link-leaves-folder", "eval.npz"):
        read_samples(bundle / "eval.npz")


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ({"x": np.array(3)}, "array-empty `x`"),
        ({"x": np.zeros((0, 4))}, "array-empty `x`"),
        ({"x": np.full((9, 4), np.nan)}, "values-not-finite `x` NaN"),
        ({"x": np.full((9, 4), "a")}, "array-not-numbers `x` <U1"),
        ({"x": np.zeros((9, 4)), "y": np.full(9, "a")}, "array-not-numbers `y` <U1"),
        ({"x": np.zeros((9, 4)), "y": np.full(9, np.inf)}, "values-not-finite `y` infinity"),
        ({"x": np.zeros((9, 4)), "y": np.zeros(8)}, "counts-differ `x` 9 `y` 8"),
        ({"x/a": np.zeros((9, 4)), "x/b": np.zeros((8, 4))}, "counts-differ `x` [8, 9]"),
        ({"y": np.zeros(9)}, "array-missing `x`"),
        ({"x": np.array([{}] * 9, object)}, "array-not-numbers x"),
    ],
)
def test_samples_of_bundles(tmp_path: Path, held: dict[str, Any], expected: str) -> None:
    (tmp_path / "eval.npz").write_bytes(npz([(f"{key}.npy", npy(array)) for key, array in held.items()]))
    with raised(*expected.split(), "eval.npz"):
        read_samples(tmp_path / "eval.npz")


@pytest.mark.parametrize("name", ["pipe", "pipe.npz", "pipe.csv", "pipe.py", "pipe.csv?target=a"])
def test_pipes(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name.partition("?")[0])
    for look in (check_spec, load_raw):
        with raised("not-a-file"):
            look(str(tmp_path / name))


@pytest.mark.parametrize("name", ["x_train.npy", "train.csv", "own.py:load"])
def test_pipes_in_folders(tmp_path: Path, name: str) -> None:
    path = tmp_path / name.partition(":")[0]
    os.mkfifo(path)
    with raised("not-a-file"):
        load_raw(f"{path}:load" if ":" in name else str(tmp_path))


def test_a_pipe_among_pictures_is_passed_over(pictures: Path) -> None:
    os.mkfifo(pictures / "cat" / "z.png")
    assert len(load_raw(str(pictures)).x_train) == 8


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "data-not-found `--data`"),
        ("?target=a", "data-not-found `--data`"),
        ("n" * 300 + ".npz", "path-invalid"),
        ("n" * 300 + ".py:load", "path-invalid"),
        ("n/" * 3000, "path-invalid"),
        ("a\0b", "path-invalid"),
        ("a\0b.py:load", "path-invalid"),
        ("~no-such-user-here/a.npz", "path-invalid"),
        ("~no-such-user-here/a.py:load", "path-invalid"),
        ("\x1b[31mx", "data-not-found --data"),
        ("/dev/zero", "not-a-file /dev/zero"),
    ],
)
def test_odd_specs(spec: str, message: str) -> None:
    with raised(*message.split()) as caught:
        load_raw(spec)
    assert len(caught.value.message) < 1000


def test_the_program_itself_is_no_module_of_data() -> None:
    with pytest.raises(InputError) as caught:
        load_raw("__main__:load")
    assert caught.value.code in ("unknown-name", "data-not-found")  # as the program was started


def test_a_long_option_is_no_long_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,t\n1,2\n3,4\n")
    with raised("unknown-name"):
        load_raw(f"{tmp_path}/a.csv?target={'n' * 3000}")


@pytest.mark.parametrize("kind", ["EPS", "TIFF", "PPM", "PCX", "ICO", "TGA", "SGI", "PDF"])
def test_other_formats_are_not_pictures(pictures: Path, kind: str) -> None:
    (pictures / "cat" / "z.png").write_bytes(picture(kind))
    with raised("images-damaged", "1", "cat/z.png", "not"):
        load_raw(str(pictures), (8, 8, 3))


def test_nobody_is_asked_to_open_what_pillow_names(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    def opened(stream: Any, *_: object, formats: object = None) -> Any:
        assert not isinstance(stream, (str, Path))
        assert set(formats or ()) == {"PNG", "JPEG", "BMP", "GIF", "WEBP"}  # type: ignore[call-overload]
        return real(stream, formats=formats)

    real = Image.open
    monkeypatch.setattr(Image, "open", opened)
    load_raw(str(pictures))


def test_limits_of_pictures(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with raised("image-too-large", "99,999x99,999", "1", "9,536"):
        load_raw(f"{pictures}?size=99999x99999")
    with raised("image-too-large", "65,536x65,536", "3"):
        load_raw(str(pictures), (65536, 65536, 3))
    monkeypatch.setattr(image_decode, "LARGE_PIXELS", 1)  # one at a time gives the same
    whole = np.array(load_raw(str(pictures), (8, 8, 1)).x_train)
    monkeypatch.setattr(images, "_VERSION", 99)
    np.testing.assert_array_equal(load_raw(str(pictures), (8, 8, 1)).x_train, whole)
    monkeypatch.setattr(image_decode, "MOST_BYTES", 10)
    with raised("images-damaged", "8", "cat/0.png", "0"):
        load_raw(str(pictures), (9, 9, 1))


def test_mutated_pictures(pictures: Path) -> None:
    rng = random.Random(0)
    sound = {"png": picture("PNG"), "jpg": picture("JPEG"), "gif": picture("GIF"), "bmp": picture("BMP")}
    refused = 0
    for number in range(120):
        kind = rng.choice(list(sound))
        data = bytearray(sound[kind])
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(min(len(data), 120))
            data[at : at + rng.choice([0, 1, 4])] = bytes(rng.randrange(256) for _ in range(rng.choice([0, 1, 4])))
        path = pictures / "cat" / f"z.{kind}"
        path.write_bytes(data)
        try:
            load_raw(str(pictures), (8, 8, 3 if number % 2 else 1))
        except InputError as error:
            assert "cat/z" in error.message, (number, error.message)
            refused += 1
        path.unlink()
    assert 0 < refused < 120


def test_folders_nested_deeper_than_python_recurses(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pictures / "cat")
    for _ in range(1100):
        Path("d").mkdir()
        os.chdir("d")
    Path("z.png").write_bytes(png())
    assert len(load_raw(str(pictures)).x_train) == 9
    for _ in range(1100):  # shutil, with which pytest cleans up, recurses
        for path in Path().iterdir():
            path.unlink() if path.is_file() else path.rmdir()
        os.chdir("..")


@pytest.mark.parametrize("names", [("a\n", "b"), ("\x1b[31m", "b"), ("\u202ea", "b"), (os.fsdecode(b"\xff"), "b")])
def test_names_of_classes_can_be_printed_and_stored(tmp_path: Path, names: tuple[str, str]) -> None:
    for name in names:
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(5):
            (tmp_path / "set" / name / f"{i}.png").write_bytes(png())
    data = load_data(str(tmp_path / "set"))
    assert set(data.class_names) == {plain(name) for name in names}
    assert all(name.isprintable() for name in data.class_names)
    json.dumps(data.class_names, ensure_ascii=False).encode()


def test_folders_that_look_alike(tmp_path: Path) -> None:
    for name in (os.fsdecode(b"\xff"), "\\xff"):
        (tmp_path / "set" / name).mkdir(parents=True)
        (tmp_path / "set" / name / "0.png").write_bytes(png())
    with raised("class-name-invalid"):
        load_raw(str(tmp_path / "set"))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "b" * 300, "c"], "class-name-invalid 300"),
        (["a\n", "a\\n", "c"], "class-name-invalid"),
        (["\ud800", "b", "c"], ""),
        (np.full(3, 0xFFFFFFFF, "<u4").view("<U1"), "class-name-invalid `class_names`"),
        ([["a", "b", "c"]], "class-name-invalid `class_names`"),
        (np.arange(100_001).astype(str), "class-name-invalid `class_names`"),
    ],
)
def test_names_of_classes_in_arrays(tmp_path: Path, names: Any, message: str) -> None:
    (tmp_path / "a.npz").write_bytes(npz(members(class_names=npy(np.asarray(names)))))
    if not message:
        assert load_data(str(tmp_path / "a.npz")).class_names == (r"\ud800", "b", "c")
        return
    with raised(*message.split()):
        load_data(str(tmp_path / "a.npz"))


def test_too_many_classes(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgekit.data.sources.image_files.MOST_CLASS_NAMES", 1)
    with raised("too-many-classes", "2", "1"):
        load_raw(str(pictures))


@pytest.mark.parametrize("key", ["x_train", "y_train"])
def test_holes_in_files_are_no_values(folder: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    count = 300 << 18
    shape = f"({count}, 4)" if key == "x_train" else f"({4 * count},)"
    (folder / f"{key}.npy").write_bytes(headed(literal(shape=shape), b""))
    os.truncate(folder / f"{key}.npy", 128 + 16 * count)
    with raised("file-sparse", f"{key}.npy", "1,200 MiB", "0.0"):
        load_raw(str(folder))


CSV = "a,b,t\n" + "1,2,0\n3,4,1\n" * 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CSV + "1" * (17 << 20) + "\n", "csv-malformed 16"),
        ("\0" * (17 << 20), "csv-malformed 16"),
        ("a," * 60_000 + "t\n1,2\n", "table-too-large 60,001 50,000"),
        ("a," * 49_998 + "t\n1,2\n", "csv-header-invalid `a`"),
        (CSV + "1," * 50_000 + "\n", "csv-malformed 12 50,001 3"),
        (CSV + "9" * 2000 + ",2,0\n", "csv-malformed 12 2,000 999"),
        ("a" * 300 + ",b,t\n1,2,3\n", "csv-header-invalid 300"),
        ("a\x01,a\\x01,t\n1,2,3\n", "csv-header-invalid"),
        (CSV + '"1,2,0\n' * 2000, "cells-text"),
        ("a,b,t\n1,2,k\x01\n3,4,k\\x01\n", "class-name-invalid"),
    ],
)
def test_tables_that_fill_the_memory(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text, newline="")
    with raised(*message.split()) as caught:
        load_data(str(tmp_path / "a.csv"))
    assert len(caught.value.message + caught.value.hint) < 5000


def test_names_of_columns_can_be_printed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('"a\nb",c\u202e,t\x1b[31m\n' + "1,2,0\n3,4,1\n" * 5)
    raw = load_raw(str(tmp_path / "a.csv"))
    assert raw.feature_names == (r"a\nb", r"c\u202e")
    assert raw.notes[-1].endswith(r"the target is the column t\x1b[31m")
    assert load_raw(f"{tmp_path}/a.csv?target=a%0Ab").feature_names == (r"c\u202e", r"t\x1b[31m")


@pytest.mark.parametrize(
    "cell", ["+-1", "--1", "+", "-", "１", "1" * 30, "1e999999", "-1e400", "9" * 19, "0x10", "1_0"]
)
def test_odd_numbers(tmp_path: Path, cell: str) -> None:
    for text in (f"a,b,t\n1,2,{cell}\n" + "1,2,3\n" * 30, f"a,b,t\n{cell},2,3\n" + "1,2,3\n" * 30):
        (tmp_path / "a.csv").write_text(text)
        try:
            load_data(str(tmp_path / "a.csv"))
        except InputError as error:
            assert "a.csv" in error.message


def test_a_piece_of_a_table_fits_into_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text(CSV)
    whole = load_raw(str(tmp_path / "a.csv"))
    sizes: list[int] = []
    real = csv_file._plain
    monkeypatch.setattr(csv_file, "_PIECE_CHARACTERS", 7)
    monkeypatch.setattr(csv_file, "_plain", lambda piece, *rest: (sizes.append(len(piece)), real(piece, *rest))[1])
    np.testing.assert_array_equal(load_raw(str(tmp_path / "a.csv")).x_train, whole.x_train)
    assert max(sizes) == 3


N = np.arange(60)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"y_train": np.full(60, 1 << 63, np.uint64)}, "labels-out-of-range `y_train` 9223372036854775808 63"),
        ({"y_train": np.full(60, 1e300), "y_test": np.full(30, 1e300)}, "values-not-finite `y_train` 32-bit"),
        ({"x_train": np.full((60, 4), 1e300)}, "values-not-finite `x_train` 32-bit 0"),
        ({"x_test": np.where(np.arange(120).reshape(30, 4) == 50, -1e39, 0)}, "values-not-finite `x_test` large 12"),
        ({"x_train": np.where(np.arange(240).reshape(60, 4) == 50, np.nan, 0)}, "values-not-finite `x_train` NaN 12"),
        ({"y_train": np.where(N == 7, -1, N % 3)}, ""),
        (
            {"x_train": None, "x_train/a": np.zeros((60, 4)), "x_test": np.zeros((30, 4))},
            "array-names-mismatch `x_train` `x_test`",
        ),
    ],
)
def test_values(changed: dict[str, Any], expected: str) -> None:
    given = arrays(**changed)
    for key in [key for key in given if "/" in key]:
        given[key.partition("/")[0]] = {key.partition("/")[2]: given.pop(key)}
    if not expected:
        assert build("mine", given, "mine.npz").class_names == ()
        return
    with raised(*expected.split(), "mine.npz"):
        build("mine", given, "mine.npz")


def test_one_large_label_makes_no_classes(tmp_path: Path) -> None:
    data = build("mine", arrays(y_train=np.where(N == 7, 10**9, N % 3)), "mine.npz")
    assert data.class_names == ()


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i2", ">u8"])
def test_other_byte_orders(tmp_path: Path, dtype: str) -> None:
    x = np.arange(240).reshape(60, 4)
    (tmp_path / "a.npz").write_bytes(npz(members(x_train=x.astype(dtype))))
    found = load_data(str(tmp_path / "a.npz")).x_train
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, x)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"x": {}}, "array-missing"),
        (({}, {}), "array-empty"),
        ({"x": {}, "y": np.arange(9)}, "array-missing"),
        ({1: np.zeros(3)}, "function-result-invalid"),
    ],
)
def test_code_that_returns_nothing_in_particular(given: Any, code: str) -> None:
    with raised(code):
        complete(loose_of(given, "data"), "data")


def test_code_whose_values_fail() -> None:
    class Odd:
        def __array__(self, *_: object, **__: object) -> Any:
            raise ZeroDivisionError

        def __str__(self) -> str:
            raise ZeroDivisionError

    x = np.zeros((9, 4))
    for given in ({"x": Odd()}, {"x": x, "class_names": Odd()}, (Odd(), x, Odd(), x)):
        with raised("function-result-invalid"):
            loose_of(given, "data")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("raise type('E', (BaseException,), {})('x')", "function-failed"),
        ("raise GeneratorExit", "function-failed"),
        ("import sys; sys.stdout.close(); return 1", "function-result-invalid"),
    ],
)
def test_code_that_fails_oddly(tmp_path: Path, body: str, code: str) -> None:
    (tmp_path / "own.py").write_text(f"def load():\n    {body}\n")
    with raised(code):
        load_raw(f"{tmp_path}/own.py:load")


def test_a_cache_of_another_user(work_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(folder: Path) -> None:
        (folder / "x").write_text("whole")

    path = cache.cached("key", fill)
    monkeypatch.setattr(private, "_ROOT", -1)
    real = os.fstat

    class Other:
        st_uid = 4242

    monkeypatch.setattr(private.os, "fstat", lambda fd: Other())
    with raised("cache-not-own", kind=OutputError) as caught:
        cache.cached("key", fill)
    assert "EDGEKIT_WORK" in caught.value.hint
    monkeypatch.setattr(private, "_ROOT", os.geteuid() if os.geteuid() != 4242 else -1)
    assert cache.cached("key", fill) == path
    monkeypatch.setattr(private.os, "fstat", real)


def test_a_cache_entry_that_is_a_link(work_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "poison").mkdir()
    (tmp_path / "poison" / "data.json").write_text("{}")
    (work_folder / "data").mkdir()
    (work_folder / "data" / "key").symlink_to(tmp_path / "poison")
    with raised("cache-not-own", kind=OutputError):
        cache.cached("key", lambda folder: pytest.fail("made"))


def test_a_picture_of_the_same_size_and_time_is_another(pictures: Path) -> None:
    path = pictures / "cat" / "1.png"
    before, status = load_raw(str(pictures)), path.stat()
    path.write_bytes(png(rows=(bytes([0]) + bytes([77] * 8)) * 8))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    after = load_raw(str(pictures))
    assert 77 not in before.x_train
    assert 77 in after.x_train or 77 in after.x_test
