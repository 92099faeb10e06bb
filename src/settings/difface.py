"""Settings of DifFace: the diffusion process, the two stages and the sampling of restored faces (difface.md)."""

from dataclasses import dataclass
from typing import Any

from src.settings.degradation import DegradationRecipe
from src.settings.stages import TrainingSettings

SOLVERS = ("ddim", "ddpm", "dpm_solver_pp", "unipc")
"""DDIM and ancestral sampling of the published chain; DPM-Solver++(2M) and UniPC on a grid of log-SNR."""
ARCHITECTURES = ("swinir", "srcnn")
"""Networks that a restoration backbone can be."""
SCHEDULES = ("linear", "cosine")
OBJECTIVES = ("hybrid", "simple")
TIMESTEP_SAMPLINGS = ("uniform", "stratified", "importance")
PIXEL_LOSSES = ("l1", "l2")
CONVENTIONS = ("published", "textbook")


@dataclass(kw_only=True)
class DiffusionProcessSettings:
    """The noising process that a prior inverts (difface.md 1.1)."""

    steps: int
    """Noising steps T."""
    schedule: str
    """`linear` or `cosine` betas."""
    first_beta: float
    """Smallest beta of the linear schedule, for 1000 steps; others scale it by 1000 / steps."""
    last_beta: float
    """Greatest beta of the linear schedule, for 1000 steps."""


@dataclass(kw_only=True)
class DiffusionPriorSettings:
    """Unconditional diffusion model of clean faces (difface.md 3.1)."""

    training: TrainingSettings
    process: DiffusionProcessSettings
    objective: str
    """`hybrid` (noise error and variational bound, the published one) or `simple` (noise error alone; the variance then
    stays the fixed one)."""
    bound_weight: float
    """Weight of the variational bound, in bits a dimension, in the hybrid objective."""
    flip_probability: float | None
    """Share of mirrored training faces; null: that of the data, published 0."""
    timestep_sampling: str
    """`uniform`; `stratified`: one step from each of equal parts of the process, as many as faces in a batch;
    `importance`: as often as the recent loss of a step is large, with weights that keep the objective."""
    sample_steps: int
    """Network evaluations of the sampled faces of the picture grid."""


@dataclass(kw_only=True)
class RestorationBackboneSettings:
    """The diffused estimator: a restoration network trained with a pixel loss (difface.md 3.2)."""

    training: TrainingSettings
    architecture: str
    """`swinir` or `srcnn`."""
    pixel_loss: str
    """`l1` (journal version) or `l2` (first version), on [0, 1]."""
    perceptual: float
    """Weight of the perceptual distance; 0 is the published objective."""
    perceptual_network: str
    """As `cft.image_losses.perceptual_network`."""
    degradation: DegradationRecipe


@dataclass(kw_only=True)
class SamplingGrid:
    """Settings of DifFace to evaluate: every combination of the lists (difface.md 1.3)."""

    solver: list[str]
    """`ddim`, `ddpm`, `dpm_solver_pp`, `unipc`."""
    start: list[int]
    """Steps N of the process after which the restored face, noised, is handed to the prior; 1 to T - 1."""
    steps: list[int]
    """Network evaluations from there; 1 to `start`."""
    eta: list[float]
    """Share of fresh noise of DDIM in [0, 1]; 0 is deterministic. The other solvers have none."""
    seed: list[int]
    """Seeds of the noise."""
    convention: str
    """Of DDIM and DDPM, as `SamplingSettings.convention`. The published one begins one step below the start's noise, which
    counts the more the fewer steps there are: it is meant for 100."""
    recipes: list[str]
    """Recipes of the benchmark on which these settings are evaluated; empty: on any."""


@dataclass(kw_only=True)
class SamplingSettings:
    """How a restorer with a diffusion prior samples; null takes what the published script does (difface.md 1.3)."""

    backbone: str | None
    """Weights of the restoration backbone: a run folder, a file, `published` or `bundled`; null: where `checkpoint` is, if
    that is `published` or `bundled`."""
    solver: Any
    """`ddim`, `ddpm`, `dpm_solver_pp` or `unipc`."""
    start: Any
    """Steps N of the process after which the restored face, noised, is handed to the prior; 1 to T - 1, published 400."""
    steps: Any
    """Network evaluations from there, 1 to `start`; published 100."""
    eta: Any
    """Share of fresh noise of DDIM in [0, 1]; published 0.5."""
    convention: str
    """`published`: DDIM and ancestral sampling with the quirks of the software, on which its results depend (first call one
    step below the start's noise; epsilon kept where x_0 was clipped); `textbook`: without them. Both take DDIM's sigma, which
    grows with eta; the paper's text has sigma^2 grow with it."""
    tile: int | None
    """Side of the tiles in which larger faces are denoised, pixels, a multiple of the prior's stride; null: whole."""
