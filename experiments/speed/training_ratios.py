"""Ways to do the same part of a training step, alternated in one process."""

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import cast

import torch
from torch import Tensor, nn
from torch.optim import Adam

from experiments.speed.bare_loop import BareLoop, optimizers_of
from experiments.speed.separate_gradients import separate_gradients, separate_image_objective
from experiments.speed.step_parts import now
from experiments.speed.training_stages import random_batch, random_stage, training_config
from src.networks.recomputation import recompute_activations
from src.stages import autoencoder
from src.stages.image_objective import image_objective
from src.stages.stage import Batch, Stage
from src.stages.weight_average import WeightAverage


@dataclass
class Ratio:
    """How much faster `ours` is than `theirs`: medians of seconds over rounds, in each of which both ran."""

    name: str
    theirs: str
    ours: str
    target: str
    seconds: dict[str, list[float]] = field(default_factory=dict)
    note: str = ""

    @property
    def value(self) -> float:
        """Median of theirs over median of ours."""
        return median(self.seconds[self.theirs]) / median(self.seconds[self.ours])

    def row(self) -> str:
        """A line of a table in Markdown."""
        theirs, ours = (f"{way} {1e3 * median(self.seconds[way]):.1f} ms" for way in (self.theirs, self.ours))
        return f"| {self.name} | {theirs} | {ours} | {self.value:.2f}x | {self.target} | {self.note} |"


RATIO_HEAD = "| what | before | ours | ratio | target | equality |\n| --- | --- | --- | --- | --- | --- |"


def alternated(ways: dict[str, Callable[[], object]], rounds: int, device: torch.device) -> dict[str, list[float]]:
    """Seconds of every way in every round; one round more, which is not counted, warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, way in ways.items():
            start = now(device)
            way()
            seconds[name].append(now(device) - start)
    return {name: spent[1:] for name, spent in seconds.items()}


def optimizer_ratio(stage: Stage, rounds: int) -> Ratio:
    """Adam as the stages build it against torch's default, on copies of the stage's trained parameters."""
    settings = stage.training_settings
    groups = [group for optimizer in optimizers_of(stage) for group in optimizer.param_groups]
    shapes = [weight.detach() for group in groups for weight in group["params"]]
    rate, betas = settings.learning_rate.initial, (settings.betas[0], settings.betas[1])
    steps: dict[str, Callable[[], object]] = {}
    moved = {}
    for name, fused in (("default Adam", None), ("fused", True)):
        weights = moved[name] = [nn.Parameter(weight.clone()) for weight in shapes]
        for number, weight in enumerate(weights):
            weight.grad = torch.full_like(weight, 1e-3 * (1 + number % 7))
        steps[name] = Adam(weights, lr=rate, betas=betas, fused=fused).step
    ratio = Ratio(
        f"optimiser, {sum(map(Tensor.numel, shapes)) / 1e6:.1f} M parameters", "default Adam", "fused", ">= 7x"
    )
    ratio.seconds = alternated(steps, rounds, stage.device)
    ratio.note = f"largest difference {_largest_difference(moved['default Adam'], moved['fused']):.0e}"
    return ratio


def average_ratio(stage: Stage, rounds: int) -> Ratio:
    """The stage's weight average against a loop over every parameter, frozen ones too."""
    live = cast(nn.Module, stage.network)
    decay = stage.training_settings.ema_decay
    average, looped = WeightAverage(live, decay), copy.deepcopy(live).requires_grad_(False)

    @torch.no_grad()
    def loop() -> None:
        for kept, current in zip(looped.parameters(), live.parameters(), strict=True):
            kept.mul_(decay).add_(current, alpha=1 - decay)

    trained = sum(weight.requires_grad for weight in live.parameters())
    name = f"EMA, {trained} of {len(list(live.parameters()))} tensors trained"
    ratio = Ratio(name, "loop over all", "over the trained", ">= 2.4x")
    ratio.seconds = alternated({ratio.theirs: loop, ratio.ours: lambda: average.update(live)}, rounds, stage.device)
    ratio.note = f"largest difference {_largest_difference(average.network.parameters(), looped.parameters()):.0e}"
    return ratio


