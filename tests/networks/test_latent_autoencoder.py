"""CLR-Face's autoencoder and encoder: statistics of the latent, decoding, gradients, files."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from src.checkpoints.network_file import load_network, save_network
from src.networks import LatentAutoencoder, LatentEncoder
from src.settings.scale import VqAutoencoderSize
from tests.networks.difface_weights import with_golden_weights

SIZE = VqAutoencoderSize(
    image_size=32,
    width=8,
    multipliers=[1, 2, 2],
    residual_blocks=1,
    attention_sizes=[],
    norm_groups=4,
    codebook_size=16,
    code_dim=3,
)
MEAN, DEVIATION = torch.tensor([0.3, -1.2, 4.0]), torch.tensor([0.5, 2.0, 0.01])


@pytest.fixture
def faces() -> Tensor:
    return torch.rand(4, 3, 32, 48, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.fixture
def autoencoder(faces: Tensor) -> LatentAutoencoder:
    """With weights none of which is zero, codes among its latents, and statistics that are not those of its latents."""
    network = with_golden_weights(LatentAutoencoder(SIZE))
    assert isinstance(network, LatentAutoencoder)
    with torch.no_grad():
        latent = network.encode(faces).transpose(0, 1).flatten(1)
        network.quantize.embedding.weight.copy_(latent[:, :: latent.shape[1] // 16][:, :16].t())
    network.set_statistics(MEAN, DEVIATION)
    return network


@torch.no_grad()
def test_measured_statistics_normalise_the_latent(autoencoder: LatentAutoencoder, faces: Tensor) -> None:
    latent = autoencoder.encode(faces)
    autoencoder.set_statistics(latent.mean((0, 2, 3)), latent.std((0, 2, 3), correction=0))
    z = autoencoder.latent_of(faces)
    assert z.shape == (4, 3, 8, 12)
    torch.testing.assert_close(z.mean((0, 2, 3)), torch.zeros(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(z.std((0, 2, 3), correction=0), torch.ones(3), rtol=1e-5, atol=0)
    torch.testing.assert_close(autoencoder.denormalised(z), latent)


@torch.no_grad()
def test_decoding_takes_normalisation_back(autoencoder: LatentAutoencoder, faces: Tensor) -> None:
    z, expected = autoencoder.latent_of(faces), autoencoder(faces)
    assert torch.equal(autoencoder.quantize.nearest(autoencoder.denormalised(z)), expected.codes)
    torch.testing.assert_close(autoencoder.decoded(z), expected.image, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        autoencoder.decoded_continuous(z), autoencoder.decode(autoencoder.encode(faces)), rtol=1e-4, atol=1e-4
    )
    assert not torch.allclose(autoencoder.decoded(z), autoencoder.decoded_continuous(z), atol=1e-2)


def test_the_gradient_passes_the_quantiser_as_if_it_were_not_there(autoencoder: LatentAutoencoder) -> None:
    torch.manual_seed(0)
    z = torch.randn(2, 3, 8, 8, requires_grad=True)
    image = autoencoder.decoded(z)
    weights = torch.randn_like(image)
    (through,) = torch.autograd.grad(image, z, weights)
    codes = autoencoder.quantize.nearest(autoencoder.denormalised(z))
    entries = autoencoder.quantize.lookup(codes).detach().requires_grad_()
    (behind,) = torch.autograd.grad(autoencoder.decode(entries), entries, weights)
    torch.testing.assert_close(through, behind * DEVIATION.view(-1, 1, 1), rtol=1e-3, atol=1e-4)
    (without,) = torch.autograd.grad(autoencoder.decoded_continuous(z), z, weights)
    assert not torch.allclose(through, without, rtol=0.1)


@torch.no_grad()
def test_latents_stay_float32_under_autocast(autoencoder: LatentAutoencoder, faces: Tensor) -> None:
    encoder = LatentEncoder.of(autoencoder)
    with torch.autocast("cpu", torch.bfloat16):
        assert autoencoder.encode(faces).dtype == torch.bfloat16
        assert autoencoder.latent_of(faces).dtype == encoder(faces).dtype == torch.float32
        assert autoencoder.denormalised(autoencoder.encode(faces)).dtype == torch.float32


@torch.no_grad()
def test_the_degraded_encoder_starts_as_the_clean_one(autoencoder: LatentAutoencoder, faces: Tensor) -> None:
    before = torch.random.get_rng_state()
    encoder = LatentEncoder.of(autoencoder)
    assert torch.equal(torch.random.get_rng_state(), before)
    clean = autoencoder.latent_of(faces)
    assert torch.equal(encoder(faces), clean)
    assert all(parameter.requires_grad for parameter in encoder.parameters())
    for tensor in encoder.state_dict().values():
        tensor += 1
    assert torch.equal(autoencoder.latent_of(faces), clean)
    assert not torch.allclose(encoder(faces), clean)


@pytest.mark.parametrize("kind", ["latent_autoencoder", "latent_encoder"])
def test_files_keep_the_statistics_bit_for_bit(autoencoder: LatentAutoencoder, kind: str, tmp_path: Path) -> None:
    network = autoencoder if kind == "latent_autoencoder" else LatentEncoder.of(autoencoder)
    save_network(tmp_path / "a.safetensors", kind, network, {"autoencoder": vars(SIZE)}, {})
    loaded = load_network(tmp_path / "a.safetensors").network
    assert isinstance(loaded, LatentAutoencoder | LatentEncoder)
    assert torch.equal(loaded.latent_mean, MEAN)
    assert torch.equal(loaded.latent_deviation, DEVIATION)


def test_before_they_are_set_statistics_change_nothing() -> None:
    latent = torch.randn(1, 3, 4, 4)
    network = LatentAutoencoder(SIZE)
    assert torch.equal(network.normalised(latent), latent)
    assert torch.equal(network.denormalised(latent), latent)
    assert network.latent_mean.shape == (3,)


@pytest.mark.parametrize(
    ("mean", "deviation"),
    [([0.0, 0.0], [1.0, 1.0]), ([0.0] * 3, [1.0, 0.0, 1.0]), ([0.0, float("nan"), 0.0], [1.0] * 3)],
)
def test_statistics_that_cannot_normalise_are_refused(mean: list[float], deviation: list[float]) -> None:
    network = LatentAutoencoder(SIZE)
    with pytest.raises(ValueError, match=r"expected 3 channels|deviations positive"):
        network.set_statistics(torch.tensor(mean), torch.tensor(deviation))
    assert torch.equal(network.latent_deviation, torch.ones(3))


@pytest.mark.parametrize("channels", [3, 16])
def test_attention_is_left_to_the_middle_block(channels: int) -> None:
    network = LatentAutoencoder(replace(SIZE, code_dim=channels))
    for part in (network.encoder, network.generator):
        assert [type(block).__name__ for block in part.blocks].count("AttentionBlock") == 1
    image = torch.rand(1, 3, 16, 24)
    z = network.latent_of(image)
    assert z.shape == (1, channels, 4, 6)
    assert network.decoded(z).shape == image.shape
