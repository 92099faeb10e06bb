"""The stage that trains CLR-Face's autoencoder: the start of its codebook, what it learns and what it leaves behind."""

from pathlib import Path

import pytest
import torch

from src.checkpoints.network_file import load_network
from src.networks.k_means import k_means
from src.networks.latent_autoencoder import LatentAutoencoder
from src.stages.autoencoder import AutoencoderStage
from src.stages.latent_vqgan import LatentVqganStage
from tests.stages.small import RandomFaces, Terms, small_batch, small_data, small_stage, small_trainer
from tests.stages.small_latent import latent_config, latent_stage
from tests.stages.test_training import DarkFaces

pytestmark = pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")


def trained(
    folder: Path, stage_name: str, iterations: int, *changes: str, faces: RandomFaces | None = None
) -> tuple[AutoencoderStage, list[dict[str, float]]]:
    config, terms = latent_config(stage_name, iterations, *changes), Terms()
    stage = small_stage(config) if stage_name == "vqgan" else latent_stage(config)
    assert isinstance(stage, AutoencoderStage)
    small_trainer(folder, terms).fit(stage, datamodule=small_data(config, faces))
    return stage, terms.of_iteration


def codes(stage: AutoencoderStage) -> torch.Tensor:
    return stage.network.quantize.embedding.weight.detach()


@pytest.mark.parametrize("name", ["f4", "f8", "f16", "f32"])
def test_a_latent_is_smaller_than_the_face_by_the_factor_of_its_name(name: str) -> None:
    stage = latent_stage(latent_config("latent_vqgan", 1, f"latent_vqgan.latent={name}"))
    side = stage.network.encode(torch.zeros(1, 3, 32, 32)).shape[-1]
    assert side * int(name[1:]) == 32


@pytest.mark.parametrize("stage_name", ["vqgan", "latent_vqgan"])
def test_the_codes_start_as_the_centres_of_the_first_latents(stage_name: str, tmp_path: Path) -> None:
    """Those of the average too. Without a learning rate they are still there after the step."""
    start, rate = f"{stage_name}.codebook.start", f"{stage_name}.training.learning_rate"
    still = (f"{rate}.initial=0", f"{rate}.minimum=0")
    stage, _ = trained(tmp_path, stage_name, 1, f"{start}=k_means", *still)
    with torch.no_grad():
        latent = stage.network.encode(small_batch(latent_config(stage_name))["hq"])
    points, generator = latent.permute(0, 2, 3, 1).flatten(0, 2), torch.Generator().manual_seed(1)
    centres = k_means(points, len(codes(stage)), generator)
    assert torch.equal(codes(stage), centres)
    assert torch.equal(stage.average.network.quantize.embedding.weight, centres)

    uniform, _ = trained(tmp_path, stage_name, 1, f"{start}=uniform", *still)
    assert codes(uniform).abs().max() <= 1 / len(centres)


def test_the_start_keeps_more_codes_in_use_than_a_uniform_one(tmp_path: Path) -> None:
    """All of them at first."""

    def measured(start: str) -> list[dict[str, float]]:
        changes = (f"latent_vqgan.codebook.start={start}", "latent_vqgan.codebook.restart_every=0")
        return trained(tmp_path, "latent_vqgan", 3, *changes)[1]

    centred, uniform = measured("k_means"), measured("uniform")
    assert centred[0]["codebook_usage"] == 1
    for found, other in zip(centred, uniform, strict=True):
        assert found["codebook_usage"] > 1.5 * other["codebook_usage"]
        assert found["codebook_perplexity"] > 1.5 * other["codebook_perplexity"]


def test_the_objective_falls_and_the_discriminator_joins(tmp_path: Path) -> None:
    rate = "latent_vqgan.training.learning_rate"
    changes = (f"{rate}.initial=3e-3", f"{rate}.kind=constant", "latent_vqgan.losses.adversarial_start=28")
    _, terms = trained(tmp_path, "latent_vqgan", 30, *changes, faces=DarkFaces())
    curve = [found["pixel"] for found in terms]
    assert sum(curve[-5:]) < 0.8 * sum(curve[:5])
    assert ["discriminator_fake" in found for found in terms] == [False] * 28 + [True] * 2
    assert all(found["codebook_perplexity"] >= 1 for found in terms)


def test_what_is_saved_is_the_averaged_autoencoder_with_its_statistics(tmp_path: Path) -> None:
    stage, _ = trained(tmp_path, "latent_vqgan", 2)
    assert isinstance(stage, LatentVqganStage)
    mean, deviation = torch.tensor([0.5, -1.0, 2.0]), torch.tensor([0.1, 1.0, 3.0])
    stage.set_statistics(mean, deviation)
    written = stage.save_weights(tmp_path / "weights", {"identity": "x"})
    assert [path.name for path in (tmp_path / "weights").iterdir()] == ["latent_autoencoder.safetensors"]

    loaded = load_network(tmp_path / "weights" / "latent_autoencoder.safetensors")
    assert written == {"latent_autoencoder": loaded.sha256}
    network, faces = loaded.network, small_batch(latent_config("latent_vqgan"))["hq"]
    assert isinstance(network, LatentAutoencoder)
    with torch.no_grad():
        assert torch.equal(network(faces).image, stage.preview({"hq": faces})["reconstruction"])
        latent = network.latent_of(faces)
        by_hand = (network.encode(faces) - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)
        torch.testing.assert_close(latent, by_hand)
        torch.testing.assert_close(stage.network.normalised(network.encode(faces)), by_hand)
        assert not torch.equal(stage.network(faces).image, network(faces).image)
