"""DifFace's diffusion prior: golden outputs, sides, attention, autocast and what a new network computes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from src.networks import DiffusionUnet
from src.networks.diffusion_unet_blocks import AttentionBlock, Float32GroupNorm
from src.networks.timestep_embedding import timestep_sinusoid
from tests.diffusion.golden import uniform
from tests.networks.difface_weights import (
    assert_channel_statistics,
    assert_near,
    golden_networks,
    golden_published,
    with_golden_weights,
)
from tests.small_networks import DIFFUSION_UNET


@pytest.fixture(scope="module")
def arrays(root: Path) -> dict[str, np.ndarray]:
    return golden_networks(root)


@pytest.fixture(scope="module")
def published() -> DiffusionUnet:
    network = golden_published("difface_unet512")
    assert isinstance(network, DiffusionUnet)
    return network


@pytest.fixture
def small() -> DiffusionUnet:
    """A small network none of whose weights is zero."""
    network = with_golden_weights(DiffusionUnet(DIFFUSION_UNET))
    assert isinstance(network, DiffusionUnet)
    return network


def test_the_weights_are_those_of_the_official_run(published: DiffusionUnet, arrays: dict[str, np.ndarray]) -> None:
    total = sum(tensor.double().abs().sum().item() for tensor in published.state_dict().values())
    assert total == pytest.approx(arrays["unet.weight_abs_sum"].item(), rel=1e-9)
    probe = published.get_parameter("input_blocks.0.0.weight").flatten()[:8]
    np.testing.assert_array_equal(probe.detach().numpy(), arrays["unet.weight_probe"])


def test_golden_timesteps(published: DiffusionUnet, arrays: dict[str, np.ndarray]) -> None:
    t = torch.tensor([0, 10, 99, 999])
    assert_near(timestep_sinusoid(t, 32), arrays["unet.time_sinusoid"])
    assert_near(published.time_embed(t), arrays["unet.time_embed"])
    assert_near(published.time_embed(t.double()), arrays["unet.time_embed"])


@torch.no_grad()
def test_golden_blocks_and_output_at_64(published: DiffusionUnet, arrays: dict[str, np.ndarray]) -> None:
    statistics: list[Tensor] = []
    blocks = [*published.input_blocks, published.middle_block, *published.output_blocks]
    handles = [
        block.register_forward_hook(
            lambda _module, _inputs, out: statistics.append(torch.stack([out.double().mean(), out.double().std()]))
        )
        for block in blocks
    ]
    output = published(uniform(5, 3, 3, 64, 64), torch.tensor([0, 10, 99]))
    for handle in handles:
        handle.remove()
    assert_near(torch.stack(statistics), arrays["unet.in64.block_mean_std"])
    assert_near(output[:, :, ::2, ::2], arrays["unet.in64.out_s2"])


@torch.no_grad()
def test_golden_output_of_a_rectangle(published: DiffusionUnet, arrays: dict[str, np.ndarray]) -> None:
    output = published(uniform(6, 1, 3, 128, 64), torch.tensor([500]))
    assert_near(output[:, :, ::2, ::2], arrays["unet.in128x64.out_s2"])


@torch.no_grad()
def test_golden_output_at_512(published: DiffusionUnet, arrays: dict[str, np.ndarray]) -> None:
    output = published(uniform(7, 1, 3, 512, 512), torch.tensor([99]))
    assert_near(output[:, :, ::16, ::16], arrays["unet.in512.t99.out_s16"])
    assert_channel_statistics(output, arrays["unet.in512.t99.ch_mean"], arrays["unet.in512.t99.ch_std"])


def test_attention_is_softmax_of_scaled_products_per_head() -> None:
    torch.manual_seed(0)
    block = with_golden_weights(AttentionBlock(12, head_width=4, norm_groups=3))
    assert isinstance(block, AttentionBlock)
    feature = torch.randn(2, 12, 3, 5)
    qkv = block.qkv(block.norm(feature).flatten(2))
    heads = []
    for head in qkv.split(12, dim=1):
        query, key, value = head.split(4, dim=1)
        weights = (torch.einsum("bdi,bdj->bij", query, key) / 2).softmax(dim=2)
        heads.append(torch.einsum("bij,bdj->bdi", weights, value))
    expected = feature + block.proj_out(torch.cat(heads, 1)).view_as(feature)
    torch.testing.assert_close(block(feature), expected)


def test_a_new_network_ignores_the_timestep_and_reaches_every_parameter() -> None:
    torch.manual_seed(0)
    network = DiffusionUnet(DIFFUSION_UNET).eval()
    image = torch.randn(1, 3, 32, 32)
    output = network(image, torch.tensor([3]))
    assert torch.equal(output, network(image, torch.tensor([900])))
    assert output.std() > 0.1
    output.square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_each_image_has_its_own_timestep(small: DiffusionUnet) -> None:
    images, t = uniform(0, 3, 3, 32, 16), torch.tensor([0, 400, 999])
    together = small(images, t)
    alone = torch.cat([small(images[i : i + 1], t[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(together, small(images, t.flip(0)), atol=1e-2)


@torch.no_grad()
def test_channels_last_and_bf16_give_the_same_within_their_precision(small: DiffusionUnet) -> None:
    images, t = uniform(0, 2, 3, 32, 32), torch.tensor([5, 500])
    expected = small(images, t)
    with torch.autocast("cpu", torch.bfloat16):
        halved = small(images, t)
    assert halved.dtype == torch.float32
    assert 0 < (halved - expected).abs().max() < 0.1 * expected.std()
    small.to(memory_format=torch.channels_last)
    last = small(images.contiguous(memory_format=torch.channels_last), t)
    assert last.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(last, expected, rtol=1e-4, atol=1e-5)


def test_the_norm_of_half_precision_features_is_computed_in_float32() -> None:
    feature = (1000 + torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0))).half()
    normed = Float32GroupNorm(2, 4)(feature)
    assert normed.dtype == torch.float16
    torch.testing.assert_close(normed, F.group_norm(feature.double(), 2).half(), rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize("shape", [(30, 32), (32, 6)])
def test_sides_must_be_multiples_of_the_stride(small: DiffusionUnet, shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=rf"multiples of 4, got an image of {shape[0]} x {shape[1]}"):
        small(torch.zeros(1, 3, *shape), torch.tensor([0]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"residual_blocks": [1, 1]}, r"residual_blocks \[1, 1\] and multipliers"),
        ({"width": 9, "norm_groups": 3}, "width 9 must be even"),
        ({"norm_groups": 3}, "multiple of norm_groups 3"),
        ({"head_width": 5}, "head_width 5 must divide the 16 channels"),
        ({"attention_sizes": [7]}, r"attention_sizes \[7\]"),
        ({"image_size": 30}, "cannot be halved"),
    ],
)
def test_impossible_sizes_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DiffusionUnet(replace(DIFFUSION_UNET, **change))
