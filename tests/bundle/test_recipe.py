from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from edgekit.bundle import recipe as config
from edgekit.bundle.recipe import Recipe, StageSpec, load_recipe, named_recipes, parse
from edgekit.errors import InputError
from edgekit.techniques.registry import resolve
from tests.support.raised import raised


@pytest.mark.parametrize("name", named_recipes())
def test_named_recipes_round_trip(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.description
    assert parse(recipe.to_toml(), name, "again") == recipe


def test_a_full_recipe_round_trips() -> None:
    recipe = Recipe(
        "mine", 'with "quotes" and \n lines', 7, (StageSpec("finetune", {"epochs": 2, "learning_rate": 1e-4}),),
        ("int8",), ("tflite",), 10, "percentile", 99.5, 20, 0,
    )  # fmt: skip
    assert parse(recipe.to_toml(), "mine", "again") == recipe


FED = """schema = 1
[preprocessing]
scale = "1/255"
mean = 0.5
std = [0.2, 0.3]
layout = "nchw"
normalize_outside = true
[preprocessing.inputs."my table"]
scale = 2
"""


def test_preprocessing() -> None:
    recipe = parse(FED, "mine", "mine.toml")
    table = {"my table": {"scale": 2.0}}
    assert recipe.normalize_outside
    assert recipe.preprocessing == {
        "scale": 1 / 255, "mean": (0.5,), "std": (0.2, 0.3), "layout": "NCHW", "inputs": table,
    }  # fmt: skip
    assert parse(recipe.to_toml(), "mine", "again") == recipe
    given = recipe.with_preprocessing({"mean": (1.0,), "inputs": {"image": {"std": (2.0,)}}}).preprocessing
    assert (given["mean"], given["scale"]) == ((1.0,), 1 / 255)
    assert given["inputs"] == table | {"image": {"std": (2.0,)}}
    assert recipe.with_preprocessing({"scale": 3.0}).preprocessing["inputs"] == {"my table": {}}
    assert recipe.with_preprocessing({}) == recipe


@pytest.mark.parametrize(
    ("text", "code", "names"),
    [
        ("[calibration]\nmethod = 'entropy'", "unknown-name", ('`calibration.method` is "entropy"', "mse")),
        ("[calibration]\npercentile = 20", "value-out-of-range", ("`calibration.percentile` is 20", "50 to 100")),
        ("[exprot]", "key-unknown", ("`exprot`", "`export`?")),
        ("[export]\nscheme = ['int8']", "key-unknown", ("`export.scheme`", "`schemes`?")),
        ("[export]\nschemes = ['int9']", "unknown-name", ('`export.schemes[0]` is "int9"', "`int8`?")),
        ("[export]\nschemes = []", "value-out-of-range", ("`export.schemes` has 0 entries", "at least 1")),
        ("[export]\nformats = 'tflite'", "value-wrong-type", ('`export.formats` is "tflite"', "a list")),
        ("[preprocessing]\nscle = 1", "key-unknown", ("`preprocessing.scle`", "`scale`?")),
        ("[preprocessing]\nscale = '1/0'", "value-not-valid", ('`preprocessing.scale` is "1/0"', "1/255")),
        ("[preprocessing]\nscale = true", "value-wrong-type", ("`preprocessing.scale` is true", "a number")),
        ("[preprocessing]\nmean = []", "value-out-of-range", ("`preprocessing.mean` has 0 entries",)),
        ("[preprocessing]\nmean = [1, 'x']", "value-not-valid", ('`preprocessing.mean` is [1, "x"]', "one a channel")),
        ("[preprocessing]\nstd = 0", None, ("`preprocessing`", "scale or std of zero")),
        ("[preprocessing]\nscale = inf", "value-out-of-range", ("`preprocessing.scale` is inf",)),
        ("[preprocessing]\nscale = 'inf'", None, ("`preprocessing`", "not finite")),
        ("[preprocessing]\nlayout = 'HWCN'", None, ("`preprocessing`", "`HWCN`", "NHWC")),
        ("[preprocessing]\nnormalize_outside = 1", "value-wrong-type", ("normalize_outside` is 1", "true or false")),
        ("[preprocessing.inputs]\na = 1", "value-wrong-type", ("`preprocessing.inputs.a` is 1", "a table")),
        ("[preprocessing.inputs.a]\ninputs = 1", "key-unknown", ("`preprocessing.inputs.a.inputs`",)),
        ("[preprocessing.inputs.a]\nstd = 0", None, ("`preprocessing.inputs.a`", "scale or std of zero")),
        ("[calibration]\nsamples = 0", "value-out-of-range", ("`calibration.samples` is 0", "1 to 2147483647")),
        ("[calibration]\nsamples = true", "value-wrong-type", ("`calibration.samples` is true",)),
        ("seed = -1", "value-out-of-range", ("`seed` is -1", "0 to 4294967295")),
        ("[[stage]]\nepochs = 1", "key-missing", ("`stage[0].use`",)),
        ("[[stage]]\nuse = 3", "value-wrong-type", ("`stage[0].use` is 3",)),
        ("[[stage]]\nuse = 'prune'\namount = 1979-05-27", "value-wrong-type", ("`stage[0].amount`",)),
        ("[[stage]]\nuse = 'prune'\namount = [[1]]", "value-wrong-type", ("`stage[0].amount[0]`",)),
        ("stage = 3", "value-wrong-type", ("`stage` is 3",)),
        ("x = [", "not-toml", ()),
    ],
)
def test_bad_recipes_name_file_key_and_nearest(text: str, code: str | None, names: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as caught:
        parse(f"schema = 1\n{text}\n", "mine", "mine.toml")
    assert code in (None, caught.value.code)
    assert caught.value.message.startswith("mine.toml: ")
    assert not [name for name in names if name not in f"{caught.value.message} {caught.value.hint}"]


def test_schemas_of_recipes() -> None:
    with raised("schema-missing", "mine.toml: `schema`", "begin the file with: schema = 1"):
        parse("seed = 1\n", "mine", "mine.toml")
    with raised("schema-too-new", "mine.toml: `schema` is 2", "schema 1", "upgrade edgekit"):
        parse("schema = 2\nexprot = 1\n", "mine", "mine.toml")


def test_unknown_recipe_names() -> None:
    with raised("unknown-name", "`itn8`", "did you mean `int8`?"):
        load_recipe("itn8")


def test_missing_and_binary_recipe_files(tmp_path: Path) -> None:
    with raised("file-missing", "none.toml"):
        load_recipe(str(tmp_path / "none.toml"))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00\x01")
    with raised("not-utf-8", "binary.toml", "byte 0"):
        load_recipe(str(tmp_path / "binary.toml"))
    with raised("file-unreadable", "a folder"):
        load_recipe(str(tmp_path))


@pytest.mark.parametrize(
    ("spec", "message", "hint"),
    [
        (StageSpec("fintune", {}), "unknown stage `fintune`", "`finetune`"),
        (StageSpec("finetune", {"epoch": 1}), "no option `epoch`", "`epochs`"),
        (StageSpec("finetune", {"epochs": "3"}), r'\.epochs is "3", expected int', ""),
        (StageSpec("finetune", {"epochs": True}), r"\.epochs is true, expected int", ""),
        (StageSpec("finetune", {"epochs": 0}), "epochs=0", ""),
        (StageSpec("finetune", {"schedule": "cosin"}), "schedule=cosin`: expected one of constant, cosine", ""),
    ],
)
def test_bad_stages(spec: StageSpec, message: str, hint: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        resolve(spec, "mine.toml: stage[0]")
    assert caught.value.message.startswith("mine.toml: stage[0]")
    assert hint in caught.value.hint


def test_good_stages_resolve() -> None:
    stage = resolve(StageSpec("finetune", {"epochs": 2, "learning_rate": 1}), "x")
    assert "2 epochs" in stage.expectation


def test_the_documented_recipe_is_valid() -> None:
    text = (config.__doc__ or "").partition("\n\n")[2]
    assert parse(textwrap.dedent(text), "doc", "doc").stages[0].use == "finetune"


def test_byte_order_marks(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    for mark in (b"\xef\xbb\xbf", 2 * b"\xef\xbb\xbf"):
        path.write_bytes(mark + b"schema = 1\nseed = 7\n")
        assert load_recipe(str(path)).seed == 7
    path.write_bytes("schema = 1\n".encode("utf-16"))
    with raised("not-utf-8", "byte 0") as caught:
        load_recipe(str(path))
    assert caught.value.hint == "it begins as UTF-16 does: save it as UTF-8"
