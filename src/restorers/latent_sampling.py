"""How CLR-Face samples: its settings with this suite's values put in where none are given, checked (clr_face.md 4, 7)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from src.guidance.guidance import Guidance, guidance_of
from src.restorers.knobs import Knobs
from src.restorers.setting_values import count, listed, number, one_of
from src.settings.clr_face import DISCRETE_SOLVERS, SDE_SOLVERS, SOLVERS, ClrFaceGrid, GuidanceSettings
from src.settings.difface import SamplingSettings
from src.settings.errors import UserError

SOLVER, START, STEPS = "dpm_solver_pp", 1.0, 20
"""Where none are given."""
ETA = 0.0
"""Of DDIM where none is given: deterministic (arXiv 2010.02502)."""
UNGUIDED = Guidance(
    scale=0.0,
    mask="learned",
    target="recovered",
    gradient="cheap",
    constraint=0.0,
    window=(0.05, 0.7),
    every=1,
    limit=1.0,
)
"""No guidance; the other values are those of conf/stages/guidance.yaml, which records leave out."""
SAMPLED = ("solver", "start", "steps", "eta")
GUIDED = ("scale", "mask", "target", "gradient")
"""Settings that may be lists."""
RARELY_CHANGED = ("constraint", "window", "every", "limit")
GUIDANCE_KNOBS = (*GUIDED, *RARELY_CHANGED)


@dataclass(frozen=True)
class LatentSampling:
    """One way to sample, without gaps.

    Raises:
        UserError: the solver is unknown, `start` not in (0, 1], `steps` no whole number from 1 on, or eta not in [0, 1] or
            given to a solver that has none.
    """

    solver: str
    start: float | int
    """Part of the noising process from which the degraded face's latent, noised, is denoised; 1: pure noise."""
    steps: int
    """Steps from there; Heun and the predictor-corrector ask the network twice in most."""
    eta: float | int | None
    """Share of fresh noise of DDIM; None for the other solvers."""
    guidance: Guidance
    seed: int = 0

    def __post_init__(self) -> None:
        one_of("sampling.solver", self.solver, SOLVERS)
        count("sampling.steps", self.steps)
        if not 0 < number("sampling.start", self.start) <= 1:
            raise UserError(
                f"sampling.start: {self.start} must lie in (0, 1], a part of the noising process; 1 starts from pure noise"
            )
        if self.eta is not None and self.solver != "ddim":
            raise UserError(
                f"sampling.eta: {self.eta} is no setting of {self.solver}; leave it out, or take sampling.solver=ddim"
            )
        if self.eta is not None and not 0 <= number("sampling.eta", self.eta) <= 1:
            raise UserError(f"sampling.eta: {self.eta} must lie in [0, 1]; 0 adds no fresh noise, 1 that of DDPM")

    def check_process(self, process: str) -> None:
        """Raises UserError unless the solver is one of the process `vp`, `ve` or `ddpm`."""
        allowed = DISCRETE_SOLVERS if process == "ddpm" else SDE_SOLVERS
        if self.solver not in allowed:
            raise UserError(
                f"sampling.solver: {self.solver} is no solver of the process {process}, which the score model of checkpoint "
                f"inverts; take one of {', '.join(allowed)}"
            )

    @property
    def knobs(self) -> Knobs:
        """As records show them; of guidance what can change the result, and rarely changed settings where they are."""
        shown: Knobs = {"solver": self.solver, "start": self.start, "steps": self.steps}
        if self.eta is not None:
            shown["eta"] = self.eta
        return shown | _guidance_knobs(self.guidance) | {"seed": self.seed}


def latent_sampling_of(sampling: SamplingSettings, guidance: GuidanceSettings, seed: int) -> LatentSampling:
    """The settings with this suite's values where they are null.

    Raises:
        UserError: as `LatentSampling` and `Guidance`, also for a list.
    """
    solver = SOLVER if sampling.solver is None else one_of("sampling.solver", sampling.solver, SOLVERS)
    eta = ETA if sampling.eta is None and solver == "ddim" else sampling.eta
    chosen = guidance_of(guidance)
    return LatentSampling(
        solver=solver,
        start=START if sampling.start is None else number("sampling.start", sampling.start),
        steps=STEPS if sampling.steps is None else count("sampling.steps", sampling.steps),
        eta=None if eta is None else number("sampling.eta", eta),
        # Without scale the rest changes nothing: the same setting twice is evaluated once.
        guidance=chosen if chosen.scale > 0 else UNGUIDED,
        seed=seed,
    )


def latent_sampling_combinations(
    sampling: SamplingSettings, guidance: GuidanceSettings, seeds: Sequence[int]
) -> list[LatentSampling]:
    """Every combination of the settings, of which solver, start, steps, eta, scale, mask, target and gradient may be lists.

    Each is there once; eta counts for DDIM alone.

    Raises:
        UserError: as `latent_sampling_of`, or a list is empty.
    """
    lists = [listed(f"sampling.{name}", getattr(sampling, name)) for name in SAMPLED]
    lists += [listed(f"guidance.{name}", getattr(guidance, name)) for name in GUIDED]
    chosen = []
    for *values, seed in product(*lists, seeds):
        one = dict(zip((*SAMPLED, *GUIDED), values, strict=True))
        if one["solver"] != "ddim":
            one["eta"] = None
        sampled = replace(sampling, **{name: one[name] for name in SAMPLED})
        chosen.append(latent_sampling_of(sampled, replace(guidance, **{name: one[name] for name in GUIDED}), seed))
    if sampling.eta is not None and all(setting.solver != "ddim" for setting in chosen):
        solvers = ", ".join(dict.fromkeys(setting.solver for setting in chosen))
        raise UserError(
            f"sampling.eta: {sampling.eta} is no setting of {solvers}; leave it out, or take sampling.solver=ddim"
        )
    return list(dict.fromkeys(chosen))


def grid_combinations(grid: ClrFaceGrid, rest: GuidanceSettings) -> list[LatentSampling]:
    """Every combination of a grid, once; `rest` says what grids leave open: constraint, window, every and limit.

    Raises:
        UserError: as `latent_sampling_combinations`.
    """
    sampling = SamplingSettings(
        backbone=None,
        solver=grid.solver,
        start=grid.start,
        steps=grid.steps,
        eta=grid.eta if "ddim" in grid.solver else None,
        convention="published",
        tile=None,
    )
    guidance = replace(rest, scale=grid.scale, mask=grid.mask, target=grid.target, gradient=grid.gradient)
    return latent_sampling_combinations(sampling, guidance, grid.seed)


def _guidance_knobs(guidance: Guidance) -> Knobs:
    shown: Knobs = {"scale": float(guidance.scale)}
    if guidance.scale == 0:
        return shown
    shown |= {"mask": guidance.mask, "target": guidance.target, "gradient": guidance.gradient}
    for name in RARELY_CHANGED:
        if (value := getattr(guidance, name)) != getattr(UNGUIDED, name):
            shown[name] = f"{value[0]:g}-{value[1]:g}" if name == "window" else value
    return shown
