"""The sampling settings of an evaluation: every combination of every grid that the benchmark is meant for, none twice."""

from dataclasses import replace

import pytest

from src.config.compose import compose_train
from src.jobs.difface_settings import sampling_settings
from src.restorers.sampling import Sampling
from src.settings.commands import TrainConfig
from src.settings.difface import SamplingGrid


@pytest.fixture(scope="module")
def base() -> TrainConfig:
    return compose_train(["arm=swinir", "degradation@benchmark.degradation=difface"])


def grid(**changes: list | str) -> SamplingGrid:
    values = {"solver": ["ddim"], "start": [400], "steps": [20], "eta": [0.5], "seed": [0]}
    return SamplingGrid(**(values | {"convention": "textbook", "recipes": []} | changes))


def settings(base: TrainConfig, **grids: SamplingGrid) -> list[Sampling]:
    return sampling_settings(replace(base, evaluation=replace(base.evaluation, difface=grids)))


def test_every_combination_in_the_order_of_the_lists(base: TrainConfig) -> None:
    found = settings(base, one=grid(start=[200, 400], eta=[0.0, 1.0], seed=[0, 1]))
    named = [(setting.start, setting.eta, setting.seed) for setting in found]
    assert named == [(start, eta, seed) for start in (200, 400) for eta in (0.0, 1.0) for seed in (0, 1)]


def test_eta_multiplies_ddim_alone_and_the_convention_is_that_of_ddim_and_ddpm(base: TrainConfig) -> None:
    found = settings(base, one=grid(solver=["ddim", "unipc", "ddpm"], eta=[0.0, 0.5]))
    assert [(setting.solver, setting.eta, setting.convention) for setting in found] == [
        ("ddim", 0.0, "textbook"),
        ("ddim", 0.5, "textbook"),
        ("unipc", None, "published"),
        ("ddpm", None, "textbook"),
    ]


def test_what_two_grids_share_is_measured_once(base: TrainConfig) -> None:
    assert settings(base, starts=grid(start=[200, 400]), solvers=grid(solver=["ddim", "unipc"])) == [
        Sampling("ddim", 200, 20, 0.5, convention="textbook"),
        Sampling("ddim", 400, 20, 0.5, convention="textbook"),
        Sampling("unipc", 400, 20, None),
    ]
    assert settings(base) == []


def test_a_grid_is_measured_on_the_recipes_that_it_names(base: TrainConfig) -> None:
    grids = {"any": grid(start=[100]), "here": grid(start=[200], recipes=["x8", "difface"]), "x8": grid(recipes=["x8"])}
    assert [setting.start for setting in settings(base, **grids)] == [100, 200]
    frozen = replace(base, benchmark=replace(base.benchmark, root="/sets/celeba_test"))
    assert [setting.start for setting in settings(frozen, **grids)] == [100]


def test_the_sweep_compares_solvers_in_the_training_recipe_and_starts_in_both() -> None:
    words = ["+experiment=difface_sweep", "hydra.mode=RUN", "arm=swinir"]
    inside, outside = (
        sampling_settings(compose_train([*words, f"degradation@benchmark.degradation={name}"]))
        for name in ("difface", "second_order")
    )
    assert {(setting.solver, setting.steps, setting.eta) for setting in outside} == {("ddim", 20, 0.5)}
    assert set(outside) < set(inside)
    assert {setting.solver for setting in inside} == {"ddim", "ddpm", "dpm_solver_pp", "unipc"}
