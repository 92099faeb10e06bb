"""DifFace's SwinIR backbone: golden outputs, windows, masks of other grids, stochastic depth."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from src.networks import SwinIr
from src.networks.window_attention import (
    WindowAttention,
    from_windows,
    relative_position_index,
    shifted_window_mask,
    to_windows,
)
from tests.diffusion.golden import uniform
from tests.networks.difface_weights import (
    assert_channel_statistics,
    assert_near,
    golden_networks,
    golden_published,
    with_golden_weights,
)
from tests.small_networks import SWINIR


@pytest.fixture(scope="module")
def arrays(root: Path) -> dict[str, np.ndarray]:
    return golden_networks(root)


@pytest.fixture(scope="module")
def published() -> SwinIr:
    network = golden_published("difface_swinir")
    assert isinstance(network, SwinIr)
    return network


def faces(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def test_the_weights_are_those_of_the_official_run(published: SwinIr, arrays: dict[str, np.ndarray]) -> None:
    drawn = [t for key, t in published.state_dict().items() if t.is_floating_point() and "attn_mask" not in key]
    total = sum(tensor.double().abs().sum().item() for tensor in drawn)
    assert total == pytest.approx(arrays["swinir.weight_abs_sum"].item(), rel=1e-9)


@torch.no_grad()
def test_golden_output_of_another_grid(published: SwinIr, arrays: dict[str, np.ndarray]) -> None:
    output = published((uniform(21, 1, 3, 64, 128) + 1) / 2)
    assert_near(output[:, :, ::2, ::2], arrays["swinir.in64x128.out_s2"])


@torch.no_grad()
def test_golden_output_at_512(published: SwinIr, arrays: dict[str, np.ndarray]) -> None:
    output = published((uniform(20, 1, 3, 512, 512) + 1) / 2)
    assert_near(output[:, :, ::8, ::8], arrays["swinir.in512.out_s8"])
    assert_channel_statistics(output, arrays["swinir.in512.ch_mean"], arrays["swinir.in512.ch_std"])


def test_windows_are_cut_row_by_row_and_put_back() -> None:
    tokens = torch.arange(2 * 6 * 9 * 2).view(2, 6, 9, 2).float()
    windows = to_windows(tokens, 3)
    assert windows.shape == (2, 6, 9, 2)
    assert torch.equal(windows[1, 4], tokens[1, 3:6, 3:6].flatten(0, 1))
    assert torch.equal(from_windows(windows, 3, width=9), tokens)


def test_the_mask_hides_exactly_the_tokens_that_the_roll_brought_together() -> None:
    height, width, side, shift = 8, 12, 4, 2
    places = torch.stack(torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij"), dim=2)
    windows = to_windows(places.roll((-shift, -shift), dims=(0, 1))[None], side)[0]
    apart = (windows[:, :, None] - windows[:, None, :]).abs().amax(dim=3) >= side
    assert torch.equal(shifted_window_mask(height, width, side, shift), torch.where(apart, -100.0, 0.0))
    assert apart.any()
    assert not apart[0].any()


def test_window_attention_adds_the_bias_of_the_relative_position() -> None:
    block = with_golden_weights(WindowAttention(6, heads=2, window=3))
    assert isinstance(block, WindowAttention)
    windows, mask = faces(2, 4, 9, 6), -5 * faces(4, 9, 9)
    query, key, value = (part.unflatten(3, (2, 3)) for part in block.qkv(windows).split(6, dim=3))
    scores = torch.einsum("bmihd,bmjhd->bmhij", query, key) / 3**0.5
    for i in range(9):
        for j in range(9):
            row = (i // 3 - j // 3 + 2) * 5 + i % 3 - j % 3 + 2
            assert relative_position_index(3)[i, j] == row
            scores[:, :, :, i, j] += block.relative_position_bias_table[row]
    for given, total in ((None, scores), (mask, scores + mask[:, None])):
        mixed = torch.einsum("bmhij,bmjhd->bmihd", total.softmax(dim=4), value).flatten(3)
        torch.testing.assert_close(block(windows, given), block.proj(mixed))


def test_masks_of_the_trained_grid_are_only_a_copy_of_what_would_be_computed() -> None:
    """The same weights in a network for other images compute the same, so that only the kept masks differ."""
    first, second = (with_golden_weights(SwinIr(replace(SWINIR, image_size=side))) for side in (16, 32))
    for shape in ((16, 16), (32, 32), (8, 24)):
        torch.testing.assert_close(first(faces(1, 3, *shape)), second(faces(1, 3, *shape)))


def test_a_grid_of_one_window_is_not_shifted() -> None:
    network = SwinIr(replace(SWINIR, image_size=8))
    assert not any("attn_mask" in key for key in network.state_dict())


def test_stochastic_depth_rises_over_the_blocks_and_acts_in_training_only() -> None:
    network = with_golden_weights(SwinIr(replace(SWINIR, drop_path=0.6)))
    blocks = [block for layer in network.layers for block in layer.residual_group["blocks"]]
    assert [block.drop_path.p for block in blocks] == pytest.approx([0, 0.2, 0.4, 0.6])
    image = faces(4, 3, 32, 32)
    without = with_golden_weights(SwinIr(SWINIR))(image)
    assert torch.equal(network(image), without)
    network.train()
    torch.manual_seed(1)
    first = network(image)
    torch.manual_seed(1)
    assert torch.equal(network(image), first)
    assert not torch.allclose(network(image), first, atol=1e-3)


@torch.no_grad()
def test_bf16_and_channels_last_give_the_same_within_their_precision() -> None:
    network = with_golden_weights(SwinIr(SWINIR))
    image = faces(2, 3, 16, 32)
    expected = network(image)
    with torch.autocast("cpu", torch.bfloat16):
        halved = network(image)
    assert 0 < (halved.float() - expected).abs().max() < 0.1
    network.to(memory_format=torch.channels_last)
    torch.testing.assert_close(network(image), expected, rtol=1e-4, atol=1e-5)


def test_every_parameter_learns_in_a_new_network() -> None:
    torch.manual_seed(0)
    network = SwinIr(SWINIR)
    network(faces(1, 3, 32, 32)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@pytest.mark.parametrize("shape", [(16, 20), (4, 8)])
def test_sides_must_be_multiples_of_a_window(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=rf"multiples of 8, got an image of {shape[0]} x {shape[1]}"):
        SwinIr(SWINIR)(torch.zeros(1, 3, *shape))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": [2]}, r"depths \[2, 2\] and heads \[2\]"),
        ({"heads": [2, 5]}, "heads 5 must divide width 12"),
        ({"downscale": 3}, "downscale 3 must be a power of 2"),
        ({"image_size": 36}, "image_size 36 must be a multiple"),
    ],
)
def test_impossible_sizes_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SwinIr(replace(SWINIR, **change))
