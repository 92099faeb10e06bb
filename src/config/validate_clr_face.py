"""Rules of CLR-Face's part of the training configuration."""

from collections.abc import Iterator

from src.config.rules import at_least, choice, ordered, positive, seed, within
from src.config.stage_order import LATENT_STAGES, is_guided
from src.settings.clr_face import (
    CONDITIONS,
    DISCRETE_SOLVERS,
    GATES,
    GRADIENTS,
    LATENTS,
    MASK_KINDS,
    MASK_OBJECTIVES,
    MASKS,
    RECOGNISER_ARCHITECTURES,
    RECOVERY_ARCHITECTURES,
    RECOVERY_OUTPUTS,
    SDE_SOLVERS,
    SDES,
    TARGETS,
    ClrFaceGrid,
    GuidanceSettings,
    IdentityRecoverySettings,
    LatentMaskSettings,
    LatentScoreSettings,
    SdeSettings,
)
from src.settings.commands import TrainConfig
from src.settings.scale import ScaleSettings
from src.settings.stages import PERCEPTUAL_NETWORKS

GUIDES = ("trained", "arcface_irse50", "adaface_ir101", "arcface_resnet18_grey", "mobilefacenet")
"""What may guide: the stage guide_recogniser, or a published network through which gradients flow."""


def clr_face_problems(config: TrainConfig) -> Iterator[str]:
    """What is wrong, a sentence each."""
    yield from choice("latent_vqgan.latent", config.latent_vqgan.latent, LATENTS)
    yield from at_least("latent_vqgan.statistics_faces", config.latent_vqgan.statistics_faces, 1)
    yield from _sizes(config.scale)
    if config.stage in ("latent_score", "latent_mask"):
        yield from _halvings(config.scale, config.latent_vqgan.latent)
    for name in ("latent", "perceptual"):
        yield from within(f"latent_encoder.{name}", getattr(config.latent_encoder, name), 0.0, float("inf"))
    for stage in ("latent_encoder", "identity_recovery", "latent_mask"):
        network = getattr(config, stage).perceptual_network
        yield from choice(f"{stage}.perceptual_network", network, PERCEPTUAL_NETWORKS)
    yield from _score(config.latent_score)
    yield from _recovery(config.identity_recovery)
    yield from _mask(config.latent_mask)
    yield from choice("guide_recogniser.architecture", config.guide_recogniser.architecture, RECOGNISER_ARCHITECTURES)
    yield from choice("guide.network", config.guide.network, GUIDES)
    yield from _guided_by_the_judge(config)
    yield from _together(config)
    if config.stage in ("latent_score", "latent_mask"):
        yield from _sampling(config)


def _sizes(scale: ScaleSettings) -> Iterator[str]:
    if set(scale.latent_autoencoder) != set(LATENTS):
        yield f"scale.latent_autoencoder: {sorted(scale.latent_autoencoder)} must name {', '.join(LATENTS)}"
        return
    for name, size in scale.latent_autoencoder.items():
        key, factor = f"scale.latent_autoencoder.{name}", 2 ** (len(size.multipliers) - 1)
        if f"f{factor}" != name:
            yield f"{key}.multipliers: {size.multipliers} shrink {factor} times, not as the name {name} says"
        if size.image_size != scale.image_size or size.image_size % factor:
            yield f"{key}.image_size: {size.image_size} must be that of the scale, and a multiple of {factor}"
        if size.norm_groups < 1 or size.width % size.norm_groups:
            yield f"{key}.width: {size.width} must be a multiple of norm_groups {size.norm_groups}"


def _halvings(scale: ScaleSettings, latent: str) -> Iterator[str]:
    """The score model must be able to halve the side of the latent."""
    levels = 2 ** (len(scale.latent_unet.multipliers) - 1)
    side = scale.image_size // int(latent.removeprefix("f")) if latent in LATENTS else levels
    if side % levels:
        yield (
            f"scale.latent_unet.multipliers: {scale.latent_unet.multipliers} shrink {levels} times, by which the side "
            f"{side} of latent {latent} cannot be divided"
        )


def _score(score: LatentScoreSettings) -> Iterator[str]:
    key = "latent_score"
    yield from choice(f"{key}.condition", score.condition, CONDITIONS)
    yield from within(f"{key}.condition_dropout", score.condition_dropout, 0.0, 0.999)
    yield from at_least(f"{key}.sample_steps", score.sample_steps, 1)
    yield from _sde(f"{key}.sde", score.sde)


