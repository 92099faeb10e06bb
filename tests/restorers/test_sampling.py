"""Settings of a sampling: the published values, every combination of lists, and what is refused."""

from dataclasses import replace

import pytest

from src.config.usual_guidance import usual_guidance
from src.restorers.knobs import DIFFACE, DRAWING, LEARNED, PUBLISHED_FIDELITY, foreign_settings
from src.restorers.sampling import sampling_combinations, sampling_of
from src.settings.difface import SamplingSettings
from src.settings.errors import UserError


def settings(**changes: object) -> SamplingSettings:
    missing = dict.fromkeys(("backbone", "solver", "start", "steps", "eta", "tile"))
    return SamplingSettings(**(missing | {"convention": "published"} | changes))


@pytest.mark.parametrize(
    ("kind", "changes", "knobs"),
    [
        ("difface", {}, {"solver": "ddim", "start": 400, "steps": 100, "eta": 0.5, "seed": 4}),
        ("difface_inpainting", {}, {"solver": "ddim", "start": 480, "steps": 120, "eta": 1.0, "seed": 4}),
        ("difface", {"solver": "unipc"}, {"solver": "unipc", "start": 400, "steps": 20, "seed": 4}),
        ("difface", {"solver": "ddpm"}, {"solver": "ddpm", "start": 400, "steps": 100, "seed": 4}),
        ("difface", {"eta": 0, "start": 120}, {"solver": "ddim", "start": 120, "steps": 100, "eta": 0.0, "seed": 4}),
        (
            "difface",
            {"convention": "textbook", "tile": 64},
            {"solver": "ddim", "start": 400, "steps": 100, "eta": 0.5, "convention": "textbook", "tile": 64, "seed": 4},
        ),
        (
            "difface",
            {"solver": "dpm_solver_pp", "convention": "textbook"},
            {"solver": "dpm_solver_pp", "start": 400, "steps": 20, "seed": 4},
        ),
    ],
)
def test_what_is_not_given_is_as_published(kind: str, changes: dict, knobs: dict) -> None:
    assert sampling_of(settings(**changes), kind, seed=4).knobs == knobs


def test_lists_give_every_combination_and_eta_counts_for_ddim_alone() -> None:
    lists = settings(solver=["ddim", "unipc"], start=[200, 400], steps=[10, None], eta=[0, 0.5])
    found = sampling_combinations(lists, "difface", [0, 1])
    shown = [(one.solver, one.start, one.steps, one.eta, one.seed) for one in found]
    assert len(set(shown)) == len(shown) == 2 * (2 * 2 * 2 + 2 * 2)
    assert ("ddim", 200, 100, 0.0, 1) in shown
    assert ("unipc", 400, 20, None, 0) in shown
    assert {one.eta for one in found if one.solver == "ddim"} == {0.0, 0.5}
    assert shown[0] == ("ddim", 200, 10, 0.0, 0)
    assert [one.knobs for one in sampling_combinations(settings(), "difface", [0])] == [
        sampling_of(settings(), "difface", 0).knobs
    ]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"solver": "euler"}, "sampling.solver: 'euler' is not one of ddim, ddpm, dpm_solver_pp, unipc"),
        ({"solver": "euler", "eta": 0.5}, "sampling.solver: 'euler' is not one of"),
        ({"convention": "mine"}, "sampling.convention: 'mine' is not one of published, textbook"),
        ({"start": 0}, "sampling.start: 0 must be a whole number from 1 on"),
        ({"start": 400.5}, "sampling.start: 400.5 must be a whole number"),
        ({"start": "late"}, "sampling.start: 'late' must be a whole number"),
        ({"steps": True}, "sampling.steps: True must be a whole number"),
        ({"steps": 0}, "sampling.steps: 0 must be a whole number from 1 on"),
        ({"start": 50}, "sampling.steps: 100 is not in 1 to 50"),
        ({"tile": 0}, "sampling.tile: 0 must be a whole number"),
        ({"eta": 1.01}, "sampling.eta: 1.01 must lie in [0, 1]"),
        ({"eta": float("nan")}, "sampling.eta: nan must lie in [0, 1]"),
        ({"eta": "high"}, "sampling.eta: 'high' is no number"),
        ({"solver": "unipc", "eta": 0.5}, "sampling.eta: 0.5 is no setting of unipc; leave it out"),
        ({"start": []}, "sampling.start: [] names nothing"),
        ({"start": [400, 0]}, "sampling.start: 0 must be a whole number"),
    ],
)
def test_what_is_out_of_range_is_refused_with_what_is_allowed(changes: dict, sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        sampling_combinations(settings(**changes), "difface", [0])
    assert sentence in str(caught.value)


def test_a_single_restoration_takes_no_lists() -> None:
    for key, value in (("solver", ["ddim", "unipc"]), ("start", [100, 200]), ("eta", [0.0, 1.0])):
        with pytest.raises(UserError, match=rf"sampling\.{key}: "):
            sampling_of(settings(**{key: value}), "difface", 0)


@pytest.mark.parametrize("kind", [*LEARNED, "bicubic", "identity", "external"])
def test_settings_of_other_restorers_are_named(kind: str) -> None:
    given = settings(start=100, backbone="file", convention="textbook")
    guided = replace(usual_guidance(), scale=1.0, window=[0.0, 1.0])
    named = [sentence.split(":")[0] for sentence in foreign_settings(kind, 0.5, True, given, guided)]
    expected = [] if kind in PUBLISHED_FIDELITY else ["fidelity", "adain"]
    expected += [] if kind in DRAWING else ["sampling.start"]
    expected += [] if kind in DIFFACE else ["sampling.backbone", "sampling.convention"]
    expected += [] if kind == "clr_face" else ["guidance.scale", "guidance.window"]
    assert named == expected
    assert not list(foreign_settings(kind, None, None, settings(), usual_guidance()))
