"""Choices, and the recipes that they are."""

from __future__ import annotations

from typing import Any

import pytest

from edgekit.bundle.recipe import Recipe, load_recipe, named_recipes, parse
from edgekit.pipeline.searching.choice import Choice, choice_of
from edgekit.pipeline.searching.space import Space, Suggests
from edgekit.pipeline.searching.suggesting import Fixed, Replayed
from edgekit.techniques.registry import resolve
from edgekit.techniques.stage import check_order
from tests.support.raised import raised

BASE = Recipe("search", seed=7, check_samples=5000)
WHOLE = Space(
    students=("none", "scaled", "sliced", "resnet8", "file-01234567"),
    files={"file-01234567": __file__},
    blocks=2,
    criteria=("l1", "taylor"),
    schemes=("int8", "int4"),
    augments=("none", "flip"),
    gzip=True,
)


class Drawn:
    """Draws every parameter at random, as Optuna's trials do."""

    def __init__(self, rng: Any) -> None:
        self._rng, self.params = rng, dict[str, Any]()

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        value = low * (high / low) ** self._rng.random() if log else self._rng.uniform(low, high)
        self.params[name] = float(low + step * round((value - low) / step) if step else value)
        return self.params[name]

    def suggest_int(self, name: str, low: int, high: int) -> int:
        self.params[name] = int(self._rng.integers(low, high + 1))
        return self.params[name]

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        self.params[name] = choices[int(self._rng.integers(len(choices)))]
        return self.params[name]


def test_every_point_is_a_recipe_that_can_be_run(rng: Any) -> None:
    seen = set()
    for _ in range(200):
        drawn: Suggests = Drawn(rng)
        recipe = WHOLE.recipe(WHOLE.suggest(drawn), BASE, "trial-1")
        check_order([resolve(spec, spec.use) for spec in recipe.stages])
        assert parse(recipe.to_toml(), "trial-1", "x") == recipe
        assert (recipe.seed, recipe.check_samples, len(recipe.schemes)) == (7, 5000, 1)
        seen.add(tuple(spec.use for spec in recipe.stages))
    assert not WHOLE.recipe(Choice(), BASE, "x").stages
    assert ("distill", "prune", "prune", "cluster", "quantize") in seen


def test_a_trial_that_is_done_gives_the_same_recipe(rng: Any) -> None:
    for _ in range(50):
        drawn = Drawn(rng)
        choice = WHOLE.suggest(drawn)
        assert WHOLE.suggest(Replayed(drawn.params, "x")) == choice


@pytest.mark.parametrize(
    ("name", "value"), [("width", 3.0), ("width", "wide"), ("student", "/etc/passwd"), ("amount", None)]
)
def test_a_storage_may_hold_no_other_points(name: str, value: Any) -> None:
    params = WHOLE.params(Choice(student="scaled", width=0.5, amount=0.5))
    if value is None:
        del params[name]
    else:
        params[name] = value
    with raised("storage-foreign", f"`{name}`"):
        WHOLE.suggest(Replayed(params, "x"))


@pytest.mark.parametrize("name", named_recipes())
def test_recipes_of_the_package_have_a_place_in_the_space(name: str) -> None:
    recipe = load_recipe(name)
    if recipe.schemes[-1] not in WHOLE.schemes:
        return
    choice = WHOLE.suggest(Fixed(choice_of(recipe)))
    uses = [spec.use for spec in WHOLE.recipe(choice, BASE, name).stages]
    assert uses == [spec.use for spec in recipe.stages]
    as_it_is = WHOLE.named(recipe, BASE)
    assert as_it_is.stages == recipe.stages
    assert (as_it_is.seed, as_it_is.schemes, as_it_is.name) == (7, recipe.schemes[-1:], name)


def test_weights_in_4_bits_are_trained_so() -> None:
    for scheme, zeros, bits in (("int4", 0.0, 4), ("int4", 0.5, None), ("int8", 0.0, None)):
        recipe = WHOLE.recipe(Choice(quantize="train", scheme=scheme, zeros=zeros), BASE, "x")
        assert recipe.stages[-1].options.get("weight_bits") == bits, (scheme, zeros)


def test_effort_and_share_scale_epochs() -> None:
    choice = Choice(student="scaled", width=0.5, amount=0.5, quantize="train", qat_epochs=8)
    for effort, share, epochs in ((1.0, 1.0, [40, 20, 8]), (0.5, 0.25, [5, 2, 1]), (0.01, 1.0, [1, 1, 1])):
        recipe = Space(effort=effort).recipe(choice, BASE, "x", share)
        assert [spec.options["epochs"] for spec in recipe.stages] == epochs
    named = Space(effort=0.1).named(load_recipe("channels-qat"), BASE)
    assert [spec.options["epochs"] for spec in named.stages] == [1, 1]


def test_what_is_not_trainable_varies_its_calibration_only() -> None:
    plain = Space(trains=False, channels=False)
    assert set(plain.params(Choice())) == {"calibration", "max_drop"}
    recipe = plain.recipe(plain.suggest(Fixed(Choice(calibration="mse"))), BASE, "x")
    assert (recipe.stages, recipe.calibration_method) == ((), "mse")


def test_mixed_precision_is_for_the_model_itself() -> None:
    space = Space(students=("none", "scaled"))
    recipe = space.recipe(space.suggest(Fixed(Choice(max_drop=0.5))), BASE, "x")
    assert (recipe.stages, recipe.max_drop) == ((), 0.5)
    assert parse(recipe.to_toml(), "x", "x") == recipe
    for other in (Choice(student="scaled"), Choice(quantize="train"), Choice(amount=0.5)):
        assert "max_drop" not in space.params(other)
    assert "max_drop" not in Space(schemes=("int4",)).params(Choice())
    assert space.recipe(Choice(), BASE, "x").max_drop is None


def test_zeros_and_clusters_are_for_gzip_only() -> None:
    without = Space(students=("none", "scaled"))
    assert not {"sparse", "clustered"} & set(without.params(Choice(zeros=0.5, clusters=16)))
    assert {"sparse", "clustered"} <= set(Space(gzip=True).params(Choice(zeros=0.5, clusters=16)))


def test_a_file_learns_in_its_own_size_and_a_teacher_teaches() -> None:
    space = Space(students=("none", "file-a"), files={"file-a": "/models/a.keras"}, teacher="/models/t.keras")
    [distill] = space.recipe(Choice(student="file-a"), BASE, "x").stages
    assert (distill.options["student"], distill.options["teacher"]) == ("/models/a.keras", "/models/t.keras")
    assert "width" not in distill.options
