"""The sampling settings of an evaluation: every combination of every grid, none twice."""

from src.config.compose import compose_train
from src.jobs.difface_settings import sampling_settings
from src.restorers.sampling import Sampling
from src.settings.difface import SamplingGrid


def grid(**changes: list) -> SamplingGrid:
    values = {"solver": ["ddim"], "start": [400], "steps": [20], "eta": [0.5], "seed": [0]} | changes
    return SamplingGrid(**values)


def test_every_combination_in_the_order_of_the_lists() -> None:
    found = sampling_settings({"one": grid(start=[200, 400], eta=[0.0, 1.0], seed=[0, 1])})
    named = [(setting.start, setting.eta, setting.seed) for setting in found]
    assert named == [(start, eta, seed) for start in (200, 400) for eta in (0.0, 1.0) for seed in (0, 1)]


def test_eta_multiplies_ddim_alone() -> None:
    found = sampling_settings({"one": grid(solver=["ddim", "unipc", "ddpm"], eta=[0.0, 0.5])})
    assert [(setting.solver, setting.eta) for setting in found] == [
        ("ddim", 0.0),
        ("ddim", 0.5),
        ("unipc", None),
        ("ddpm", None),
    ]


def test_what_two_grids_share_is_measured_once() -> None:
    grids = {"starts": grid(start=[200, 400]), "solvers": grid(solver=["ddim", "unipc"])}
    assert sampling_settings(grids) == [
        Sampling("ddim", 200, 20, 0.5),
        Sampling("ddim", 400, 20, 0.5),
        Sampling("unipc", 400, 20, None),
    ]
    assert sampling_settings({}) == []


def test_the_experiments_grids_meet_where_they_cross() -> None:
    grids = compose_train(["+experiment=difface_sweep", "hydra.mode=RUN"]).evaluation.difface
    counts = [len(sampling_settings({name: only})) for name, only in grids.items()]
    assert len(sampling_settings(grids)) == sum(counts) - 1
