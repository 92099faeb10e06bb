"""Settings of CLR-Face's sampling: this suite's values, every combination of lists once, and what is refused."""

from dataclasses import asdict
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from src.guidance.guidance import guidance_of
from src.jobs.evaluated import setting_name
from src.restorers.latent_chain import guided_evaluations, latent_chain, latent_sampler
from src.restorers.latent_sampling import (
    UNGUIDED,
    LatentSampling,
    grid_combinations,
    latent_sampling_combinations,
    latent_sampling_of,
)
from src.settings.clr_face import ClrFaceGrid, GuidanceSettings
from src.settings.difface import SamplingSettings
from src.settings.errors import UserError
from tests.restorers.small_clr_face import guidance, sampling, small_networks


def sampled(**changes: object) -> SamplingSettings:
    missing = dict.fromkeys(("backbone", "solver", "start", "steps", "eta", "tile"))
    return SamplingSettings(**(missing | {"convention": "published"} | changes))


def guides(**changes: object) -> GuidanceSettings:
    return GuidanceSettings(**(asdict(UNGUIDED) | {"scale": 0.3, "window": [0.05, 0.7]} | changes))


def combinations(sampling_changes: dict, guidance_changes: dict, seeds: tuple[int, ...] = (0,)) -> list[LatentSampling]:
    return latent_sampling_combinations(sampled(**sampling_changes), guides(**guidance_changes), seeds)


def test_what_is_not_given_is_this_suites_choice(root: Path) -> None:
    settings = GuidanceSettings(**OmegaConf.to_container(OmegaConf.load(root / "conf/stages/guidance.yaml")))
    chosen = latent_sampling_of(sampled(), settings, seed=4)
    guide = {"scale": 0.3, "mask": "learned", "target": "recovered", "gradient": "cheap"}
    assert chosen.knobs == {"solver": "dpm_solver_pp", "start": 1.0, "steps": 20, **guide, "seed": 4}
    assert chosen.guidance == guidance_of(settings)
    ddim = latent_sampling_of(sampled(solver="ddim", start=0.4), guides(scale=0), seed=0)
    assert ddim.knobs == {"solver": "ddim", "start": 0.4, "steps": 20, "eta": 0.0, "scale": 0.0, "seed": 0}


def test_what_was_changed_is_shown_unless_it_changes_nothing() -> None:
    changes = {"constraint": 0.5, "window": [0.0, 1.0], "every": 2, "limit": 0.5}
    knobs = latent_sampling_of(sampled(), guides(**changes), 0).knobs
    assert {name: knobs[name] for name in changes} == changes | {"window": "0-1"}
    assert setting_name(knobs) == (
        "dpm_solver_pp-t1-k20-g0.3-learned-recovered-cheap-constraint0.5-window0-1-every2-limit0.5-s0"
    )
    unguided = latent_sampling_of(sampled(), guides(scale=0.0, **changes), 0)
    assert unguided.guidance == UNGUIDED
    assert setting_name(unguided.knobs) == "dpm_solver_pp-t1-k20-g0-s0"


def test_lists_give_every_combination_once() -> None:
    lists = {"solver": ["ddim", "heun"], "start": [0.4, 1], "steps": [5, None], "eta": [0, 0.5]}
    found = combinations(
        lists, {"scale": [0, 0.3], "mask": ["learned", "ones"], "target": ["recovered", "oracle"]}, (0, 1)
    )
    assert len(found) == len(set(found)) == 2 * (2 * 2 * 2 + 2 * 2) * (1 + 2 * 2)
    assert len({setting_name(one.knobs) for one in found}) == len(found)
    assert {one.eta for one in found if one.solver == "heun"} == {None}
    assert {one.guidance.target for one in found if one.guidance.scale == 0} == {"recovered"}
    assert [one.guidance.mask for one in combinations({}, {"mask": ["ones", "learned"]})] == ["ones", "learned"]


