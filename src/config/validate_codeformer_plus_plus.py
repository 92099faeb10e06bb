"""Rules of CodeFormer++'s part of the training configuration."""

from collections.abc import Iterator
from typing import Any

from src.config.rules import at_least, choice, positive, within
from src.config.stage_order import is_rendered
from src.settings.codeformer_plus_plus import (
    ALIGNMENTS,
    CHANNELS,
    CONTRASTS,
    DRAWS,
    FEATURES,
    INJECTIONS,
    MASKS,
    METHODS,
    NEGATIVES,
    POSITIVES,
    REGULARISERS,
    SIMILARITIES,
    SIZE_OF_METHOD,
    UNTRAINED_METHODS,
    BranchSettings,
    MetricLearningSettings,
    RegistrationMethod,
    RegistrationObjective,
    TextureFusionSettings,
)
from src.settings.commands import TrainConfig
from src.settings.scale import ScaleSettings, TextureFusionSize

GENERATIVE = ("codeformer", "vqgan", "difface", "difface_backbone", "bicubic", "identity")
"""Restorers that can make the generative face; the branches come from one network where it is `codeformer`."""


def codeformer_plus_plus_problems(config: TrainConfig) -> Iterator[str]:
    """What is wrong, a sentence each."""
    yield from _branches(config.branches)
    yield from _method(config.registration.method)
    yield from _objective(config.registration.objective)
    yield from _fusion(config)
    yield from _metric_learning("texture_fusion.metric_learning", config.texture_fusion.metric_learning)
    yield from _strides(config.scale)
    yield from _fusion_size(config.scale.texture_fusion)
    yield from _inverse(config)
    if config.stage == "registration" and config.registration.method.kind in UNTRAINED_METHODS:
        learned = ", ".join(SIZE_OF_METHOD)
        yield (
            f"registration.method.kind: {config.registration.method.kind} has nothing to train; train stage=texture_fusion "
            f"with it, or choose one of {learned}"
        )


def _inverse(config: TrainConfig) -> Iterator[str]:
    inverse, kind = config.registration.objective.inverse, config.registration.method.kind
    if inverse > 0 and kind != "velocity":
        yield f"registration.objective.inverse: {inverse} is a term of the method velocity alone, not of {kind}; set 0"


def _branches(branches: BranchSettings) -> Iterator[str]:
    for name in ("identity_fidelity", "generative_fidelity"):
        yield from within(f"branches.{name}", getattr(branches, name), 0.0, 1.0)
    yield from choice("branches.draws", branches.draws, DRAWS)
    yield from choice("branches.generative", branches.generative, GENERATIVE)
    needs = branches.generative not in ("codeformer", "bicubic", "identity")
    if needs and branches.checkpoint is None:
        yield f"branches.checkpoint: not given, and branches.generative={branches.generative} has weights; name them"
    if not needs and branches.checkpoint is not None:
        yield f"branches.checkpoint: {branches.checkpoint} is not used by branches.generative={branches.generative}"


def _method(method: RegistrationMethod) -> Iterator[str]:
    key = "registration.method"
    yield from choice(f"{key}.kind", method.kind, METHODS)
    yield from choice(f"{key}.channels", method.channels, CHANNELS)
    yield from at_least(f"{key}.control_points", method.control_points, 3)
    yield from within(f"{key}.ridge", method.ridge, 0.0, float("inf"))
    yield from within(f"{key}.squarings", method.squarings, 1, 20)
    yield from at_least(f"{key}.updates", method.updates, 1)
    yield from positive(f"{key}.falloff", method.falloff)


def _objective(objective: RegistrationObjective) -> Iterator[str]:
    key = "registration.objective"
    yield from choice(f"{key}.similarity", objective.similarity, SIMILARITIES)
    yield from choice(f"{key}.regulariser", objective.regulariser, REGULARISERS)
    if objective.window < 3 or objective.window % 2 == 0:
        yield f"{key}.window: {objective.window} must be odd and at least 3"
    if len(objective.blur) != 2 or min(objective.blur) < 0:
        yield f"{key}.blur: {objective.blur} must be two deviations, of the first and of the last iteration, 0 or more"
    for name in ("regulariser_weight", "edge_sharpness", "folding", "landmarks", "inverse"):
        yield from within(f"{key}.{name}", getattr(objective, name), 0.0, float("inf"))
    yield from within(f"{key}.decay", objective.decay, 0.0, 1.0)
    for name in ("noise", "precision"):
        yield from positive(f"{key}.{name}", getattr(objective, name))


