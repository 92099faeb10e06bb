"""Settings of CLR-Face: a large VQGAN latent, cleaned by a score model under masked identity guidance (clr_face.md).

The paper states the parts; every number here is this suite's choice (sheet, tag [inferred]).
"""

from dataclasses import dataclass
from typing import Any

from src.settings.degradation import DegradationRecipe
from src.settings.stages import CodebookSettings, ImageLossSettings, RecogniserSettings, TrainingSettings

LATENTS = ("f4", "f8", "f16", "f32")
"""Latents by their factor of down-sampling; names of `ScaleSettings.latent_autoencoder`."""
SDES = ("vp", "ve", "ddpm")
SDE_SOLVERS = ("ddim", "dpm_solver_pp", "unipc", "euler_maruyama", "predictor_corrector", "heun")
"""Solvers of the continuous processes."""
DISCRETE_SOLVERS = ("ddim", "ddpm", "dpm_solver_pp", "unipc")
"""Solvers of the discrete process `ddpm`."""
SOLVERS = tuple(dict.fromkeys((*SDE_SOLVERS, *DISCRETE_SOLVERS)))
CONDITIONS = ("degraded", "degraded_and_recovered")
RECOVERY_OUTPUTS = ("image", "embedding")
RECOVERY_ARCHITECTURES = ("swinir", "unet")
RECOGNISER_ARCHITECTURES = ("resnet", "mobile")
MASK_KINDS = ("global", "adaptive")
MASK_OBJECTIVES = ("identity_set", "guidance_gain")
GATES = ("soft", "straight_through", "hard_concrete")
MASKS = ("learned", "learned_hard", "ones", "zeros", "random", "components", "edges")
"""Masks under which guidance acts: the learned one, soft or binary, and the controls of the sheet's section 6."""
ORACLE = "oracle"
"""The target that knows the clean face."""
TARGETS = ("recovered", "input", ORACLE)
GRADIENTS = ("cheap", "full")


@dataclass(kw_only=True)
class LatentVqganSettings:
    """Stage: VQGAN with a large latent (sheet, section 2)."""

    training: TrainingSettings
    latent: str
    """A name of `LATENTS`: the factor of down-sampling. All later stages work in the latent that is chosen here."""
    losses: ImageLossSettings
    codebook: CodebookSettings
    statistics_faces: int
    """Training faces whose latents give each channel's mean and deviation, by which the later stages normalise."""


@dataclass(kw_only=True)
class LatentEncoderSettings:
    """Stage: encoder of degraded faces to the clean latent; it starts as the clean encoder (sheet, section 3)."""

    training: TrainingSettings
    latent: float
    """Weight of the mean squared distance to the clean latent, both normalised."""
    perceptual: float
    """Weight of the perceptual distance of the decoded face."""
    perceptual_network: str
    """As `cft.image_losses.perceptual_network`."""
    degradation: DegradationRecipe


@dataclass(kw_only=True)
class SdeSettings:
    """The noising process of the latent (sheet, section 4; Song et al. 2021, arXiv 2011.13456)."""

    kind: str
    """`vp` and `ve` (continuous), or `ddpm` (the discrete twin of vp in Latent Diffusion)."""
    beta_min: float
    """Of vp: beta(t) = beta_min + t (beta_max - beta_min)."""
    beta_max: float
    smallest_time: float
    """Of vp and ve: the process is trained and sampled on t in [smallest_time, 1]."""
    sigma_min: float
    """Of ve: noise at t = 0, in deviations of the latent."""
    sigma_max: float | None
    """Of ve: noise at t = 1; null: sqrt(2 d), about the largest distance of two normalised latents of d numbers."""
    steps: int
    """Of ddpm: noising steps."""
    first_beta: float
    """Of ddpm: the square roots of the betas rise in equal steps from first_beta to last_beta."""
    last_beta: float


@dataclass(kw_only=True)
class LatentScoreSettings:
    """Stage: conditional score model of normalised clean latents (sheet, section 4)."""

    training: TrainingSettings
    sde: SdeSettings
    condition: str
    """`degraded`: the latent of the degraded face; `degraded_and_recovered`: and that of the identity recovery's face."""
    condition_dropout: float
    """Share of training faces without condition, for classifier-free guidance; 0 trains none."""
    antithetic: bool
    """Times of a batch in pairs t and 1 - t."""
    sample_steps: int
    """Network evaluations of the restored faces of the picture grid."""
    degradation: DegradationRecipe