def _sde(key: str, sde: SdeSettings) -> Iterator[str]:
    yield from choice(f"{key}.kind", sde.kind, SDES)
    if not 0 < sde.beta_min <= sde.beta_max:
        yield f"{key}: beta_min {sde.beta_min:g} and beta_max {sde.beta_max:g} must rise from above 0"
    if not 0 < sde.smallest_time < 1:
        yield f"{key}.smallest_time: {sde.smallest_time} must lie between 0 and 1"
    if not 0 < sde.sigma_min < (float("inf") if sde.sigma_max is None else sde.sigma_max):
        yield f"{key}: sigma_min {sde.sigma_min:g} and sigma_max {sde.sigma_max} must rise from above 0"
    yield from at_least(f"{key}.steps", sde.steps, 2)
    if not 0 < sde.first_beta <= sde.last_beta < 1:
        yield f"{key}: first_beta {sde.first_beta:g} and last_beta {sde.last_beta:g} must rise between 0 and 1"


def _recovery(recovery: IdentityRecoverySettings) -> Iterator[str]:
    key = "identity_recovery"
    yield from choice(f"{key}.output", recovery.output, RECOVERY_OUTPUTS)
    yield from choice(f"{key}.architecture", recovery.architecture, RECOVERY_ARCHITECTURES)
    for name in ("pixel", "perceptual", "identity"):
        yield from within(f"{key}.{name}", getattr(recovery, name), 0.0, float("inf"))


def _mask(mask: LatentMaskSettings) -> Iterator[str]:
    key = "latent_mask"
    for name, allowed in (("kind", MASK_KINDS), ("objective", MASK_OBJECTIVES), ("gates", GATES)):
        yield from choice(f"{key}.{name}", getattr(mask, name), allowed)
    yield from positive(f"{key}.temperature", mask.temperature)
    yield from within(f"{key}.initial", mask.initial, 0.001, 0.999)
    for name in ("area", "binary", "smoothness", "step", "perceptual"):
        yield from within(f"{key}.{name}", getattr(mask, name), 0.0, float("inf"))
    yield from _window(f"{key}.window", mask.window)
    yield from at_least(f"{key}.restoration_steps", mask.restoration_steps, 1)


def _guided_by_the_judge(config: TrainConfig) -> Iterator[str]:
    if config.guide_recogniser.architecture == "resnet" and is_guided(config, config.stage):
        yield (
            "guide_recogniser.architecture: resnet is that of the recogniser which measures; guide by another one, "
            "guide_recogniser.architecture=mobile"
        )


def _together(config: TrainConfig) -> Iterator[str]:
    """Settings of one stage that another one cannot work with."""
    image = config.identity_recovery.output == "image"
    recovered = config.latent_score.condition == "degraded_and_recovered"
    if config.stage in LATENT_STAGES and recovered and not image:
        yield (
            "latent_score.condition: degraded_and_recovered needs a recovered face; set identity_recovery.output=image, or "
            "latent_score.condition=degraded"
        )
    if config.stage == "latent_mask" and config.evaluation.guidance.constraint > 0 and not image:
        yield "evaluation.guidance.constraint: needs a recovered face; set identity_recovery.output=image, or constraint=0"


def _sampling(config: TrainConfig) -> Iterator[str]:
    for name, grid in config.evaluation.clr_face.items():
        yield from _grid(f"evaluation.clr_face.{name}", grid, config.latent_score.sde.kind)
    if not config.evaluation.clr_face:
        yield "evaluation.clr_face: {} must name at least one grid of settings"
    yield from _guidance("evaluation.guidance", config.evaluation.guidance)


def _grid(key: str, grid: ClrFaceGrid, sde: str) -> Iterator[str]:
    values = vars(grid)
    yield from (f"{key}.{name}: [] must name at least one value" for name in values if not values[name])
    allowed = {
        "solver": DISCRETE_SOLVERS if sde == "ddpm" else SDE_SOLVERS,
        "mask": MASKS,
        "target": TARGETS,
        "gradient": GRADIENTS,
    }
    for name, names in allowed.items():
        for value in values[name]:
            yield from choice(f"{key}.{name}", value, names)
    for start in grid.start:
        if not 0 < start <= 1:
            yield f"{key}.start: {start} must lie in (0, 1]; 1 starts from pure noise"
    for steps in grid.steps:
        yield from at_least(f"{key}.steps", steps, 1)
    for eta in grid.eta:
        yield from within(f"{key}.eta", eta, 0.0, 1.0)
    for value in grid.scale:
        yield from within(f"{key}.scale", value, 0.0, float("inf"))
    for number in grid.seed:
        yield from seed(f"{key}.seed", number)


def _window(key: str, window: list[float]) -> Iterator[str]:
    yield from ordered(key, window)
    for part in window:
        yield from within(key, part, 0.0, 1.0)


def _guidance(key: str, guidance: GuidanceSettings) -> Iterator[str]:
    yield from within(f"{key}.constraint", guidance.constraint, 0.0, float("inf"))
    yield from _window(f"{key}.window", guidance.window)
    yield from at_least(f"{key}.every", guidance.every, 1)
    yield from positive(f"{key}.limit", guidance.limit)
