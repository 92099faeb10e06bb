"""Residual, attention and resampling blocks against closed forms."""

import pytest
import torch
import torch.nn.functional as F

from src.networks.blocks import AttentionBlock, Downsample, ResidualBlock, Upsample


def test_attention_equals_explicit_softmax() -> None:
    torch.manual_seed(0)
    block = AttentionBlock(16, norm_groups=4).double()
    feature = torch.randn(2, 16, 3, 5, dtype=torch.float64)
    query, key, value = (layer(block.norm(feature)).flatten(2) for layer in (block.q, block.k, block.v))
    weights = torch.einsum("bci,bcj->bij", query, key).mul(16**-0.5).softmax(dim=2)
    attended = torch.einsum("bij,bcj->bci", weights, value).view_as(feature)
    torch.testing.assert_close(block(feature), feature + block.proj_out(attended))


@pytest.mark.parametrize(("out_channels", "has_projection"), [(8, False), (12, True)])
def test_residual_block_projects_its_skip_only_on_a_change_of_width(out_channels: int, has_projection: bool) -> None:
    block = ResidualBlock(8, out_channels, norm_groups=4)
    assert ("conv_out.weight" in block.state_dict()) == has_projection
    torch.nn.init.zeros_(block.conv2.weight)
    torch.nn.init.zeros_(block.conv2.bias)
    feature = torch.randn(1, 8, 4, 4)
    expected = feature if block.conv_out is None else block.conv_out(feature)
    assert torch.equal(block(feature), expected)


def test_downsample_pads_right_and_bottom_only() -> None:
    block = Downsample(1)
    with torch.no_grad():
        block.conv.weight.zero_()
        block.conv.bias.zero_()
        block.conv.weight[0, 0, 0, 0] = 1.0
    feature = torch.arange(16.0).view(1, 1, 4, 4)
    assert torch.equal(block(feature), feature[:, :, ::2, ::2])
    with torch.no_grad():
        block.conv.weight[0, 0] = torch.tensor([[0, 0, 0], [0, 0, 0], [0, 0, 1.0]])
    assert torch.equal(block(feature), F.pad(feature, (0, 1, 0, 1))[:, :, 2::2, 2::2])


def test_upsample_repeats_the_nearest_pixel() -> None:
    block = Upsample(1)
    with torch.no_grad():
        block.conv.weight.zero_()
        block.conv.bias.zero_()
        block.conv.weight[0, 0, 1, 1] = 1.0
    feature = torch.arange(4.0).view(1, 1, 2, 2)
    assert torch.equal(block(feature), feature.repeat_interleave(2, 2).repeat_interleave(2, 3))


@pytest.mark.parametrize("block", [ResidualBlock(8, 8, 4), AttentionBlock(8, 4), Downsample(8), Upsample(8)])
def test_channels_last_gives_the_same_values_and_stays_channels_last(block: torch.nn.Module) -> None:
    feature = torch.randn(2, 8, 6, 6)
    expected = block(feature)
    result = block.to(memory_format=torch.channels_last)(feature.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(result, expected)
    assert result.is_contiguous(memory_format=torch.channels_last)
