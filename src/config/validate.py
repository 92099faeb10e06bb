"""Cross-field rules of the training configuration; all problems are reported at once."""

from collections.abc import Iterator
from itertools import pairwise

from src.config.arms import arms_of_stage, stage_of_arm
from src.config.rules import at_least, choice, folder_name, multiple, ordered, positive, seed, unit_pair, within
from src.config.stage_order import STAGES
from src.config.validate_clr_face import clr_face_problems
from src.config.validate_cluster import cluster_problems
from src.config.validate_codeformer_plus_plus import codeformer_plus_plus_problems
from src.config.validate_difface import difface_problems
from src.degradation.chain import chain_of, recipe_problems
from src.degradation.tensor_support import unsupported_steps
from src.settings.commands import MetricsSettings, SeveritySettings, TrainConfig
from src.settings.data import DataSettings, FolderSettings, SyntheticFacesSettings
from src.settings.degradation import DegradationRecipe
from src.settings.errors import UserError
from src.settings.metric_roles import RECORDED_ROLES
from src.settings.scale import ScaleSettings
from src.settings.stages import (
    CODEBOOK_STARTS,
    PERCEPTUAL_NETWORKS,
    CftSettings,
    CodebookSettings,
    ImageLossSettings,
    LearningRateSettings,
    TrainingSettings,
)


def validate(config: TrainConfig) -> None:
    """Raise one `UserError` that lists every problem, each with key, value and what is allowed."""
    problems = list(_problems(config))
    if len(problems) == 1:
        raise UserError(problems[0])
    if problems:
        raise UserError(f"{len(problems)} problems in the configuration:\n  " + "\n  ".join(problems))


def _problems(config: TrainConfig) -> Iterator[str]:
    yield from choice("stage", config.stage, STAGES)
    yield from seed("seed", config.seed)
    yield from _names(config)
    yield from _arm(config)
    yield from _scale(config.scale)
    yield from _data(config.data)
    world_size = config.trainer.devices * config.trainer.num_nodes
    for name in STAGES:
        yield from _training(f"{name}.training", getattr(config, name).training, world_size)
    yield from _image_losses("vqgan.losses", config.vqgan.losses)
    yield from _image_losses("cft.image_losses", config.cft.image_losses)
    yield from _image_losses("texture_fusion.losses", config.texture_fusion.losses)
    yield from _image_losses("latent_vqgan.losses", config.latent_vqgan.losses)
    for name in ("vqgan", "latent_vqgan"):
        yield from _codebook(f"{name}.codebook", getattr(config, name).codebook)
    for name in ("recogniser", "landmark_detector", "guide_recogniser"):
        yield from within(f"{name}.degraded_share", getattr(config, name).degraded_share, 0.0, 1.0)
    # A larger displacement may fold the face.
    yield from within("landmark_detector.movement", config.landmark_detector.movement, 0.0, 1 / 16)
    yield from within("landmark_detector.heatmap_weight", config.landmark_detector.heatmap_weight, 0.0, float("inf"))
    if config.scale.landmark_detector.input_size % 16:
        yield f"scale.landmark_detector.input_size: {config.scale.landmark_detector.input_size} must be a multiple of 16"
    yield from _cft(config.cft, config.scale)
    yield from difface_problems(config)
    yield from codeformer_plus_plus_problems(config)
    yield from clr_face_problems(config)
    yield from _evaluation(config)
    yield from _hardware(config)
    yield from cluster_problems(config.cluster, config.trainer, resume=config.resume)
    for key, recipe in _recipes(config).items():
        yield from _recipe(key, recipe, key in _on_device(config))


def _on_device(config: TrainConfig) -> tuple[str, ...]:
    """Keys of the recipes that the device has to know."""
    if config.trainer.degradation != "device":
        return ()
    if config.stage in ("registration", "texture_fusion"):
        return ("branches.degradation",) if config.branches.draws == "fresh" else ()
    return tuple(key for key in _recipes(config) if key.startswith(config.stage))


def _recipes(config: TrainConfig) -> dict:
    return {
        "code_predictor.degradation": config.code_predictor.degradation,
        "cft.small_degradation": config.cft.small_degradation,
        "cft.large_degradation": config.cft.large_degradation,
        "recogniser.degradation": config.recogniser.degradation,
        "restoration_backbone.degradation": config.restoration_backbone.degradation,
        "landmark_detector.degradation": config.landmark_detector.degradation,
        "branches.degradation": config.branches.degradation,
        "latent_encoder.degradation": config.latent_encoder.degradation,
        "latent_score.degradation": config.latent_score.degradation,
        "guide_recogniser.degradation": config.guide_recogniser.degradation,
        "identity_recovery.degradation": config.identity_recovery.degradation,
        "latent_mask.degradation": config.latent_mask.degradation,
        "benchmark.degradation": config.benchmark.degradation,
    }


