"""Folders of images: layouts, modes, sizes, damage, and the cache."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgekit.data.loading import load_raw
from edgekit.errors import MissingExtraError
from tests.support.heard import Heard
from tests.support.raised import raised


def save(path: Path, value: int = 0, size: tuple[int, int] = (8, 6), mode: str = "RGB") -> None:
    """Write an image of one value; size is width, height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size[1], size[0], 3), value, np.uint8)).convert(mode).save(path)


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    """Ten cats of value 10 to 19 and ten dogs of value 110 to 119, as 6 by 8 PNG files."""
    for i in range(10):
        save(tmp_path / "animals" / "cat" / f"{i}.png", 10 + i)
        save(tmp_path / "animals" / "dog" / f"{i}.png", 110 + i)
    return tmp_path / "animals"


def test_a_folder_a_class(animals: Path) -> None:
    raw = load_raw(str(animals))
    assert raw.class_names == ("cat", "dog")
    assert (raw.x_train.shape, raw.x_test.shape, raw.x_train.dtype) == ((16, 6, 8, 3), (4, 6, 8, 3), np.uint8)
    assert isinstance(raw.x_train, np.memmap)
    np.testing.assert_array_equal(raw.x_train[:, 0, 0, 0] > 100, raw.y_train == 1)
    np.testing.assert_array_equal(np.bincount(raw.y_test), [2, 2])
    assert {*raw.x_train[:, 0, 0, 0], *raw.x_test[:, 0, 0, 0]} == {*range(10, 20), *range(110, 120)}
    assert "4 of its 20 samples" in raw.notes[0]


