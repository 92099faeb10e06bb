"""Texture attention, dynamic fusion and every injection against their formulas."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src.networks.dynamic_fusion import DynamicFusion
from src.networks.texture_attention import TextureAttention
from src.networks.texture_injection import (
    AttendedTexture,
    Concatenation,
    FusedTexture,
    SpatialFeatureTransform,
    SpatiallyAdaptiveNorm,
    TextureInjection,
    WindowedCrossAttention,
    texture_injection,
)
from src.settings.codeformer_plus_plus import INJECTIONS
from src.settings.scale import TextureFusionSize

CHANNELS = 8
SIZE = TextureFusionSize(
    widths=[8, 16, 16],
    residual_blocks=1,
    bottleneck_blocks=1,
    norm_groups=4,
    reduction=4,
    offset_groups=2,
    window=3,
    heads=2,
)


def features(*shape: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Identity and texture."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator), torch.randn(*shape, generator=generator)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_attention_sees_both_features_and_their_difference_and_starts_half_open() -> None:
    module = TextureAttention(CHANNELS)
    identity, texture = features(2, CHANNELS, 6, 5)
    first, _, second = module.layers
    assert first.kernel_size == second.kernel_size == (3, 3)
    seen = torch.cat([identity, texture, torch.maximum(identity, texture) - torch.minimum(identity, texture)], dim=1)
    hidden = first(seen)
    expected = 1 / (1 + (-second(hidden * hidden.sigmoid())).exp())
    attention = module(identity, texture)
    torch.testing.assert_close(attention, expected)
    assert attention.min() > 0.2
    assert attention.max() < 0.8


def test_attention_can_refuse_a_texture_for_nothing_but_its_distance_from_the_identity() -> None:
    """Weights by hand: A = sigmoid(5 - 20 SiLU(sum of |F - T| over the channels))."""
    module = TextureAttention(2)
    first, _, second = module.layers
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    with torch.no_grad():
        first.weight[:, 4:, 1, 1] = 1.0
        second.weight[:, :, 1, 1] = -20 * torch.eye(2)
        second.bias.fill_(5.0)
    identity, _ = features(1, 2, 4, 4)
    texture = identity.clone()
    texture[:, :, 2, 3] += 1
    attention = module(identity, texture)
    assert (attention[:, :, 2, 3] < 1e-6).all()
    attention[:, :, 2, 3] = 1
    assert (attention > 0.99).all()


def test_fusion_weights_sum_to_one_and_start_by_keeping_the_identity() -> None:
    module = DynamicFusion(CHANNELS, reduction=4)
    identity, texture = features(3, CHANNELS, 6, 5)
    mixed = module(identity, texture)
    assert mixed.weights.shape == (3, 2, CHANNELS)
    torch.testing.assert_close(mixed.weights.sum(1), torch.ones(3, CHANNELS))
    torch.testing.assert_close(mixed.weights[:, 0], torch.full((3, CHANNELS), 0.8808), rtol=0, atol=0.01)


def test_fusion_is_a_softmax_of_the_mlp_of_pooled_features() -> None:
    module = DynamicFusion(CHANNELS, reduction=2)
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    identity, texture = features(2, CHANNELS, 3, 4)
    first, _, last = module.mlp
    assert first.weight.shape == (4, CHANNELS)
    logits = last(F.silu(first((identity + texture).mean((2, 3)))))
    kept = torch.sigmoid(logits[:, :CHANNELS] - logits[:, CHANNELS:])
    mixed = module(identity, texture)
    torch.testing.assert_close(mixed.weights[:, 0], kept)
    torch.testing.assert_close(mixed.feature, texture + kept[:, :, None, None] * (identity - texture))
    assert mixed.weights.std(dim=0).mean() > 0.01  # of each face its own


def test_concatenation_convolves_both() -> None:
    module = Concatenation(CHANNELS, SIZE)
    identity, texture = features(2, CHANNELS, 6, 5)
    halves = module.conv.weight.chunk(2, dim=1)
    expected = F.conv2d(identity, halves[0], module.conv.bias, padding=1) + F.conv2d(texture, halves[1], padding=1)
    torch.testing.assert_close(module(identity, texture).feature, expected)


def test_the_method_fuses_what_the_ablation_without_fusion_adds() -> None:
    identity, texture = features(2, CHANNELS, 6, 5)
    fused, attended = FusedTexture(CHANNELS, SIZE), AttendedTexture(CHANNELS, SIZE)
    attended.attention.load_state_dict(fused.attention.state_dict())
    whole, part = fused(identity, texture), attended(identity, texture)
    assert torch.equal(whole.attention, part.attention)
    torch.testing.assert_close(part.feature, identity + part.attention * texture)
    mixed = fused.fusion(identity, part.attention * texture)
    assert torch.equal(whole.feature, mixed.feature)
    torch.testing.assert_close(whole.identity_share, mixed.weights[:, 0].mean(1))
    assert part.identity_share is None


@pytest.mark.parametrize("kind", [SpatialFeatureTransform, SpatiallyAdaptiveNorm])
def test_modulation_is_affine_in_the_identity_and_read_from_the_texture(kind: type[nn.Module]) -> None:
    module = kind(CHANNELS, SIZE)
    identity, texture = features(2, CHANNELS, 6, 5)
    if isinstance(module, SpatiallyAdaptiveNorm):
        gamma, beta = module.gamma_beta(module.shared(texture)).chunk(2, dim=1)
        grouped = identity.unflatten(1, (SIZE.norm_groups, -1))
        mean, var = grouped.mean((2, 3, 4), keepdim=True), grouped.var((2, 3, 4), keepdim=True, unbiased=False)
        base = ((grouped - mean) / (var + 1e-5).sqrt()).flatten(1, 2)
    else:
        gamma, beta, base = module.gamma(texture), module.beta(texture), identity
    torch.testing.assert_close(module(identity, texture).feature, base + base * gamma + beta)


@pytest.mark.parametrize("sides", [(6, 9), (4, 5)])
def test_cross_attention_reads_the_texture_of_its_window_only(sides: tuple[int, int]) -> None:
    """Against attention written out for each position; sides that the window does not divide repeat the border."""
    module = WindowedCrossAttention(CHANNELS, SIZE)
    nn.init.normal_(module.relative_position_bias_table)
    identity, texture = features(1, CHANNELS, *sides)
    result = module(identity, texture).feature
    query, normed = module.query(module.norm_identity(identity))[0], module.norm_texture(texture)
    key, value = module.key(normed)[0], module.value(normed)[0]
    height, width = sides
    for y in range(height):
        for x in range(width):
            top, left = y - y % 3, x - x % 3
            cells = [(top + i, left + j) for i in range(3) for j in range(3)]
            at = [(min(i, height - 1), min(j, width - 1)) for i, j in cells]
            keys, values = (torch.stack([part[:, i, j] for i, j in at]).unflatten(1, (2, 4)) for part in (key, value))
            scores = torch.einsum("hd,nhd->nh", query[:, y, x].view(2, 4), keys) / 4**0.5
            rows = torch.tensor([(y - i + 2) * 5 + x - j + 2 for i, j in cells])
            scores = scores + module.relative_position_bias_table[rows]
            read = torch.einsum("nh,nhd->hd", scores.softmax(dim=0), values).flatten()
            projected = module.proj(read[None, :, None, None]).flatten()
            torch.testing.assert_close(result[0, :, y, x], identity[0, :, y, x] + projected)


@pytest.mark.parametrize("name", INJECTIONS)
def test_every_injection_keeps_the_shape_and_layout_and_uses_both_features(name: str) -> None:
    module = texture_injection(name, CHANNELS, SIZE)
    assert isinstance(module, TextureInjection)
    identity, texture = (feature.requires_grad_() for feature in features(2, CHANNELS, 7, 5))
    joined = module(identity, texture)
    assert joined.feature.shape == identity.shape
    assert (joined.attention is None) == (name not in ("attention", "attention_fusion"))
    assert (joined.identity_share is None) == (name != "attention_fusion")
    joined.feature.square().sum().backward()
    for part in (identity, texture, *module.parameters()):
        assert part.grad is not None
        assert part.grad.abs().sum() > 0
    last = module.to(memory_format=torch.channels_last)(
        *(feature.detach().contiguous(memory_format=torch.channels_last) for feature in (identity, texture))
    )
    assert last.feature.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(last.feature, joined.feature)


def test_what_cannot_be_built_is_refused() -> None:
    with pytest.raises(ValueError, match="injection 'add' must be one of concat, attention"):
        texture_injection("add", CHANNELS, SIZE)
    with pytest.raises(ValueError, match="reduction 16 must not be more than the 8 channels"):
        texture_injection("attention_fusion", CHANNELS, replace(SIZE, reduction=16))
    with pytest.raises(ValueError, match="heads 3 must divide every width, got 8"):
        texture_injection("cross_attention", CHANNELS, replace(SIZE, heads=3))