def test_a_grid_is_its_lists_and_the_rest_of_the_guidance() -> None:
    grid = ClrFaceGrid(
        solver=["heun"],
        start=[0.5],
        steps=[5, 10],
        eta=[0.0],
        scale=[0.0, 1.0],
        mask=["learned", "zeros"],
        target=["input"],
        gradient=["full"],
        seed=[3],
    )
    found = grid_combinations(grid, guides(scale="left to the grid", every=5))
    shown = [(one.steps, one.guidance.scale, one.guidance.mask, one.guidance.every) for one in found]
    assert shown == [
        *((5, 0.0, "learned", 1), (5, 1.0, "learned", 5), (5, 1.0, "zeros", 5)),
        *((10, 0.0, "learned", 1), (10, 1.0, "learned", 5), (10, 1.0, "zeros", 5)),
    ]
    assert {(one.seed, one.eta) for one in found} == {(3, None)}


@pytest.mark.parametrize(
    ("sampling_changes", "guidance_changes", "sentence"),
    [
        ({"solver": "euler"}, {}, "sampling.solver: 'euler' is not one of ddim, dpm_solver_pp, unipc, euler_maruyama"),
        ({"start": 0}, {}, "sampling.start: 0.0 must lie in (0, 1], a part of the noising process"),
        ({"start": 1.5}, {}, "sampling.start: 1.5 must lie in (0, 1]"),
        ({"start": [0.5, 400]}, {}, "sampling.start: 400.0 must lie in (0, 1]"),
        ({"start": "late"}, {}, "sampling.start: 'late' is no number"),
        ({"start": float("nan")}, {}, "sampling.start: nan must lie in (0, 1]"),
        ({"steps": 0}, {}, "sampling.steps: 0 must be a whole number from 1 on"),
        ({"steps": 2.5}, {}, "sampling.steps: 2.5 must be a whole number"),
        ({"steps": []}, {}, "sampling.steps: [] names nothing"),
        ({"solver": "ddim", "eta": 1.5}, {}, "sampling.eta: 1.5 must lie in [0, 1]"),
        ({"eta": 0.5}, {}, "sampling.eta: 0.5 is no setting of dpm_solver_pp; leave it out"),
        ({}, {"mask": "eyes"}, "guidance.mask: 'eyes' is not one of learned, learned_hard, ones"),
        ({}, {"mask": []}, "guidance.mask: [] names nothing"),
        ({}, {"target": "mine"}, "guidance.target: 'mine' is not one of recovered, input, oracle"),
        ({}, {"scale": [0.3, -1]}, "guidance.scale: -1 must be a number from 0 on"),
        ({}, {"window": [0.7, 0.1]}, "guidance.window: [0.7, 0.1] must be two ascending numbers"),
        ({}, {"every": 0}, "guidance.every: 0 must be"),
    ],
)
def test_what_is_out_of_range_is_refused_with_what_is_allowed(
    sampling_changes: dict, guidance_changes: dict, sentence: str
) -> None:
    with pytest.raises(UserError) as caught:
        combinations(sampling_changes, guidance_changes)
    assert sentence in str(caught.value)


def test_a_single_restoration_takes_no_lists() -> None:
    for key, value in (("solver", ["ddim", "heun"]), ("start", [0.2, 0.4]), ("steps", [5, 10])):
        with pytest.raises(UserError, match=rf"sampling\.{key}: "):
            latent_sampling_of(sampled(**{key: value}), guides(), 0)
    for key, value in (("scale", [0, 1]), ("mask", ["ones", "learned"])):
        with pytest.raises(UserError, match=rf"guidance\.{key}: "):
            latent_sampling_of(sampled(), guides(**{key: value}), 0)


def test_the_window_and_the_stride_of_guidance_count_evaluations() -> None:
    process = small_networks().process
    for solver, evaluations in (("euler_maruyama", 11), ("heun", 21), ("predictor_corrector", 21)):
        chosen = sampling(solver=solver, steps=11)
        chain, sampler = latent_chain(process, chosen), latent_sampler(process, chosen)
        assert sampler.evaluations(chain) == evaluations
        assert guided_evaluations(process, sampler, chain, guidance()) == evaluations
        assert guided_evaluations(process, sampler, chain, guidance(every=2)) == -(-evaluations // 2)
    chosen = sampling(solver="euler_maruyama", steps=11)
    chain, sampler = latent_chain(process, chosen), latent_sampler(process, chosen)
    assert guided_evaluations(process, sampler, chain, guidance(window=(0.05, 0.75))) == 7, "0.1 to 0.7"
