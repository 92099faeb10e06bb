"""The stage that trains DifFace's prior: its objective, what it shows and what it leaves behind."""

from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch import Tensor

from src.degradation.keyed import SampleKey
from src.degradation.keyed_images import keyed_noise
from src.diffusion.forward_process import noised
from src.restorers.prior_file import load_prior
from src.stages.diffusion_prior import NOISE, DiffusionPriorStage
from tests.stages.small import Terms, small_batch, small_config, small_data, small_stage, small_trainer

pytestmark = pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")


def trained(folder: Path, *changes: str, variant: str = "diffusion_prior", iterations: int = 1) -> DiffusionPriorStage:
    config = small_config(variant, iterations, *changes)
    stage = small_stage(config)
    assert isinstance(stage, DiffusionPriorStage)
    small_trainer(folder).fit(stage, datamodule=small_data(config))
    return stage


def untrained(*changes: str) -> DiffusionPriorStage:
    stage = small_stage(small_config("diffusion_prior", 1, *changes))
    assert isinstance(stage, DiffusionPriorStage)
    return stage


def test_the_prior_sees_clean_faces() -> None:
    batch = small_batch(small_config("diffusion_prior"))
    assert torch.equal(batch["lq"], batch["hq"])


def test_the_first_term_is_the_error_of_the_noise_of_seed_iteration_and_place(tmp_path: Path) -> None:
    config, terms = small_config("diffusion_prior", 1), Terms()
    stage, network = small_stage(config), untrained().network
    small_trainer(tmp_path, terms).fit(stage, datamodule=small_data(config))
    faces, keys = small_batch(config)["hq"], [SampleKey(0, 1, place) for place in range(4)]
    z = keyed_noise(keys, NOISE, 32, torch.device("cpu"))
    t, _ = stage.draws.draw(keys, torch.device("cpu"))
    with torch.no_grad():
        error = (network(noised(stage.schedule, faces, t, z), t)[:, :3] - z).square().mean()
    assert terms.of_iteration[0]["mse"] == pytest.approx(error.item(), rel=1e-5)


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_the_hybrid_loss_adds_the_weighted_bound(weight: float, tmp_path: Path) -> None:
    terms = trained(tmp_path, f"diffusion_prior.bound_weight={weight}").scalars
    assert terms.keys() == {"loss", "mse", "bound_bits"}
    torch.testing.assert_close(terms["loss"], terms["mse"] + weight * terms["bound_bits"])


@pytest.mark.parametrize("objective", ["hybrid", "simple"])
def test_only_the_hybrid_objective_trains_the_variance_and_the_file_says_so(objective: str, tmp_path: Path) -> None:
    start = untrained().network.out[2].weight.detach().clone()
    stage = trained(tmp_path, f"diffusion_prior.objective={objective}", "diffusion_prior.process.steps=500")
    head = stage.network.out[2].weight
    assert (stage.scalars.keys() == {"loss", "mse"}) == (objective == "simple")
    assert not torch.equal(head[:3], start[:3])
    assert torch.equal(head[3:], start[3:]) == (objective == "simple")

    assert list(stage.save_weights(tmp_path, {"identity": "x"})) == ["diffusion_prior"]
    prior = load_prior(tmp_path / "diffusion_prior.safetensors")
    state, t = torch.randn(2, 3, 32, 32), torch.tensor([3, 400])
    with torch.no_grad():
        expected = stage.average.network(state, t)
        assert torch.equal(prior(state, t), expected[:, :3] if objective == "simple" else expected)
    assert len(prior.schedule) == 500
    assert (prior.schedule.betas == stage.schedule.betas).all()
    assert asdict(prior.network.size) == asdict(stage.scale.diffusion_unet)


def test_importance_sampling_leaves_its_uniform_start(tmp_path: Path) -> None:
    """So that what the tests of resuming and of two processes compare has depended on the history."""
    importance = trained(tmp_path, variant="importance", iterations=4).draws.importance
    assert importance is not None
    assert importance.count.sum() == 4 * 8
    assert not torch.equal(importance.probabilities(), torch.full((2,), 0.5).double())


def test_the_grid_shows_face_noised_guess_and_sample() -> None:
    stage = untrained("diffusion_prior.process.steps=500")
    faces = small_batch(small_config("diffusion_prior"))["hq"]
    shown = stage.preview({"hq": faces, "lq": faces})
    assert list(shown) == ["face", "noised to 200", "guess", "sample"]
    assert torch.equal(shown["face"], faces)
    assert all(images.shape == faces.shape and images.abs().max() <= 1 for images in shown.values())
    again = stage.preview({"hq": faces[:2], "lq": faces[:2]})
    torch.testing.assert_close(again["sample"], shown["sample"][:2], rtol=0, atol=1e-4)


class Silent(torch.nn.Module):
    """Sees no noise anywhere."""

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return torch.zeros_like(x_t).repeat(1, 2, 1, 1)


def test_the_curve_is_that_of_the_averaged_network_on_the_same_noise_every_time() -> None:
    stage = untrained()
    faces = small_batch(small_config("diffusion_prior"))["hq"]
    first = stage.denoising_curve(faces)
    assert list(first) == [0, 111, 222, 333, 444, 555, 666, 777, 888, 999]
    with torch.no_grad():
        stage.network.out[2].weight.zero_()
    assert stage.denoising_curve(faces) == first
    stage.average.network = Silent()
    z = keyed_noise([SampleKey(0, 0, place) for place in range(len(faces))], NOISE, 32, torch.device("cpu"))
    assert list(stage.denoising_curve(faces).values()) == pytest.approx([z.square().mean().item()] * 10)
