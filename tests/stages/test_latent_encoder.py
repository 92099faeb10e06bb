"""The stage that trains CLR-Face's encoder of degraded faces: its loss, what it shows and what it leaves behind."""

from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from src.checkpoints.files import sha256_of
from src.checkpoints.network_file import load_network, save_network
from src.losses.perceptual import PerceptualLoss
from src.networks.latent_autoencoder import LatentAutoencoder
from src.networks.latent_encoder import LatentEncoder
from src.stages.latent_encoder import LatentEncoderStage
from tests.stages.small import Terms, small_batch, small_data, small_trainer
from tests.stages.small_latent import latent_config, latent_stage
from tests.stages.test_restoration_backbone import SquaredEdges
from tests.stages.test_training import DarkFaces

pytestmark = pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
WEIGHTS = ("latent_encoder.latent=2", "latent_encoder.perceptual=0.3")


def untrained(perceptual: PerceptualLoss | None = None, files: dict[str, Path] | None = None) -> LatentEncoderStage:
    stage = latent_stage(latent_config("latent_encoder", 1, *WEIGHTS), files, perceptual)
    assert isinstance(stage, LatentEncoderStage)
    return stage


def trained(folder: Path, perceptual: PerceptualLoss | None = None) -> LatentEncoderStage:
    stage = untrained(perceptual)
    small_trainer(folder).fit(stage, datamodule=small_data(latent_config("latent_encoder", 1)))
    return stage


def test_the_encoder_starts_as_that_of_clean_faces() -> None:
    stage = untrained()
    batch = small_batch(latent_config("latent_encoder"))
    assert not torch.equal(batch["lq"], batch["hq"])
    shown = stage.preview({"lq": batch["hq"], "hq": batch["hq"]})
    assert list(shown) == ["input", "restored", "reconstruction", "face"]
    torch.testing.assert_close(shown["restored"], shown["reconstruction"])


@pytest.mark.parametrize("with_perceptual", [False, True])
def test_loss_and_gradient_are_those_of_the_formula(with_perceptual: bool, tmp_path: Path) -> None:
    """2 |E_lq(y) - E(x)|^2 on normalised latents + 0.3 LPIPS(G(q(E_lq(y))), x); the autoencoder learns nothing."""
    perceptual = SquaredEdges() if with_perceptual else None
    start = untrained(perceptual)
    network, autoencoder = start.network, start.autoencoder.network
    stage = trained(tmp_path, perceptual)

    batch = small_batch(latent_config("latent_encoder"))
    centre, spread = (values.view(-1, 1, 1) for values in (autoencoder.latent_mean, autoencoder.latent_deviation))
    clean = (autoencoder.encode(batch["hq"]) - centre) / spread
    latent = network(batch["lq"])
    expected = {"latent": (latent - clean).square().mean()}
    if with_perceptual:
        raw = latent * spread + centre
        restored = autoencoder.decode(autoencoder.quantize(raw).latent)
        expected["perceptual"] = SquaredEdges()(restored, batch["hq"])
    torch.testing.assert_close(stage.scalars, {name: value.detach() for name, value in expected.items()})

    (2 * expected["latent"] + 0.3 * expected.get("perceptual", torch.tensor(0.0))).backward()
    for found, direct in zip(stage.network.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(found.grad, direct.grad, rtol=1e-4, atol=1e-7)
    kept = stage.autoencoder.network.state_dict()
    assert all(torch.equal(kept[name], value) for name, value in autoencoder.state_dict().items())


def test_the_distance_to_the_clean_latent_falls(tmp_path: Path) -> None:
    rate, terms = "latent_encoder.training.learning_rate", Terms()
    config = latent_config("latent_encoder", 30, f"{rate}.initial=3e-3", f"{rate}.kind=constant")
    small_trainer(tmp_path, terms).fit(latent_stage(config), datamodule=small_data(config, DarkFaces()))
    curve = [found["latent"] for found in terms.of_iteration]
    assert len(curve) == 30
    assert sum(curve[-5:]) < 0.8 * sum(curve[:5])


def test_the_folder_it_leaves_restores_what_was_shown(tmp_path: Path) -> None:
    """The averaged encoder, and the autoencoder's file as it was."""
    stage, weights = trained(tmp_path), tmp_path / "weights"
    upstream, network = tmp_path / "vqgan_run.safetensors", stage.autoencoder.network
    save_network(upstream, "latent_autoencoder", network, {"autoencoder": asdict(network.size)}, {"run": "x"})
    stage.files = {"latent_autoencoder": upstream}

    written = stage.save_weights(weights, {"identity": "y"})
    paths = {name: weights / f"{name}.safetensors" for name in ("latent_encoder", "latent_autoencoder")}
    assert written == {name: sha256_of(path) for name, path in paths.items()}
    assert paths["latent_autoencoder"].read_bytes() == upstream.read_bytes()

    encoder, autoencoder = (load_network(path).network for path in paths.values())
    assert isinstance(encoder, LatentEncoder)
    assert isinstance(autoencoder, LatentAutoencoder)
    batch = small_batch(latent_config("latent_encoder"))
    with torch.no_grad():
        restored = autoencoder.decoded(encoder(batch["lq"])).clamp(-1, 1)
        assert not torch.equal(stage.network(batch["lq"]), encoder(batch["lq"]))
    assert torch.equal(restored, stage.preview(batch)["restored"])
