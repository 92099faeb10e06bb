"""Settings of the training stages. Schedules count iterations from 1, an iteration is one batch."""

from dataclasses import dataclass

from src.settings.degradation import DegradationRecipe

PERCEPTUAL_NETWORKS = ("auto", "lpips_vgg", "st_lpips", "none")
CODEBOOK_STARTS = ("uniform", "k_means")


@dataclass(kw_only=True)
class LearningRateSettings:
    """Learning rate over iterations (codeformer.md 2)."""

    initial: float
    """Learning rate of the first iteration."""
    kind: str
    """`cosine` (one period over all iterations), `multistep` or `constant`."""
    minimum: float
    """Lowest rate of the cosine."""
    milestones: list[int]
    """Iterations after which a multistep rate is multiplied by `gamma`."""
    gamma: float
    warmup: int
    """Iterations over which the rate rises linearly from 0 to the schedule's; 0: none."""


@dataclass(kw_only=True)
class TrainingSettings:
    """How long and how fast a stage trains."""

    iterations: int
    batch_size: int
    """Faces an iteration over all devices together; must divide by the number of devices."""
    learning_rate: LearningRateSettings
    betas: list[float]
    """Decay rates of Adam's two moments."""
    ema_decay: float
    """Decay an iteration of the weight average that is evaluated and exported."""
    gradient_clip: float
    """Greatest norm of the gradient of an optimiser step; 0 does not clip."""
    checkpoint_every: int
    """Iterations between checkpoints."""


@dataclass(kw_only=True)
class ImageLossSettings:
    """Weights of the image losses (codeformer.md 2.1)."""

    pixel: float
    """Weight of the mean absolute error on [-1, 1]."""
    perceptual: float
    """Weight of the perceptual distance."""
    perceptual_network: str
    """`lpips_vgg`, `st_lpips`, `none`, or `auto`: the first of lpips_vgg and st_lpips whose weights are here, else none and a
    warning."""
    adversarial: float
    """Factor on the adaptive weight of the hinge GAN term."""
    adversarial_start: int
    """The GAN term and the discriminator act at iterations greater than this."""
    adaptive_maximum: float
    """Upper clamp of the adaptive weight before the factor."""


@dataclass(kw_only=True)
class CodebookSettings:
    """Codebook loss and care (codeformer.md 1.1)."""

    weight: float
    """Weight of the codebook loss."""
    beta: float
    """Weight of the term that moves the codebook; the commitment term has weight 1 (the published order)."""
    window: int
    """Code assignments over which usage, perplexity and dead codes are measured, in batches."""
    restart_every: int
    """Iterations between restarts of codes unused over the window from current encoder outputs; 0 never restarts."""
    start: str
    """`uniform` (published), or `k_means`: the codes begin as the centres of the first batch's latents."""


@dataclass(kw_only=True)
class VqganSettings:
    """Stage I: VQ autoencoder and discriminator."""

    training: TrainingSettings
    losses: ImageLossSettings
    codebook: CodebookSettings


@dataclass(kw_only=True)
class CodeLossSettings:
    """Losses on predicted codes (codeformer.md 2.1)."""

    feature: float
    """Weight of the squared distance of the encoder output to the target codes."""
    token: float
    """Weight of the cross-entropy, the paper's lambda_token."""


@dataclass(kw_only=True)
class CodePredictorSettings:
    """Stage II: encoder and Transformer learn to predict the codes of the clean face."""

    training: TrainingSettings
    losses: CodeLossSettings
    degradation: DegradationRecipe


@dataclass(kw_only=True)
class FidelityPhase:
    """A stretch of stage III's schedule (codeformer.md 2.3)."""

    until: int
    """Last iteration of the phase."""
    image_every: int
    """Every n-th iteration takes the small degradation and the image losses; the others take the large degradation
    and the code losses only. 1: all, 0: none."""
    fidelity: float
    """Fidelity w of the image iterations."""


@dataclass(kw_only=True)
class CftSettings:
    """Stage III: controllable feature transformation."""

    training: TrainingSettings
    image_losses: ImageLossSettings
    code_losses: CodeLossSettings
    fused_sizes: list[int]
    """Resolutions whose encoder features are fused into the generator; empty fuses none."""
    adain: bool
    """Match mean and deviation of the looked-up codes to the encoder output, in training and in evaluation."""
    training_fidelity: str
    """`fixed` (the phase's value) or `sampled` (uniform in `sampled_fidelity`, drawn per iteration)."""
    sampled_fidelity: list[float]
    """[lowest, highest] fidelity when sampled."""
    phases: list[FidelityPhase]
    small_degradation: DegradationRecipe
    large_degradation: DegradationRecipe


@dataclass(kw_only=True)
class RecogniserSettings:
    """Small face recogniser with an additive angular margin loss (ArcFace, arXiv 1801.07698)."""

    training: TrainingSettings
    margin: float
    """Additive angular margin, radians."""
    logit_scale: float
    """Factor s on the cosines."""
    degraded_share: float
    """Share of training faces that are degraded, so that blur alone does not change an identity."""
    degradation: DegradationRecipe
