"""VQ autoencoder: published block lists, any size, quantiser and its gradients."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from src.checkpoints.published import AUTOENCODER_SIZE
from src.networks import VectorQuantizer, VqAutoencoder
from src.networks.encoder import Encoder
from src.networks.generator import Generator
from src.settings.scale import VqAutoencoderSize

TINY = VqAutoencoderSize(
    image_size=64,
    width=16,
    multipliers=[1, 2, 4, 4],
    residual_blocks=1,
    attention_sizes=[8],
    norm_groups=8,
    codebook_size=32,
    code_dim=12,
)


def test_published_taps_points_and_parameters() -> None:
    with torch.device("meta"):
        network = VqAutoencoder(AUTOENCODER_SIZE)
    assert network.encoder.taps == {512: 2, 256: 5, 128: 8, 64: 11, 32: 14, 16: 18}
    assert network.generator.points == {16: 6, 32: 9, 64: 12, 128: 15, 256: 18, 512: 21}
    assert len(network.encoder.blocks) == len(network.generator.blocks) == 25
    assert sum(p.numel() for p in network.parameters()) == 63_740_099
    assert sum(p.numel() for p in network.encoder.parameters()) == 29_416_000
    assert sum(p.numel() for p in network.generator.parameters()) == 34_061_955
    assert network.last_layer is network.get_parameter("generator.blocks.24.weight")


@pytest.mark.parametrize("attention_sizes", [[8], [], [16, 8]])
@pytest.mark.parametrize("residual_blocks", [1, 2])
def test_taps_and_points_have_their_level_s_shape(attention_sizes: list[int], residual_blocks: int) -> None:
    size = replace(TINY, attention_sizes=attention_sizes, residual_blocks=residual_blocks)
    channels = {64: 16, 32: 32, 16: 64, 8: 64}
    latent, features = Encoder(size)(torch.randn(1, 3, 64, 64), channels)
    assert latent.shape == (1, 12, 8, 8)
    assert {side: tuple(f.shape) for side, f in features.items()} == {s: (1, c, s, s) for s, c in channels.items()}
    seen: dict[int, tuple[int, ...]] = {}

    def change(side: int):
        def note(feature: torch.Tensor) -> torch.Tensor:
            seen[side] = tuple(feature.shape)
            return feature

        return note

    image = Generator(size)(latent, {side: change(side) for side in channels})
    assert image.shape == (1, 3, 64, 64)
    assert seen == {side: (1, c, side, side) for side, c in channels.items()}


@pytest.mark.parametrize(
    ("change", "message"), [({"image_size": 60}, "cannot be halved"), ({"attention_sizes": [7]}, r"\[7\].*\[64, 32")]
)
def test_impossible_sizes_are_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VqAutoencoder(replace(TINY, **change))


def test_reconstruction_of_codes_equals_the_forward_pass() -> None:
    torch.manual_seed(0)
    network = VqAutoencoder(TINY)
    image = torch.rand(2, 3, 64, 128) * 2 - 1
    result = network(image)
    assert torch.equal(network.codes(image), result.codes)
    assert result.codes.shape == (2, 8, 16)
    decoded = network.decode(network.quantize.lookup(result.codes))
    torch.testing.assert_close(decoded, result.image, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(network.encode(image), result.latent)


def test_quantizer_finds_the_nearest_entry_and_has_the_published_gradients() -> None:
    torch.manual_seed(0)
    quantizer = VectorQuantizer(20, 6)
    torch.nn.init.normal_(quantizer.embedding.weight)
    latent = torch.randn(2, 6, 3, 4, requires_grad=True)
    result = quantizer(latent, beta=0.25)

    points = latent.permute(0, 2, 3, 1).reshape(-1, 6)
    squared = (points[:, None] - quantizer.embedding.weight[None]).square().sum(2)
    torch.testing.assert_close(quantizer.distances(latent), squared, rtol=1e-4, atol=1e-4)
    assert torch.equal(result.codes.flatten(), squared.argmin(1))
    entries = quantizer.lookup(result.codes)
    torch.testing.assert_close(result.latent, entries)
    torch.testing.assert_close(result.codebook_loss, 1.25 * F.mse_loss(entries, latent))

    (straight,) = torch.autograd.grad(result.latent.sum(), latent, retain_graph=True)
    assert torch.equal(straight, torch.ones_like(latent))
    to_latent, to_codebook = torch.autograd.grad(result.codebook_loss, [latent, quantizer.embedding.weight])
    torch.testing.assert_close(to_latent, 2 * (latent - entries) / latent.numel())
    difference = ((entries - latent) / latent.numel()).permute(0, 2, 3, 1).reshape(-1, 6)
    moved = torch.zeros_like(to_codebook).index_add_(0, result.codes.flatten(), 0.25 * 2 * difference)
    torch.testing.assert_close(to_codebook, moved.detach())


def test_codebook_starts_uniform_within_one_over_k() -> None:
    weight = VectorQuantizer(50, 400).embedding.weight
    assert weight.abs().max() <= 1 / 50
    assert weight.std().item() == pytest.approx(2 / 50 / 12**0.5, rel=0.02)


def test_distances_keep_full_precision_under_autocast() -> None:
    torch.manual_seed(0)
    quantizer = VectorQuantizer(256, 64)
    torch.nn.init.normal_(quantizer.embedding.weight)
    latent = torch.randn(1, 64, 16, 16)
    expected, distances = quantizer(latent), quantizer.distances(latent)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = quantizer(latent)
        assert torch.equal(quantizer.distances(latent), distances)
    assert torch.equal(result.codes, expected.codes)
    assert torch.equal(result.codebook_loss, expected.codebook_loss)


def test_autoencoder_trains_under_bfloat16_autocast() -> None:
    torch.manual_seed(0)
    network = VqAutoencoder(TINY)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = network(torch.rand(1, 3, 64, 64))
    (result.image.float().mean() + result.codebook_loss).backward()
    assert result.codebook_loss.dtype == torch.float32
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