def _recipe(key: str, recipe: DegradationRecipe, on_device: bool) -> Iterator[str]:
    problems = recipe_problems(recipe)
    if not problems and on_device:
        problems = unsupported_steps(chain_of(recipe))
    yield from (f"{key}: {problem}" for problem in problems)


def severity_problems(key: str, severity: SeveritySettings) -> Iterator[str]:
    """What is wrong with the bins of severity, a sentence each."""
    yield from choice(f"{key}.by", severity.by, ("auto", "factor", "input_error"))
    edges = severity.edges
    if edges is not None and (len(edges) < 2 or any(low >= high for low, high in pairwise(edges))):
        yield f"{key}.edges: {edges} must be two or more rising numbers"


def metrics_problems(metrics: MetricsSettings) -> Iterator[str]:
    """What is wrong with `metrics.*`, a sentence each; the definitions themselves are checked when they are built."""
    yield from choice("metrics.stand_ins", metrics.stand_ins, ("where_missing", "always", "never"))
    # An interval's ends need so many; the leaderboard refuses fewer, after the training.
    yield from at_least("metrics.bootstrap_resamples", metrics.bootstrap_resamples, 100)
    if metrics.primary is not None:
        known = (*RECORDED_ROLES, *metrics.definitions)
        yield from choice("metrics.primary", metrics.primary.removesuffix("_degrees"), known)


def _names(config: TrainConfig) -> Iterator[str]:
    yield from folder_name("study", config.study)
    yield from folder_name("label", config.label)


def _arm(config: TrainConfig) -> Iterator[str]:
    """A backbone under the name of another stage's arm would stand in its place in a comparison."""
    if config.stage == "restoration_backbone" and stage_of_arm(config.label) not in (None, config.stage):
        arms = ", ".join(arms_of_stage(config.stage))
        yield f"stage: {config.stage} is trained by its arms, not by arm={config.label}; write arm=<one of {arms}>"


def _data(data: DataSettings) -> Iterator[str]:
    yield from within("data.flip_probability", data.flip_probability, 0.0, 1.0)
    yield from choice("data.on_damaged", data.on_damaged, ("stop", "skip"))
    if isinstance(data, SyntheticFacesSettings):
        yield from seed("data.seed", data.seed)
        for name in ("images_per_identity", "validation_identities", "test_identities"):
            yield from at_least(f"data.{name}", getattr(data, name), 1)
        held_out = data.validation_identities + data.test_identities
        yield from at_least("data.identities", data.identities, held_out + 1)
    if isinstance(data, FolderSettings):
        yield from choice("data.layout", data.layout, ("none", "ffhq", "celeba_hq"))
        yield from seed("data.split_seed", data.split_seed)
        yield from within("data.validation_fraction", data.validation_fraction, 0.0, 1.0)
        yield from within("data.test_fraction", data.test_fraction, 0.0, 1.0)


def _scale(scale: ScaleSettings) -> Iterator[str]:
    sizes, predictor = scale.autoencoder, scale.code_predictor
    if not sizes.multipliers or min(sizes.multipliers) < 1:
        yield f"scale.autoencoder.multipliers: {sizes.multipliers} must name at least one resolution, each 1 or more"
        return
    stride = 2 ** (len(sizes.multipliers) - 1)
    if sizes.image_size < 1 or sizes.image_size % stride:
        yield f"scale.autoencoder.image_size: {sizes.image_size} must be a multiple of {stride}, the total stride"
    yield from multiple("scale.autoencoder.width", sizes.width, "scale.autoencoder.norm_groups", sizes.norm_groups)
    yield from multiple("scale.code_predictor.dim", predictor.dim, "scale.code_predictor.heads", predictor.heads)
    yield from positive("scale.autoencoder.codebook_size", sizes.codebook_size)


def _training(key: str, training: TrainingSettings, world_size: int) -> Iterator[str]:
    yield from positive(f"{key}.iterations", training.iterations)
    yield from positive(f"{key}.checkpoint_every", training.checkpoint_every)
    yield from within(f"{key}.ema_decay", training.ema_decay, 0.0, 1.0)
    yield from within(f"{key}.gradient_clip", training.gradient_clip, 0.0, float("inf"))
    if training.batch_size <= 0 or training.batch_size % max(world_size, 1):
        yield (
            f"{key}.batch_size: {training.batch_size} must be positive and divide by {world_size}, "
            "trainer.devices x trainer.num_nodes"
        )
    yield from unit_pair(f"{key}.betas", training.betas)
    yield from _learning_rate(f"{key}.learning_rate", training.learning_rate)


