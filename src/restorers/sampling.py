"""How a restorer with a diffusion prior samples: its settings with the published values put in, checked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from src.restorers.knobs import Knobs
from src.restorers.setting_values import count, listed, number, one_of
from src.settings.difface import CONVENTIONS, SOLVERS, SamplingSettings
from src.settings.errors import UserError

PUBLISHED_SOLVER = "ddim"
PUBLISHED_ETA = {"difface": 0.5, "difface_inpainting": 1.0}
PUBLISHED_START = {"difface": 400, "difface_inpainting": 480}
PUBLISHED_STEPS = {"difface": 100, "difface_inpainting": 120}
"""Of the published script (difface.md 1.3, 1.5)."""
FAST_STEPS = 20
"""Evaluations of a fast solver where none are given."""
FAST_SOLVERS = ("dpm_solver_pp", "unipc")


@dataclass(frozen=True)
class Sampling:
    """One way to sample, without gaps.

    Raises:
        UserError: the solver or convention is unknown, `start`, `steps` or `tile` is no whole number from 1 on, `steps` is
            greater than `start`, eta is not in [0, 1] or given to a solver that has none.
    """

    solver: str
    start: int
    """Noising steps N of the restored face before the prior takes over."""
    steps: int
    """Network evaluations from there."""
    eta: float | None
    """Share of fresh noise of DDIM; None for the other solvers."""
    seed: int = 0
    convention: str = "published"
    """`published`: DDIM and ancestral sampling with the software's quirks (difface.md 1.3); `textbook`: without them."""
    tile: int | None = None
    """Side of the tiles in which larger faces are denoised, pixels; None takes them whole."""

    def __post_init__(self) -> None:
        one_of("sampling.solver", self.solver, SOLVERS)
        one_of("sampling.convention", self.convention, CONVENTIONS)
        self._check_counts()
        if self.convention == "published" and self.steps == 1 and self.solver not in FAST_SOLVERS:
            raise UserError(
                "sampling.steps: 1 would ask the network at no noise at all, since the published convention begins one step "
                f"below the start; take 2 to {self.start}, or sampling.convention=textbook"
            )
        if self.eta is not None and self.solver != "ddim":
            raise UserError(
                f"sampling.eta: {self.eta} is no setting of {self.solver}; leave it out, or take sampling.solver=ddim"
            )
        if self.eta is not None and not 0 <= self.eta <= 1:
            raise UserError(f"sampling.eta: {self.eta} must lie in [0, 1]; 0 adds no fresh noise, 1 that of DDPM")

    def _check_counts(self) -> None:
        for key, value in (("start", self.start), ("steps", self.steps), ("tile", self.tile)):
            if value is not None:
                count(f"sampling.{key}", value)
        if self.steps > self.start:
            raise UserError(
                f"sampling.steps: {self.steps} is not in 1 to {self.start}, since the chain begins at sampling.start "
                f"{self.start}; take fewer, or a later start"
            )

    @property
    def knobs(self) -> Knobs:
        """As records show them; what is at its usual value is left out."""
        shown: Knobs = {"solver": self.solver, "start": self.start, "steps": self.steps}
        if self.eta is not None:
            shown["eta"] = self.eta
        if self.convention != "published" and self.solver not in FAST_SOLVERS:
            shown["convention"] = self.convention
        if self.tile is not None:
            shown["tile"] = self.tile
        return shown | {"seed": self.seed}


def sampling_of(settings: SamplingSettings, kind: str, seed: int) -> Sampling:
    """The settings with the published values of the restorer `kind` where they are null; raises what `Sampling` raises."""
    solver = PUBLISHED_SOLVER if settings.solver is None else one_of("sampling.solver", settings.solver, SOLVERS)
    steps = FAST_STEPS if solver in FAST_SOLVERS else PUBLISHED_STEPS[kind]
    return Sampling(
        solver=solver,
        start=PUBLISHED_START[kind] if settings.start is None else count("sampling.start", settings.start),
        steps=steps if settings.steps is None else count("sampling.steps", settings.steps),
        eta=_eta(settings, solver, kind),
        seed=seed,
        # The fast solvers have one convention only: the same setting twice is evaluated once.
        convention="published" if solver in FAST_SOLVERS else settings.convention,
        tile=settings.tile,
    )


def _eta(settings: SamplingSettings, solver: str, kind: str) -> float | None:
    if settings.eta is None:
        return PUBLISHED_ETA[kind] if solver == "ddim" else None
    return number("sampling.eta", settings.eta)


def sampling_combinations(settings: SamplingSettings, kind: str, seeds: Sequence[int]) -> list[Sampling]:
    """Every combination of the settings, each of which may be a list; eta counts for DDIM alone.

    Raises:
        UserError: as `Sampling`, or a list is empty.
    """
    solvers, starts, steps, etas = (
        listed(f"sampling.{name}", getattr(settings, name)) for name in ("solver", "start", "steps", "eta")
    )
    chosen = []
    for solver, start, evaluations, eta, seed in product(solvers, starts, steps, etas, seeds):
        own = eta if solver in (None, PUBLISHED_SOLVER) else None
        chosen.append(
            sampling_of(replace(settings, solver=solver, start=start, steps=evaluations, eta=own), kind, seed)
        )
    if settings.eta is not None and not any(sampling.solver == "ddim" for sampling in chosen):
        raise UserError(f"sampling.eta: {settings.eta} is no setting of {', '.join(solvers)}; leave it out")
    return list(dict.fromkeys(chosen))
