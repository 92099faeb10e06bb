"""Rules of DifFace's part of the training configuration."""

from collections.abc import Iterator
from typing import Any

from src.config.rules import at_least, choice, positive, seed, within
from src.settings.commands import TrainConfig
from src.settings.difface import (
    ARCHITECTURES,
    CONVENTIONS,
    OBJECTIVES,
    PIXEL_LOSSES,
    SCHEDULES,
    SOLVERS,
    TIMESTEP_SAMPLINGS,
    DiffusionPriorSettings,
    DiffusionProcessSettings,
    RestorationBackboneSettings,
    SamplingGrid,
)
from src.settings.scale import DiffusionUnetSize, ScaleSettings, SwinIrSize
from src.settings.stages import PERCEPTUAL_NETWORKS


def difface_problems(config: TrainConfig) -> Iterator[str]:
    """What is wrong, a sentence each."""
    yield from _unet(config.scale.diffusion_unet)
    yield from _swinir(config.scale.swinir)
    yield from _srcnn(config.scale)
    yield from _prior(config.diffusion_prior)
    yield from _backbone(config.restoration_backbone)
    for name, grid in config.evaluation.difface.items() if config.stage == "restoration_backbone" else ():
        yield from _grid(f"evaluation.difface.{name}", grid, config.diffusion_prior.process.steps)
    for name in ("diffusion_unet", "swinir"):
        if (side := getattr(config.scale, name).image_size) != config.scale.image_size:
            yield f"scale.{name}.image_size: {side} must be that of the scale, {config.scale.image_size}"


def _prior(prior: DiffusionPriorSettings) -> Iterator[str]:
    yield from _process(prior.process)
    yield from choice("diffusion_prior.objective", prior.objective, OBJECTIVES)
    yield from choice("diffusion_prior.timestep_sampling", prior.timestep_sampling, TIMESTEP_SAMPLINGS)
    if prior.flip_probability is not None:
        yield from within("diffusion_prior.flip_probability", prior.flip_probability, 0.0, 1.0)
    yield from positive("diffusion_prior.bound_weight", prior.bound_weight)
    yield from within("diffusion_prior.sample_steps", prior.sample_steps, 1, prior.process.steps - 1)


def _process(process: DiffusionProcessSettings) -> Iterator[str]:
    key = "diffusion_prior.process"
    yield from at_least(f"{key}.steps", process.steps, 2)
    yield from choice(f"{key}.schedule", process.schedule, SCHEDULES)
    if process.steps < 2:
        return
    # Beyond it a beta of the scaled schedule would leave (0, 1).
    greatest = process.steps / 1000
    if process.schedule == "linear" and not 0 < process.first_beta <= process.last_beta < greatest:
        yield (
            f"{key}: first_beta {process.first_beta:g} and last_beta {process.last_beta:g} must rise between 0 and "
            f"{greatest:g}, since {process.steps} steps multiply them by {1000 / process.steps:g}"
        )


def _backbone(backbone: RestorationBackboneSettings) -> Iterator[str]:
    yield from choice("restoration_backbone.architecture", backbone.architecture, ARCHITECTURES)
    yield from choice("restoration_backbone.pixel_loss", backbone.pixel_loss, PIXEL_LOSSES)
    yield from choice("restoration_backbone.perceptual_network", backbone.perceptual_network, PERCEPTUAL_NETWORKS)
    yield from within("restoration_backbone.perceptual", backbone.perceptual, 0.0, float("inf"))


def _grid(key: str, grid: SamplingGrid, process_steps: int) -> Iterator[str]:
    for name in ("solver", "start", "steps", "eta", "seed"):
        if not getattr(grid, name):
            yield f"{key}.{name}: [] must name at least one value"
    for solver in grid.solver:
        yield from choice(f"{key}.solver", solver, SOLVERS)
    for start in grid.start:
        yield from within(f"{key}.start", start, 1, process_steps - 1)
    least = 2 if grid.convention == "published" else 1
    for steps in grid.steps:
        yield from within(f"{key}.steps", steps, least, min(grid.start, default=process_steps))
    for eta in grid.eta:
        yield from within(f"{key}.eta", eta, 0.0, 1.0)
    yield from choice(f"{key}.convention", grid.convention, CONVENTIONS)
    for number in grid.seed:
        yield from seed(f"{key}.seed", number)


def _counts(key: str, size: Any, names: tuple[str, ...]) -> list[str]:
    """What is 0 or less of numbers, and of lists of numbers, that count something; other rules divide by them."""
    values = {name: getattr(size, name) for name in names}
    wrong = (
        name for name, value in values.items() if min(value if isinstance(value, list) else [value], default=0) <= 0
    )
    return [f"{key}.{name}: {values[name]} must be greater than 0" for name in wrong]


def _unet(size: DiffusionUnetSize) -> Iterator[str]:
    key, levels = "scale.diffusion_unet", len(size.multipliers)
    if empty := _counts(key, size, ("width", "multipliers", "residual_blocks", "head_width", "norm_groups")):
        yield from empty
        return
    if len(size.residual_blocks) != levels:
        yield f"{key}.residual_blocks: {size.residual_blocks} must have {levels} entries, one for each multiplier"
    if size.width % size.norm_groups or size.width % 2:
        yield f"{key}.width: {size.width} must be even and a multiple of norm_groups {size.norm_groups}"
    if size.image_size % 2 ** max(levels - 1, 0):
        yield f"{key}.image_size: {size.image_size} must be a multiple of {2 ** (levels - 1)}, the total stride"
    sides = [size.image_size // 2**level for level in range(levels)]
    if wrong := [side for side in size.attention_sizes if side not in sides]:
        yield f"{key}.attention_sizes: {wrong} are no resolutions of the network; allowed are {sides}"
    with_attention = [m for m, side in zip(size.multipliers, sides, strict=True) if side in size.attention_sizes]
    for multiplier in dict.fromkeys([*with_attention, *size.multipliers[-1:]]):
        if size.width * multiplier % size.head_width:
            yield f"{key}.head_width: {size.head_width} must divide {size.width * multiplier}, a width with attention"


def _swinir(size: SwinIrSize) -> Iterator[str]:
    key = "scale.swinir"
    if empty := _counts(key, size, ("width", "depths", "window", "mlp_ratio", "up_width")):
        yield from empty
        return
    if size.downscale < 1 or size.downscale & (size.downscale - 1):
        yield f"{key}.downscale: {size.downscale} must be a power of 2"
    elif size.image_size % (size.downscale * size.window):
        stride = size.downscale * size.window
        yield f"{key}.window: image_size {size.image_size} must be a multiple of downscale x window, {stride}"
    if len(size.depths) != len(size.heads):
        yield f"{key}.heads: {size.heads} must have {len(size.depths)} entries, as depths has"
    if wrong := [heads for heads in size.heads if heads < 1 or size.width % heads]:
        yield f"{key}.heads: {wrong} must divide width {size.width}"
    yield from within(f"{key}.drop_path", size.drop_path, 0.0, 0.999)


def _srcnn(scale: ScaleSettings) -> Iterator[str]:
    size = scale.srcnn
    yield from positive("scale.srcnn.width", size.width)
    if size.downscale < 2 or size.downscale & (size.downscale - 1) or scale.image_size % max(size.downscale, 1):
        yield f"scale.srcnn.downscale: {size.downscale} must be a power of 2 from 2 on that divides {scale.image_size}"
    elif size.width % size.downscale**2:
        yield f"scale.srcnn.width: {size.width} must be a multiple of downscale squared, {size.downscale**2}"
    yield from at_least("scale.srcnn.depth", size.depth, 2)
