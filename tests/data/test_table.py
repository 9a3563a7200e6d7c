"""CSV files: what is read, and every refusal with line and column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.data.loading import load_raw
from edgekit.data.sources import csv_file
from tests.support.raised import raised


def write(path: Path, text: str | bytes) -> str:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def rows(count: int = 20, target: str = "i % 2") -> str:
    return "a,b,t\n" + "".join(f"{i},{i / 2},{eval(target, {'i': i})}\n" for i in range(count))


def test_the_last_column_is_the_target(tmp_path: Path) -> None:
    raw = load_raw(write(tmp_path / "a.csv", rows()))
    assert (raw.x_train.shape, raw.x_test.shape, raw.x_train.dtype) == ((16, 2), (4, 2), np.float32)
    assert (raw.y_train.dtype, raw.feature_names, raw.class_names) == (np.int64, ("a", "b"), ())
    np.testing.assert_array_equal(raw.x_train[:, 0] % 2, raw.y_train)
    np.testing.assert_array_equal(np.bincount(raw.y_test), [2, 2])
    assert raw.notes[-1].endswith("the target is the column t")


def test_options(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", rows())
    raw = load_raw(f"{path}?target=b&test=0.5")
    assert (len(raw.x_test), raw.feature_names, raw.y_train.dtype) == (10, ("a", "t"), np.float32)
    np.testing.assert_array_equal(raw.x_test[:, 0] / 2, raw.y_test)
    raw = load_raw(f"{path}?target=")
    assert (raw.y_train, raw.x_train.shape) == (None, (16, 3))
    with raised("unknown-name", "`c`"):
        load_raw(f"{path}?target=c")
    with raised("unknown-name", "`traget`") as caught:
        load_raw(f"{path}?traget=a")
    assert caught.value.hint == "did you mean `target`?"
    for share in ("0", "1", "-1", "x", "nan"):
        with raised("data-option-invalid"):
            load_raw(f"{path}?test={share}")


def test_names_with_signs(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'x,"a&b, c=d"\n' + "1,2\n" * 5)
    assert load_raw(f"{path}?target=a%26b, c%3Dd").feature_names == ("x",)


@pytest.mark.parametrize(
    ("target", "dtype", "names"),
    [
        ("i % 3", np.int64, ()),
        ("i * 1000", np.int64, ()),
        ("i - 5", np.int64, ()),
        ("i * 0.5", np.float32, ()),
        ("float(i % 2)", np.float32, ()),
        ("'ox' if i % 2 else 'ant'", np.int64, ("ant", "ox")),
        ("i % 2 == 1", np.int64, ("False", "True")),
    ],
)
def test_types_of_targets(tmp_path: Path, target: str, dtype: type, names: tuple[str, ...]) -> None:
    raw = load_raw(write(tmp_path / "a.csv", rows(target=target)))
    assert (raw.y_train.dtype, raw.class_names) == (dtype, names)
    given = [eval(target, {"i": int(i)}) for i in raw.x_test[:, 0]]
    expected = [names.index(str(value)) for value in given] if names else given
    np.testing.assert_array_equal(raw.y_test, expected)


@pytest.mark.parametrize(
    "text",
    [
        "a;b;t\n1,5;2,25;0\n3;4;1\n1,5;2,25;0\n3;4;1\n",
        "a\tb\tt\n1.5\t2.25\t0\n3\t4\t1\n1.5\t2.25\t0\n3\t4\t1\n",
        "a,b,t\r\n1.5,2.25,0\r\n3,4,1\r\n1.5,2.25,0\r\n3,4,1\r\n",
        "\ufeffa,b,t\n1.5,2.25,0\n3,4,1\n\n1.5,2.25,0\n3,4,1",
        '"a", "b","t"\n"1.5",2.25,0\n 3 ,4,1\n1.5,2.25,0\n3,4,1\n',
    ],
)
def test_delimiters_and_decimal_commas(tmp_path: Path, text: str) -> None:
    raw = load_raw(write(tmp_path / "a.csv", text))
    x = np.concatenate([raw.x_train, raw.x_test])
    assert sorted(map(tuple, x.tolist())) == [(1.5, 2.25), (1.5, 2.25), (3, 4), (3, 4)]
    assert raw.feature_names == ("a", "b")


def test_train_and_test_files(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", rows(20, "'ox' if i % 2 else 'ant'"))
    assert len(load_raw(str(tmp_path)).x_test) == 4
    write(tmp_path / "test.csv", "a,b,t\n1,2,ox\n")
    raw = load_raw(str(tmp_path))
    assert (len(raw.x_train), raw.y_test.tolist(), raw.class_names) == (20, [1], ("ant", "ox"))
    write(tmp_path / "test.csv", "a,b,t\n1,2,cow\n")
    with raised("classes-differ", "test.csv", "`train.csv`"):
        load_raw(str(tmp_path))
    write(tmp_path / "test.csv", "b,a,t\n1,2,ox\n")
    with raised("array-names-mismatch", "test.csv", "`train.csv`", "their order"):
        load_raw(str(tmp_path))
    write(tmp_path / "test.csv", "a,c,t\n1,2,ox\n")
    with raised("array-names-mismatch", "`train.csv`", "b, c"):
        load_raw(str(tmp_path))


def test_targets_of_two_files_get_one_type(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", "a,t\n1,2.5\n")
    write(tmp_path / "test.csv", "a,t\n1,2\n")
    raw = load_raw(str(tmp_path))
    assert (raw.y_train.dtype, raw.y_test.dtype) == (np.float32, np.float32)
    assert load_raw(f"{tmp_path}?target=").x_test.tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "file-empty"),
        ("\n\n", "file-empty"),
        ("a,b,t\n", "array-empty"),
        ("a\n1\n2\n", "csv-header-invalid `a`"),
        ("1,2,3\n4,5,6\n", "csv-header-invalid 1 2 3"),
        (",a,t\n0,1,2\n1,1,2\n", "csv-header-invalid 1"),
        ("a,a,t\n1,2,3\n", "csv-header-invalid `a`"),
        ("a,b,t\n1,2,3\n1,2\n", "csv-malformed 3 2"),
        ("a,b,t\n1,2,3\n1,2,3,4\n", "csv-malformed 3 4"),
        ("a,b,t\n1,2,3\n1,,3\n1,NA,3\n", "cells-missing 3 `b` 1"),
        ("a,b,t\n1,nan,3\n", "cells-missing 2 `b`"),
        ("a,b,t\n1,2,?\n", "cells-missing 2 `t`"),
        ("a,b,t\n1,Berlin,3\n", "cells-text `Berlin`"),
        ("a,b,t\nx,y,3\n", "cells-text `x` `y`"),
        ("a,b,t\n1_0,2,3\n", "cells-text `1_0`"),
        ("a,b,t\n1,inf,3\n", "values-not-finite 2 `b` `inf`"),
        ("a,b,t\n1,1e39,3\n", "values-not-finite 2 `b` `1e39`"),
        ("a,b,t\n1,2,1e39\n1,2,3\n", "values-not-finite 1 `t`"),
        ("a;b;t\n1,5;2;3\n1.5;2;3\n", "csv-malformed (1,5) (1.5)"),
        ('a;b;t\n1.234,5;"2";3\n', "cells-text `1.234,5`"),
        ('a,b,t\n"1,2,3\n', "csv-malformed 2 1"),
        ("a,b,t\n1,\x00,3\n", "cells-text"),
        (b"a,b,t\n1,2,\xff\n", "not-utf-8 UTF-8"),
        ("a,b,t\n1,2,3\n".encode("utf-16"), "not-utf-8 UTF-8"),
        (b"PK\x03\x04\x00\x00\x81", "not-utf-8 UTF-8"),
        ("a,b\n" + "".join(f"1,name{i}\n" for i in range(30)), "target-not-classes 30"),
        ("a,b\n" + "1" * 200_000 + ",2\n", "csv-malformed"),
    ],
)
def test_refusals(tmp_path: Path, text: str | bytes, message: str) -> None:
    with raised(*message.split()) as caught:
        load_raw(write(tmp_path / "a.csv", text))
    assert "a.csv" in caught.value.message


def test_missing_files(tmp_path: Path) -> None:
    with raised("file-missing", "none.csv"):
        load_raw(f"{tmp_path}/none.csv?target=a")


def test_a_table_in_several_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.csv", rows(100))
    whole = load_raw(path)
    monkeypatch.setattr(csv_file, "_PIECE_CELLS", 20)
    np.testing.assert_array_equal(load_raw(path).x_train, whole.x_train)
    write(tmp_path / "a.csv", rows(100) + "1,,3\n")
    with raised("cells-missing", "102", "`b`"):
        load_raw(path)


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.csv", rows(100))
    monkeypatch.setattr(csv_file, "MAX_CELLS", 50)
    with raised("table-too-large", "50"):
        load_raw(path)
    monkeypatch.setattr(csv_file, "MAX_COLUMNS", 2)
    with raised("table-too-large", "3", "2"):
        load_raw(path)
    monkeypatch.setattr(csv_file, "_LINE_LIMIT", 4)
    with raised("csv-malformed"):
        load_raw(path)
