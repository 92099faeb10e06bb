"""What a training step costs: FLOPs, waits of the host, fused steps, memory against time, and the study of it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from experiments.speed import training
from experiments.speed.bare_loop import BareLoop
from experiments.speed.separate_gradients import separate_image_objective
from experiments.speed.training_flops import step_flops
from experiments.speed.training_ratios import average_ratio, optimizer_ratio
from experiments.speed.training_stages import moved, without_autocast
from src.config.compose import compose_train
from src.networks import VqAutoencoder
from src.networks.recomputation import recompute_activations
from src.settings.commands import TrainConfig
from src.stages.cft import CftStage
from src.stages.image_objective import image_objective
from src.stages.stage import Batch, Stage
from tests.experiments.host_waits import HostWaits
from tests.stages.small import VARIANTS, small_batch, small_config, small_stage, small_trainer
from tests.stages.small_clr_face import CLR_FACE_VARIANTS, SquaredDifference, clr_face_config, clr_face_stage
from tests.stages.small_latent import latent_config, latent_stage

LATENT = ("latent_vqgan", "latent_encoder")
EVERY_STAGE = (*VARIANTS, *CLR_FACE_VARIANTS, *LATENT)
SETS_UP = [
    f"{stage}.codebook.{change}"
    for stage in ("vqgan", "latent_vqgan")
    for change in ("start=uniform", "restart_every=0")
]
"""Leaves out what happens at the first, or at every n-th iteration only, and reads values then."""


@cache
def config_of(name: str) -> TrainConfig:
    kind = name in CLR_FACE_VARIANTS, name in LATENT
    is_variant = len({**VARIANTS, **CLR_FACE_VARIANTS}.get(name, (name,))) > 1
    return composed(name, *kind) if is_variant else replace(composed("", *kind), stage=name)


@cache
def composed(variant: str, of_clr_face: bool, of_latents: bool) -> TrainConfig:
    """Composing takes a second, so that stages without overrides of their own share a configuration."""
    if of_clr_face:
        return clr_face_config(variant or "latent_score", 6, *SETS_UP)
    compose = latent_config if of_latents else small_config
    return compose(variant or "latent_vqgan", 6, *SETS_UP)


def stage_of(name: str) -> Stage:
    if name in CLR_FACE_VARIANTS:
        return clr_face_stage(config_of(name))
    return latent_stage(config_of(name)) if name in LATENT else small_stage(config_of(name))


@pytest.mark.parametrize(
    ("stage", "most", "ratio"), [("vqgan", 2400, 1.07), ("code_predictor", 675, 1.31), ("cft", 2950, 1.19)]
)
def test_a_step_of_a_published_network_computes_little_more_than_it_must(stage: str, most: float, ratio: float) -> None:
    ours = sum(step_flops(stage, "paper512", None).values()) / 1e9
    public = sum(step_flops(stage, "paper512", None, public=True).values()) / 1e9
    assert 0.9 * most < ours <= most
    assert public / ours >= ratio


@pytest.mark.parametrize("name", EVERY_STAGE)
def test_the_host_never_waits_for_the_device_between_log_steps(name: str) -> None:
    config, stage = config_of(name), stage_of(name)
    batch = moved(small_batch(config), torch.device("meta"))
    with without_autocast():
        loop = BareLoop(stage.to("meta"))
        loop.step(batch)
        with HostWaits() as waits:
            for _ in range(2):
                loop.step(batch)
    assert not waits.found


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x[0].item(),
        lambda x: bool(x.sum() > 0),
        lambda x: x.cpu(),
        lambda x: x.tolist(),
        lambda x: x[x > 0],
        lambda x: torch.tensor(1.0).to(x.device),
        lambda x: torch.bincount(x.long()),
    ],
)
def test_every_way_to_wait_is_noticed(read: Callable[[Tensor], Any]) -> None:
    values = torch.zeros(3, device="meta")
    # The meta device has no values to give.
    with HostWaits() as waits, suppress(NotImplementedError, RuntimeError):
        read(values)
    assert waits.found


def test_what_does_not_wait_is_let_pass() -> None:
    values = torch.zeros(3, device="meta")
    with HostWaits() as waits:
        values.add_(torch.zeros(3).to("meta", non_blocking=True)).masked_fill_(values > 0, 1.0)
        torch.full((), 0.5, device="meta") * values[torch.arange(2, device="meta")]
    assert not waits.found


@pytest.mark.parametrize("name", EVERY_STAGE)
def test_optimisers_are_fused_and_the_average_leaves_frozen_weights_alone(name: str) -> None:
    config, stage = config_of(name), stage_of(name)
    loop = BareLoop(stage)
    optimizers = loop.stage.trainer.optimizers
    assert all(group["fused"] for optimizer in optimizers for group in optimizer.param_groups)
    assert all(
        weight.requires_grad
        for optimizer in optimizers
        for group in optimizer.param_groups
        for weight in group["params"]
    )
    averaged = dict(stage.average.network.named_parameters())
    before = {key: weight._version for key, weight in averaged.items()}
    loop.step(small_batch(config))
    touched = {key for key, weight in averaged.items() if weight._version > before[key]}
    assert touched == {key for key, weight in stage.network.named_parameters() if weight.requires_grad}


def gradients(stage: CftStage, batch: Batch, objective: Any, with_trunk: bool) -> tuple[list[Tensor], Tensor]:
    made = stage.network.generate_fused(stage.network.predict_codes(batch["lq"], with_features=True), 1.0)
    found = objective(
        made.image,
        batch["hq"],
        settings=stage.settings.image_losses,
        perceptual=SquaredDifference(),
        discriminator=stage.discriminator,
        adaptive_layer=stage.network.adaptive_layer,
        trunk=made.fused if with_trunk else None,
    )
    weights = list(stage.network.fusion_parameters())
    return list(torch.autograd.grad(found.surrogate, weights)), found.terms["adaptive_weight"]


def test_gradients_kept_at_the_finest_fusion_are_those_of_separate_passes() -> None:
    config = small_config("cft", 6, "cft.fused_sizes=[16,32]", "cft.image_losses.perceptual=0.7")
    stage = small_stage(config)
    assert isinstance(stage, CftStage)
    batch = small_batch(config)
    expected, weight = gradients(stage, batch, separate_image_objective, False)
    for with_trunk in (False, True):
        found, its_weight = gradients(stage, batch, image_objective, with_trunk)
        torch.testing.assert_close(its_weight, weight)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6 * other.abs().max().item())


def saved_megabytes(network: nn.Module, faces: Tensor) -> float:
    """MiB of the tensors that are kept for the backward pass beside the weights, each storage once."""
    weights = {weight.untyped_storage()._cdata for weight in network.parameters()}
    storages: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage()._cdata] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        network(faces)
    return sum(storage.nbytes() for place, storage in storages.items() if place not in weights) / 2**20


@pytest.mark.parametrize("name", ["vqgan", "cft", "latent_vqgan"])
def test_recomputed_activations_change_no_bit_and_take_less_memory(name: str) -> None:
    trained: dict[int, dict[str, Tensor]] = {}
    for resolutions in (0, 2):
        config, stage = config_of(name), stage_of(name)
        assert (recompute_activations(stage.network, resolutions) > 0) == (resolutions > 0)
        loop, batch = BareLoop(stage), small_batch(config)
        for _ in range(3):
            loop.step(batch)
        trained[resolutions] = stage.state_dict()
    assert all(torch.equal(trained[0][key], trained[2][key]) for key in trained[0])


def test_three_recomputed_resolutions_of_the_published_network_save_two_thirds() -> None:
    size = compose_train(["scale=paper512"]).scale.autoencoder
    with without_autocast(), torch.device("meta"):
        network, faces = VqAutoencoder(size), torch.empty(2, 3, 128, 128)
        kept = saved_megabytes(network, faces)
        recompute_activations(network, 3)
        # performance.md 3: the public code's 523 MiB become 138.
        assert saved_megabytes(network, faces) < min(138, kept / 3)
        recompute_activations(network, 0)
        assert saved_megabytes(network, faces) == kept


@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
def test_a_bare_loop_trains_what_the_trainer_trains(tmp_path: Path) -> None:
    config, stage = config_of("vqgan"), stage_of("vqgan")
    batch = small_batch(config)
    loops = [BareLoop(stage_of("vqgan"), toggles=toggles) for toggles in (True, False)]
    stage.iteration = 1
    small_trainer(tmp_path).fit(stage, DataLoader([batch] * 3, batch_size=None))
    for loop in loops:
        for _ in range(3):
            loop.step(batch)
        found, expected = loop.stage.state_dict(), stage.state_dict()
        assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_the_ratios_compare_ways_that_give_the_same() -> None:
    stage = stage_of("cft")
    for ratio in (optimizer_ratio(stage, 1), average_ratio(stage, 1)):
        assert ratio.value > 0
        assert float(ratio.note.split()[-1]) < 1e-6


def test_the_study_splits_a_step_into_its_parts(capsys: pytest.CaptureFixture[str]) -> None:
    options = "training --scale tiny64 --side 64 --batch 2 --rounds 1 --only flops steps --stages code_predictor"
    with mock.patch("sys.argv", options.split()):
        training.main()
    tables = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    flops, steps = (
        dict(zip(map(str.strip, head), map(str.strip, row), strict=False))
        for head, row in ((tables[0], tables[2]), (tables[3], tables[5]))
    )
    assert flops["stage"] == steps["stage"] == "code_predictor"
    assert float(flops["ratio"].rstrip("x")) > 1.2
    assert float(flops["backward"]) == pytest.approx(2 * float(flops["forward"]), abs=1)
    assert float(steps["discriminator"]) == 0 < float(steps["forward"])
    assert float(steps["images/s"]) == pytest.approx(
        2000 / (float(steps["step"]) + float(steps["wait for data"])), rel=0.01
    )
