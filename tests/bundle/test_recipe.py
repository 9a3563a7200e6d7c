from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from edgekit.bundle import recipe as config
from edgekit.bundle.recipe import Recipe, StageSpec, load_recipe, named_recipes, parse
from edgekit.errors import InputError
from edgekit.techniques.registry import resolve


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
    ("text", "message", "hint"),
    [
        ("schema = 1\n[calibration]\nmethod = 'entropy'\n", '`calibration.method` is "entropy"', ""),
        ("schema = 1\n[calibration]\npercentile = 20\n", "`calibration.percentile` is 20, expected 50 to 100", ""),
        ("schema = 1\n[exprot]\n", "unknown key `exprot`", "`export`"),
        ("schema = 1\n[export]\nscheme = ['int8']\n", "unknown key `export.scheme`", "`schemes`"),
        ("schema = 1\n[export]\nschemes = ['int9']\n", '`export.schemes` holds "int9"', "`int8`"),
        ("schema = 1\n[export]\nschemes = []\n", "at least one", ""),
        ("schema = 1\n[export]\nformats = 'tflite'\n", '`export.formats` is "tflite"', ""),
        ("schema = 1\n[preprocessing]\nscle = 1\n", "unknown key `preprocessing.scle`", "`scale`"),
        ("schema = 1\n[preprocessing]\nscale = '1/0'\n", '`preprocessing.scale` is "1/0", expected a number', ""),
        ("schema = 1\n[preprocessing]\nscale = true\n", "`preprocessing.scale` is true, expected a number", ""),
        ("schema = 1\n[preprocessing]\nmean = []\n", r"`preprocessing.mean` is \[\], expected a number, or a list", ""),
        ("schema = 1\n[preprocessing]\nmean = [1, 'x']\n", "`preprocessing.mean` is", ""),
        ("schema = 1\n[preprocessing]\nstd = 0\n", "scale or std of zero", ""),
        ("schema = 1\n[preprocessing]\nscale = inf\n", "not finite", ""),
        ("schema = 1\n[preprocessing]\nlayout = 'HWCN'\n", "unknown layout `HWCN`", "NHWC"),
        (
            "schema = 1\n[preprocessing]\nnormalize_outside = 1\n",
            "`preprocessing.normalize_outside` is 1, expected true or false",
            "",
        ),
        ("schema = 1\n[preprocessing.inputs]\na = 1\n", "`preprocessing.inputs.a` is 1, expected a table", ""),
        ("schema = 1\n[preprocessing.inputs.a]\ninputs = 1\n", "unknown key `preprocessing.inputs.a.inputs`", ""),
        ("schema = 1\n[calibration]\nsamples = 0\n", "`calibration.samples` is 0, expected 1 to", ""),
        ("schema = 1\n[calibration]\nsamples = true\n", "`calibration.samples` is true", ""),
        ("schema = 1\nseed = -1\n", "`seed` is -1", ""),
        ("schema = 1\n[[stage]]\nepochs = 1\n", r"stage\[0\] needs a key `use`", ""),
        ("schema = 1\nstage = 3\n", "`stage` is 3", ""),
        ("seed = 1\n", "`schema` must be 1", "schema = 1"),
        ("schema = 2\n", "`schema` must be 1", ""),
        ("schema = [", "not TOML", ""),
    ],
)
def test_bad_recipes_name_file_key_and_nearest(text: str, message: str, hint: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse(text, "mine", "mine.toml")
    assert caught.value.message.startswith("mine.toml: ")
    assert hint in caught.value.hint


def test_unknown_recipe_names() -> None:
    with pytest.raises(InputError) as caught:
        load_recipe("itn8")
    assert "did you mean `int8`?" in caught.value.hint


def test_missing_and_binary_recipe_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such recipe"):
        load_recipe(str(tmp_path / "none.toml"))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match="byte 0 is not UTF-8"):
        load_recipe(str(tmp_path / "binary.toml"))
    with pytest.raises(InputError, match="cannot read"):
        load_recipe(str(tmp_path))


@pytest.mark.parametrize(
    ("spec", "message", "hint"),
    [
        (StageSpec("fintune", {}), "unknown stage `fintune`", "`finetune`"),
        (StageSpec("finetune", {"epoch": 1}), "no option `epoch`", "`epochs`"),
        (StageSpec("finetune", {"epochs": "3"}), r'\.epochs is "3", expected int', ""),
        (StageSpec("finetune", {"epochs": True}), r"\.epochs is true, expected int", ""),
        (StageSpec("finetune", {"epochs": 0}), "at least 1", ""),
        (StageSpec("finetune", {"schedule": "cosin"}), "unknown schedule", "cosine"),
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
    with pytest.raises(InputError, match="byte 0 is not UTF-8") as caught:
        load_recipe(str(path))
    assert caught.value.hint == "it begins as UTF-16 does: save it as UTF-8"
