"""The stage that trains DifFace's restoration backbone: its losses, what it shows and what it leaves behind."""

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss

from src.losses.perceptual import PerceptualLoss
from src.networks import SrcnnSameResolution, SwinIr
from src.restorers.build_difface import build_backbone_restorer
from src.stages.restoration_backbone import RestorationBackboneStage, on_unit_range
from tests.stages.small import small_batch, small_config, small_data, small_stage, small_trainer

pytestmark = pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
CLASSES = {"restoration_backbone": SwinIr, "srcnn": SrcnnSameResolution}


class SquaredEdges(PerceptualLoss):
    """A differentiable distance that is not a pixel loss."""

    name = "squared_edges"

    def __init__(self) -> None:
        super().__init__(nn.Identity())

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        return (restored - target).diff(dim=-1).square().mean()


def trained(folder: Path, variant: str, *changes: str, iterations: int = 1) -> RestorationBackboneStage:
    config = small_config(variant, iterations, *changes)
    stage = small_stage(config)
    assert isinstance(stage, RestorationBackboneStage)
    small_trainer(folder).fit(stage, datamodule=small_data(config))
    return stage


@pytest.mark.parametrize("with_perceptual", [False, True])
@pytest.mark.parametrize(("loss", "distance"), [("l1", l1_loss), ("l2", mse_loss)])
def test_loss_and_gradient_are_those_of_the_formula(loss: str, distance, with_perceptual: bool, tmp_path: Path) -> None:
    """The pixel loss on [0, 1], the perceptual one on [-1, 1]."""
    changes = ("restoration_backbone.perceptual=0.3", f"restoration_backbone.pixel_loss={loss}")
    config = small_config("srcnn", 1, *changes)
    perceptual = SquaredEdges() if with_perceptual else None
    stage = RestorationBackboneStage(config.restoration_backbone, config.scale, perceptual=perceptual, seed=0)
    network = copy.deepcopy(stage.network)
    small_trainer(tmp_path).fit(stage, datamodule=small_data(config))

    batch = small_batch(config)
    hq, lq = ((batch[name] + 1) / 2 for name in ("hq", "lq"))
    expected = {"pixel": distance(network(lq), hq)}
    if with_perceptual:
        expected["perceptual"] = SquaredEdges()(2 * network(lq) - 1, batch["hq"])
    torch.testing.assert_close(stage.scalars, {name: value.detach() for name, value in expected.items()})
    (expected["pixel"] + 0.3 * expected.get("perceptual", torch.tensor(0.0))).backward()
    for found, direct in zip(stage.network.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(found.grad, direct.grad, rtol=1e-4, atol=1e-7)


def test_paths_are_dropped_in_training_and_depend_on_the_seed_of_the_stage(tmp_path: Path) -> None:
    """So that the test of resuming has dropped some; the generator's own state counts for nothing."""
    first, again = (trained(tmp_path, "restoration_backbone").scalars["pixel"] for _ in range(2))
    assert torch.equal(first, again)
    assert first != trained(tmp_path, "restoration_backbone", "scale.swinir.drop_path=0").scalars["pixel"]
    config = small_config("restoration_backbone", 1)
    stage = small_stage(config)
    stage.seed = 1
    small_trainer(tmp_path).fit(stage, datamodule=small_data(config))
    assert stage.scalars["pixel"] != first


@pytest.mark.parametrize("variant", CLASSES)
def test_what_is_shown_and_saved_is_the_averaged_network(variant: str, tmp_path: Path) -> None:
    stage = trained(tmp_path, variant, iterations=2)
    assert isinstance(stage.network, CLASSES[variant])
    batch = small_batch(small_config(variant))
    shown = stage.preview(batch)
    assert list(shown) == ["input", "restored", "face"]
    assert torch.equal(shown["input"], batch["lq"])
    assert torch.equal(shown["face"], batch["hq"])
    assert list(stage.save_weights(tmp_path, {})) == ["restoration_backbone"]
    restorer = build_backbone_restorer(tmp_path / "restoration_backbone.safetensors", torch.device("cpu"))
    torch.testing.assert_close(restorer.restore(batch["lq"]), shown["restored"])
    assert not torch.equal(on_unit_range(stage.network, batch["lq"]).clamp(-1, 1), shown["restored"])


class Halved(nn.Module):
    """Returns what it is given, in half precision."""

    def forward(self, image: Tensor) -> Tensor:
        return image.bfloat16()


def test_dark_tones_survive_bfloat16() -> None:
    """The network's own rounding, 8 bits, is all there is."""
    dark = torch.linspace(0, 0.1, 300).expand(1, 3, 1, 300)
    found = (on_unit_range(Halved(), 2 * dark - 1) + 1) / 2
    torch.testing.assert_close(found, dark, rtol=2**-8, atol=1e-6)