def test_the_second_time_nothing_is_decoded(animals: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Heard(), Heard()
    a = load_raw(str(animals), progress=first)
    monkeypatch.setattr("edgekit.data.sources.images.decode", lambda path, shape, fit: pytest.fail("decoded again"))
    b = load_raw(str(animals), progress=second)
    np.testing.assert_array_equal(a.x_train, b.x_train)
    assert (first.units, second.units) == (20, 0)


def test_a_changed_image_is_seen(animals: Path) -> None:
    before = load_raw(str(animals)).x_train[0, 0, 0, 0]
    for path in (animals / "cat").iterdir():
        save(path, 77)
        os.utime(path, ns=(1, 1))
    after = load_raw(str(animals)).x_train
    assert before != 77
    assert (after[:8] == 77).all()


@pytest.mark.parametrize(
    ("shape", "stored"),
    [
        ((3, 4, 1), (3, 4, 1)),
        ((3, 4, 3), (3, 4, 3)),
        ((3, 4), (3, 4, 1)),
        ((3, 4, 5), (4, 5, 3)),
        ((None, None, 1), (6, 8, 1)),
        ((None, None, None), (6, 8, 3)),
        ((12, None, 3), (6, 8, 3)),
        ((12, 12, None), (12, 12, 3)),
        ((144,), (12, 12, 1)),
        ((432,), (12, 12, 3)),
    ],
)
def test_the_models_shape(animals: Path, shape: tuple[int | None, ...], stored: tuple[int, ...]) -> None:
    raw = load_raw(str(animals), shape)
    assert raw.x_train.shape[1:] == stored
    assert raw.x_train[0, 0, 0, 0] in range(10, 20)


@pytest.mark.parametrize("shape", [(785,), (8, 8, 4), (2, 8, 8, 3), ()])
def test_a_model_that_takes_no_images(animals: Path, shape: tuple[int, ...]) -> None:
    with raised("shape-mismatch"):
        load_raw(str(animals), shape)


def test_different_sizes_need_a_size(animals: Path) -> None:
    save(animals / "dog" / "large.jpg", 115, (80, 60))
    with raised("image-sizes-differ", "2", "6x8", "(cat/0.png)", "60x80", "(dog/large.jpg)") as caught:
        load_raw(str(animals))
    assert "?size=96x96" in caught.value.hint
    assert load_raw(f"{animals}?size=5x7").x_train.shape == (17, 5, 7, 3)
    assert load_raw(str(animals), (4, 4, 3)).x_train.shape == (17, 4, 4, 3)
    for size in ("5", "0x5", "axb", "5x5x3"):
        with raised("data-option-invalid", "`size`"):
            load_raw(f"{animals}?size={size}")


@pytest.mark.parametrize(
    ("fit", "rows", "columns"),
    [("stretch", (0, 10), (0, 9)), ("letterbox", (1, 8), (0, 9)), ("corner", (0, 6), (0, 9))],
)
def test_proportions(tmp_path: Path, fit: str, rows: tuple[int, int], columns: tuple[int, int]) -> None:
    """8 x 6 pixels in 9 x 10: 1.125 times as large, 6.75 rows; rounded by Ultralytics, cut by YOLOX."""
    for i in range(10):
        save(tmp_path / f"{i}.png", 200)
    raw = load_raw(f"{tmp_path}?size=10x9&fit={fit}")
    inside = np.zeros((10, 9, 3), bool)
    inside[slice(*rows), slice(*columns)] = True
    np.testing.assert_array_equal(raw.x_train, np.broadcast_to(np.where(inside, 200, 114), raw.x_train.shape))
    assert any("padded" in note for note in raw.notes) == (fit != "stretch")


def test_a_fit_that_is_unknown(animals: Path) -> None:
    with raised("data-option-invalid", "letterbox"):
        load_raw(f"{animals}?fit=leterbox")


def test_shrinking_is_antialiased(tmp_path: Path) -> None:
    board = np.indices((64, 64)).sum(axis=0) % 2 * 255
    for i in range(2):
        (tmp_path / "d").mkdir(exist_ok=True)
        Image.fromarray(board.astype(np.uint8)).save(tmp_path / "d" / f"{i}.png")
    raw = load_raw(str(tmp_path / "d"), (8, 8, 1))
    assert np.abs(raw.x_train.astype(int) - 127).max() <= 16


@pytest.mark.parametrize("other", ["test", "val", "validation", "Test"])
def test_train_and_test_folders(tmp_path: Path, other: str) -> None:
    for part, count in (("train", 3), (other, 2)):
        for label, name in enumerate(("ant", "bee", "cow")):
            for i in range(count):
                save(tmp_path / part / name / f"{i}.PNG", label * 50)
    raw = load_raw(str(tmp_path))
    assert (len(raw.x_train), len(raw.x_test), raw.class_names) == (9, 6, ("ant", "bee", "cow"))
    np.testing.assert_array_equal(raw.x_test[:, 0, 0, 0], raw.y_test * 50)
    assert any("is taken for it" in note for note in raw.notes) == other.startswith("val")


def test_a_test_folder_goes_before_a_validation_folder(tmp_path: Path) -> None:
    for part, value in (("train", 0), ("test", 1), ("val", 2)):
        for name in "ab":
            save(tmp_path / part / name / "0.png", value)
    assert (load_raw(str(tmp_path)).x_test == 1).all()


def test_classes_of_the_test_part(tmp_path: Path) -> None:
    for part, names in (("train", "abc"), ("test", "ac")):
        for name in names:
            save(tmp_path / part / name / "0.png")
    np.testing.assert_array_equal(load_raw(str(tmp_path)).y_test, [0, 2])
    save(tmp_path / "test" / "d" / "0.png")
    with raised("classes-differ"):
        load_raw(str(tmp_path))


def test_an_empty_test_folder(tmp_path: Path) -> None:
    for name in "ab":
        save(tmp_path / "train" / name / "0.png")
    (tmp_path / "test").mkdir()
    with raised("data-not-found"):
        load_raw(str(tmp_path))


def test_images_without_classes(tmp_path: Path) -> None:
    for i in range(10):
        save(tmp_path / "flat" / f"{i}.png", i)
        save(tmp_path / "one" / "images" / f"{i}.png", i)
        save(tmp_path / "parts" / "train" / f"{i}.png", i)
        save(tmp_path / "parts" / "test" / f"{i}.png", i)
    for name, train in (("flat", 8), ("one", 8), ("parts", 10)):
        raw = load_raw(str(tmp_path / name))
        assert (raw.y_train, raw.y_test, raw.class_names) == (None, None, ())
        assert len(raw.x_train) == train
    assert "taken as unlabelled" in load_raw(str(tmp_path / "one")).notes[0]


def test_what_is_passed_over(animals: Path) -> None:
    (animals / "notes.txt").write_text("x")
    (animals / "cat" / "Thumbs.db").write_text("x")
    (animals / "cat" / "._0.png").write_text("x")
    (animals / ".cache").mkdir()
    save(animals / ".cache" / "0.png")
    save(animals / "cat" / ".hidden" / "0.png")
    (animals / "annotations").mkdir()
    (animals / "cat" / "gone.png").symlink_to(animals / "nowhere.png")
    raw = load_raw(str(animals))
    assert len(raw.x_train) + len(raw.x_test) == 20
    assert raw.class_names == ("cat", "dog")
    assert any("4 hidden or other files were passed over" in note for note in raw.notes)
    assert any("no images in annotations" in note for note in raw.notes)


def test_links(animals: Path) -> None:
    (animals / "cat" / "deep").mkdir()
    (animals / "cat" / "deep" / "up").symlink_to(animals)
    (animals / "loop").symlink_to(animals)
    (animals / "self").symlink_to("self")
    (animals / "tiger").symlink_to(animals / "cat")
    raw = load_raw(str(animals))
    assert raw.class_names == ("cat", "dog", "tiger")
    assert len(raw.x_train) + len(raw.x_test) == 30


def test_names_that_are_not_text(animals: Path) -> None:
    bad = Path(os.fsdecode(os.fsencode(animals) + b"/\xff"))
    save(bad / "0.png")
    raw = load_raw(str(animals))
    assert raw.class_names == ("cat", "dog", "\\xff")


@pytest.mark.parametrize("suffix", ["png", "jpg", "jpeg", "bmp", "gif", "webp"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    for i in range(2):
        save(tmp_path / f"{i}.{suffix}", 100)
    x = load_raw(str(tmp_path)).x_train
    assert x.shape == (1, 6, 8, 3)
    assert np.abs(x.astype(int) - 100).max() <= 3


def one(
    tmp_path: Path, image: Image.Image, name: str, shape: tuple[int | None, ...] | None, **options: object
) -> np.ndarray:
    for i in range(2):
        image.save(tmp_path / f"{i}-{name}", **options)
    return load_raw(str(tmp_path), shape).x_train[0]


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("L", "a.png"),
        ("1", "a.png"),
        ("LA", "a.png"),
        ("P", "a.png"),
        ("RGBA", "a.png"),
        ("CMYK", "a.jpg"),
        ("P", "a.gif"),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_modes(tmp_path: Path, mode: str, name: str, channels: int) -> None:
    half = np.zeros((6, 8, 3), np.uint8)
    half[:, 4:] = 255
    x = one(tmp_path, Image.fromarray(half).convert(mode), name, (6, 8, channels))
    assert x.shape == (6, 8, channels)
    assert x[:, :2].max() <= 5
    assert x[:, 6:].min() >= 250


def test_grey_images_stay_grey_without_a_shape(tmp_path: Path) -> None:
    assert one(tmp_path, Image.new("L", (4, 4), 9), "a.png", None).shape == (4, 4, 1)


def test_sixteen_bits(tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 48).astype(np.uint16).reshape(6, 8)
    x = one(tmp_path, Image.fromarray(values), "a.png", None)
    np.testing.assert_array_equal(x[..., 0], values >> 8)


def test_a_palette_with_transparency(tmp_path: Path) -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    x = one(tmp_path, image, "a.png", None, transparency=bytes([0, 128]))
    assert x[0, 0].tolist() == [200, 100, 50]


@pytest.mark.parametrize("shape", [None, (8, 6, 3)])
def test_turned_by_exif(tmp_path: Path, shape: tuple[int, ...] | None) -> None:
    pixels = np.zeros((6, 8, 3), np.uint8)
    pixels[:3] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    x = one(tmp_path, Image.fromarray(pixels), "a.png", shape, exif=exif.tobytes())
    assert x.shape == (8, 6, 3)
    assert (x[:, 3:] == 255).all()
    assert (x[:, :3] == 0).all()


@pytest.mark.parametrize("shape", [None, (6, 8, 3)])
def test_damaged_images_are_counted(animals: Path, shape: tuple[int, ...] | None, work_folder: Path) -> None:
    whole = (animals / "cat" / "0.png").read_bytes()
    for i, content in enumerate((b"", b"hello", whole[:20], whole[: len(whole) // 3], whole[:-30])):
        (animals / "cat" / f"bad{i}.png").write_bytes(content)
    with raised("images-damaged", "cat/bad0.png", "not") as caught:
        load_raw(str(animals), shape)
    assert caught.value.message.count("bad") == 3
    assert "remove or replace" in caught.value.hint
    assert not [p for p in (work_folder / "data").rglob("*.npy") if p.stat().st_size]


def bomb(path: Path, side: int) -> None:
    """Write a PNG whose header promises side x side pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [12_000, 60_000])
def test_images_that_would_fill_the_memory(animals: Path, side: int) -> None:
    bomb(animals / "dog" / "z.png", side)
    with raised("images-damaged", "1", "dog/z.png", "more"):
        load_raw(str(animals), (6, 8, 3))


def test_one_image_is_too_few(tmp_path: Path) -> None:
    save(tmp_path / "0.png")
    with raised("set-too-small", "1"):
        load_raw(str(tmp_path))


def test_without_pillow(animals: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "PIL", None)
    with raised("extra-not-installed", "`compress`", kind=MissingExtraError):
        load_raw(str(animals))


def test_the_folder_of_the_benchmarks(tmp_path: Path) -> None:
    from benchmarks.image_folder import write as write_folder

    write_folder(tmp_path / "a", 100, [16], 0.2)
    write_folder(tmp_path / "b", 100, [16], 0.2)
    a, b = load_raw(str(tmp_path / "a")), load_raw(str(tmp_path / "b"))
    assert (len(a.class_names), a.x_train.shape, a.x_test.shape) == (10, (80, 16, 16, 3), (20, 16, 16, 3))
    np.testing.assert_array_equal(a.x_train, b.x_train)
    np.testing.assert_array_equal(np.bincount(a.y_test), [2] * 10)
    write_folder(tmp_path / "c", 40, [16, 24], 0.5)
    assert load_raw(str(tmp_path / "c"), (8, 8, 1)).x_test.shape == (20, 8, 8, 1)