def shared_gradients_ratio(stage: autoencoder.AutoencoderStage, batch: Batch, rounds: int) -> Ratio:
    """Whole steps of stage I with one set of image gradients, and with separate passes."""
    ratio = Ratio("stage I, gradients of the adaptive weight", "separate", "shared", ">= 1.06x")
    ratio.note = _gradient_difference(stage, batch)
    loop = BareLoop(stage)

    def separate() -> None:
        with separate_gradients():
            loop.step(batch)

    ratio.seconds = alternated({"separate": separate, "shared": lambda: loop.step(batch)}, rounds, stage.device)
    return ratio


def _gradient_difference(stage: autoencoder.AutoencoderStage, batch: Batch) -> str:
    """Of the trained weights' gradients both ways, on the same weights and faces."""
    weights = [weight for weight in stage.network.parameters() if weight.requires_grad]
    stage.discriminator.requires_grad_(False)
    found = []
    for objective in (separate_image_objective, image_objective):
        made = objective(
            stage.network(batch["hq"]).image,
            batch["hq"],
            settings=stage.settings.losses,
            perceptual=stage.perceptual.network if stage.perceptual else None,
            discriminator=stage.discriminator,
            adaptive_layer=stage.network.last_layer,
        )
        found.append(torch.autograd.grad(made.surrogate, weights, allow_unused=True))
    stage.discriminator.requires_grad_()
    both = [(one, other) for one, other in zip(*found, strict=True) if one is not None and other is not None]
    largest = max(one.abs().max().item() for one, _ in both)
    return (
        f"largest difference of gradients {_largest_difference(*zip(*both, strict=True)) / largest:.0e} of the largest"
    )


def precision_ratio(stage: Stage, batch: Batch, rounds: int) -> Ratio:
    """Whole steps in bfloat16 (autocast) against float32."""
    ratio = Ratio(f"{stage.kind}, precision", "fp32", "bf16", ">= 1.55x")
    full, half = BareLoop(stage, precision="fp32"), BareLoop(stage, precision="bf16")
    ways: dict[str, Callable[[], object]] = {"fp32": lambda: full.step(batch), "bf16": lambda: half.step(batch)}
    ratio.seconds = alternated(ways, rounds, stage.device)
    return ratio


def recomputation_ratio(stage: autoencoder.AutoencoderStage, batch: Batch, rounds: int) -> Ratio:
    """Whole steps with the activations of the three largest resolutions computed again; a ratio below 1 is their price."""
    ratio = Ratio(f"{stage.kind}, activation checkpointing", "kept", "computed again", ">= 0.88x")
    loop = BareLoop(stage)

    def step(resolutions: int) -> None:
        recompute_activations(stage.network, resolutions)
        loop.step(batch)

    ratio.seconds = alternated({"kept": lambda: step(0), "computed again": lambda: step(3)}, rounds, stage.device)
    recompute_activations(stage.network, 0)
    return ratio


def all_ratios(scale: str, side: int | None, batch_size: int, rounds: int, device: torch.device) -> list[Ratio]:
    """Those of stage I, and optimiser and average on stage III, whose decoder is frozen."""
    ratios = []
    cft = random_stage(training_config("cft", scale, side, batch_size)).to(device)
    ratios += [optimizer_ratio(cft, 3 * rounds), average_ratio(cft, 3 * rounds)]
    del cft
    config = training_config("vqgan", scale, side, batch_size)
    stage = random_stage(config).to(device)
    assert isinstance(stage, autoencoder.AutoencoderStage)
    batch = {name: value.to(device) for name, value in random_batch(config, batch_size).items()}
    ratios += [shared_gradients_ratio(stage, batch, rounds), precision_ratio(stage, batch, rounds)]
    return [*ratios, recomputation_ratio(stage, batch, rounds)]


def _largest_difference(first: Iterable[Tensor], second: Iterable[Tensor]) -> float:
    return max((one - other).abs().max().item() for one, other in zip(first, second, strict=True))