@dataclass(kw_only=True)
class IdentityRecoverySettings:
    """Stage: Identity Recovery Network, a regressor that is right about the person rather than pretty (sheet, section 5)."""

    training: TrainingSettings
    output: str
    """`image`, or `embedding`: the recogniser's embedding alone, cheaper and not to be looked at."""
    architecture: str
    """Of `image`: `swinir` or `unet`."""
    pixel: float
    """Weight of the mean absolute error, faces in [-1, 1]."""
    perceptual: float
    perceptual_network: str
    """As `cft.image_losses.perceptual_network`."""
    identity: float
    """Weight of 1 - cosine of the guide's embeddings of recovered and clean face."""
    degradation: DegradationRecipe


@dataclass(kw_only=True)
class LatentMaskSettings:
    """Stage: the learnable latent mask under which identity guidance acts (sheet, section 6)."""

    training: TrainingSettings
    kind: str
    """`global`: one mask for all aligned faces; `adaptive`: of the degraded latent and the time."""
    objective: str
    """`identity_set`: the smallest set of latent features that carries identity; `guidance_gain`: where guidance pays."""
    gates: str
    """`soft`, `straight_through` (binary forward, soft gradient) or `hard_concrete` (arXiv 1712.01312)."""
    temperature: float
    """tau in sigmoid(W / tau)."""
    initial: float
    """Value of every gate before training, in (0, 1)."""
    area: float
    """Weight of the mean of the mask."""
    binary: float
    """Weight of mean m (1 - m)."""
    smoothness: float
    """Weight of the total variation."""
    step: float
    """Length eta of the guidance step of `guidance_gain`."""
    perceptual: float
    """Weight of the perceptual distance of the guided face, in `guidance_gain`."""
    perceptual_network: str
    """As `cft.image_losses.perceptual_network`."""
    window: list[float]
    """[first, last] part of the process that training draws from, of a mask or an objective that knows the time."""
    restoration_steps: int
    """Network evaluations of the unguided restoration that `identity_set` mixes with the clean latent."""
    degradation: DegradationRecipe


@dataclass(kw_only=True)
class GuideRecogniserSettings(RecogniserSettings):
    """Stage: the recogniser that guides. Evaluation uses another one, so that guidance cannot flatter itself."""

    architecture: str
    """`resnet` or `mobile`; the evaluating recogniser is a resnet."""


@dataclass(kw_only=True)
class GuideSettings:
    """The recogniser that trains the identity recovery and guides the sampler."""

    network: str
    """`trained` (stage guide_recogniser, on any labelled faces), or a published recogniser by its name."""


@dataclass(kw_only=True)
class GuidanceSettings:
    """Identity guidance in the sampler (sheet, section 7); `Any` where src.evaluate takes a list."""

    scale: Any
    """eta: length of the gradient, normalised to a root mean square of 1 in each face; 0 leaves the score unguided."""
    mask: Any
    """A name of `MASKS`, or a list of them."""
    target: Any
    """Whose embedding the face is led to: `recovered` (the identity recovery's), `input` (the degraded face's) or `oracle`
    (the clean face's: the ceiling, for benchmarks alone)."""
    gradient: Any
    """`cheap`: the score counts as constant; `full`: through the score network as well."""
    constraint: float
    """Weight of the mean squared distance to the recovered face's latent, beside the cosine; 0 leaves it out."""
    window: list[float]
    """[first, last] time in [0, 1], as a part of the process, between which guidance acts."""
    every: int
    """Guide every n-th step."""
    limit: float
    """Greatest root mean square of the guidance over that of the predicted noise, in each face; more is clipped, counted."""


@dataclass(kw_only=True)
class ClrFaceGrid:
    """Settings of CLR-Face to evaluate: every combination of the lists."""

    solver: list[str]
    start: list[float]
    """Time in (0, 1] from which the noised latent of the degraded face is denoised; 1: pure noise."""
    steps: list[int]
    """Steps from there: network evaluations but for `heun` and `predictor_corrector`, which ask twice in most."""
    eta: list[float]
    """Share of fresh noise of DDIM in [0, 1]."""
    scale: list[float]
    mask: list[str]
    target: list[str]
    gradient: list[str]
    """These four as in `guidance`."""
    seed: list[int]