def _learning_rate(key: str, rate: LearningRateSettings) -> Iterator[str]:
    yield from choice(f"{key}.kind", rate.kind, ("cosine", "multistep", "constant"))
    yield from positive(f"{key}.initial", rate.initial)
    yield from at_least(f"{key}.warmup", rate.warmup, 0)
    if rate.kind == "cosine" and not 0 <= rate.minimum <= rate.initial:
        yield f"{key}.minimum: {rate.minimum} must lie between 0 and initial {rate.initial}"


def _codebook(key: str, codebook: CodebookSettings) -> Iterator[str]:
    yield from at_least(f"{key}.window", codebook.window, 1)
    yield from at_least(f"{key}.restart_every", codebook.restart_every, 0)
    yield from choice(f"{key}.start", codebook.start, CODEBOOK_STARTS)


def _image_losses(key: str, losses: ImageLossSettings) -> Iterator[str]:
    yield from choice(f"{key}.perceptual_network", losses.perceptual_network, PERCEPTUAL_NETWORKS)
    for name in ("pixel", "perceptual", "adversarial"):
        yield from within(f"{key}.{name}", getattr(losses, name), 0.0, float("inf"))


def _cft(cft: CftSettings, scale: ScaleSettings) -> Iterator[str]:
    allowed = [scale.image_size // 2**level for level in range(len(scale.autoencoder.multipliers))]
    wrong = [size for size in cft.fused_sizes if size not in allowed]
    if wrong:
        yield f"cft.fused_sizes: {wrong} are no resolutions of scale {scale.name}; allowed are {allowed}"
    yield from choice("cft.training_fidelity", cft.training_fidelity, ("fixed", "sampled"))
    yield from ordered("cft.sampled_fidelity", cft.sampled_fidelity)
    ends = [phase.until for phase in cft.phases]
    if not ends or ends != sorted(set(ends)) or ends[-1] < cft.training.iterations:
        yield f"cft.phases: the ends {ends} must increase and reach cft.training.iterations {cft.training.iterations}"
    for number, phase in enumerate(cft.phases):
        if phase.image_every < 0:
            yield f"cft.phases.{number}.image_every: {phase.image_every} must be 0 (never) or more"


def _evaluation(config: TrainConfig) -> Iterator[str]:
    for value in config.evaluation.fidelities:
        yield from within("evaluation.fidelities", value, 0.0, 1.0)
    if not config.evaluation.fidelities:
        yield "evaluation.fidelities: [] must name at least one fidelity in [0, 1]"
    yield from positive("evaluation.batch_size", config.evaluation.batch_size)
    yield from at_least("evaluation.shown_faces", config.evaluation.shown_faces, 1)
    yield from positive("benchmark.count", config.benchmark.count)
    yield from seed("benchmark.seed", config.benchmark.seed)
    yield from choice("benchmark.split", config.benchmark.split, ("validation", "test"))
    yield from severity_problems("evaluation.severity", config.evaluation.severity)
    yield from metrics_problems(config.metrics)


def _hardware(config: TrainConfig) -> Iterator[str]:
    trainer = config.trainer
    yield from choice("trainer.accelerator", trainer.accelerator, ("cpu", "gpu", "auto"))
    yield from choice("trainer.precision", trainer.precision, ("32-true", "bf16-mixed"))
    yield from choice("trainer.degradation", trainer.degradation, ("loader", "device"))
    yield from choice("trainer.code_targets", trainer.code_targets, ("auto", "cached", "on_the_fly"))
    for name, low in (
        ("devices", 1),
        ("num_nodes", 1),
        ("log_every", 1),
        ("workers", 0),
        ("threads", 0),
        ("images_every", 0),
        ("recomputed_resolutions", 0),
    ):
        yield from at_least(f"trainer.{name}", getattr(trainer, name), low)
    yield from choice("logger.kind", config.logger.kind, ("wandb", "none"))
    yield from choice("logger.mode", config.logger.mode, ("auto", "online", "offline"))
    if trainer.strategy not in ("auto", "ddp"):
        yield (
            f"trainer.strategy: {trainer.strategy!r} is not supported; use auto or ddp, because the adaptive GAN weight and "
            "the weight average need whole parameters on every device and the networks fit one"
        )