def _fusion(config: TrainConfig) -> Iterator[str]:
    key, fusion = "texture_fusion", config.texture_fusion
    yield from choice(f"{key}.injection", fusion.injection, INJECTIONS)
    yield from choice(f"{key}.alignment", fusion.alignment, ALIGNMENTS)
    for name in ("identity", "alignment_penalty", "offset_rate", "registration_rate"):
        yield from within(f"{key}.{name}", getattr(fusion, name), 0.0, float("inf"))
    method = config.registration.method.kind
    if config.stage == key and fusion.alignment == "flow_guided_deformable" and method == "none":
        yield f"{key}.alignment: flow_guided_deformable needs a field; choose a registration.method.kind other than none"
    if config.stage == key and fusion.registration_rate > 0 and method in UNTRAINED_METHODS:
        yield f"{key}.registration_rate: {fusion.registration_rate} trains nothing, since {method} has no weights; set 0"
    yield from _mask(config, fusion)


def _mask(config: TrainConfig, fusion: TextureFusionSettings) -> Iterator[str]:
    learning = fusion.metric_learning
    if (
        config.stage == "texture_fusion"
        and learning.weight > 0
        and learning.mask == "exact"
        and not is_rendered(config)
    ):
        yield "texture_fusion.metric_learning.mask: exact masks are known of rendered faces only; take landmarks or parsing"


def _metric_learning(key: str, learning: MetricLearningSettings) -> Iterator[str]:
    yield from within(f"{key}.weight", learning.weight, 0.0, float("inf"))
    for name, allowed in (("contrast", CONTRASTS), ("positive", POSITIVES), ("features", FEATURES), ("mask", MASKS)):
        yield from choice(f"{key}.{name}", getattr(learning, name), allowed)
    for negative in learning.negatives:
        yield from choice(f"{key}.negatives", negative, NEGATIVES)
    if not learning.negatives:
        yield f"{key}.negatives: [] must name at least one of {', '.join(NEGATIVES)}"
    yield from within(f"{key}.margin", learning.margin, 0.0, 2.0)
    for name in ("temperature", "cutoff", "blur"):
        yield from positive(f"{key}.{name}", getattr(learning, name))
    for name in ("dilation", "feather"):
        yield from within(f"{key}.{name}", getattr(learning, name), 0.0, 512.0)


def _strides(scale: ScaleSettings) -> Iterator[str]:
    """Every network that halves the side must be able to."""
    recurrent = scale.recurrent_registration.downscale
    halvings: dict[str, tuple[Any, int]] = {
        "dense_registration.encoder_widths": (
            scale.dense_registration.encoder_widths,
            2 ** len(scale.dense_registration.encoder_widths),
        ),
        "affine_registration.widths": (scale.affine_registration.widths, 2 ** len(scale.affine_registration.widths)),
        "pyramid_registration.levels": (
            scale.pyramid_registration.levels,
            2 ** max(scale.pyramid_registration.levels - 1, 0),
        ),
        "recurrent_registration.downscale": (recurrent, max(recurrent, 1)),
        "texture_fusion.widths": (scale.texture_fusion.widths, 2 ** len(scale.texture_fusion.widths)),
    }
    for name, (value, stride) in halvings.items():
        if scale.image_size % stride:
            yield f"scale.{name}: {value} shrinks faces {stride} times, by which {scale.image_size} px cannot be divided"
    down, up = scale.dense_registration.encoder_widths, scale.dense_registration.decoder_widths
    if len(down) != len(up):
        yield f"scale.dense_registration.decoder_widths: {up} must have {len(down)} entries, as encoder_widths has"
    if recurrent < 2 or recurrent & (recurrent - 1):
        yield f"scale.recurrent_registration.downscale: {recurrent} must be a power of 2 from 2 on"


def _fusion_size(size: TextureFusionSize) -> Iterator[str]:
    key = "scale.texture_fusion"
    if not size.widths or min(size.widths) < 1:
        yield f"{key}.widths: {size.widths} must name at least one positive width"
        return
    for name in ("norm_groups", "reduction", "offset_groups", "heads"):
        divisor = getattr(size, name)
        if divisor < 1 or any(width % divisor for width in size.widths):
            yield f"{key}.{name}: {divisor} must divide every width of {size.widths}"
    if size.window < 1 or size.window % 2 == 0:
        yield f"{key}.window: {size.window} must be odd"
