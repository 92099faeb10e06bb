"""Alignment of features by local attention: against the plain form, its start, its direction and its memory."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src.networks.feature_alignment import FeatureAlignment
from src.networks.local_attention import Attended, LocalAttention, attend_locally


def feature(seed: int, channels: int = 8, height: int = 9, width: int = 14) -> Tensor:
    return torch.randn(2, channels, height, width, generator=torch.Generator().manual_seed(seed))


def attend_one_by_one(query: Tensor, key: Tensor, value: Tensor, window: int, bias: float) -> Attended:
    """The definition, query by query."""
    batch, _, height, width = query.shape
    radius = window // 2
    feature, displacement = torch.zeros_like(value), torch.zeros(batch, 2, height, width)
    for y in range(height):
        for x in range(width):
            rows = torch.arange(max(y - radius, 0), min(y + radius + 1, height))
            columns = torch.arange(max(x - radius, 0), min(x + radius + 1, width))
            near = (slice(None), slice(None), rows[:, None], columns)
            logits = (query[:, :, y, x, None, None] * key[near]).sum(1)
            logits = logits + bias * ((rows[:, None] == y) & (columns == x))
            weights = logits.flatten(1).softmax(1).view_as(logits)[:, None]
            feature[:, :, y, x] = (weights * value[near]).sum((2, 3))
            displacement[:, 0, y, x] = (weights * (columns - x)).sum((1, 2, 3))
            displacement[:, 1, y, x] = (weights * (rows - y)[:, None]).sum((1, 2, 3))
    return Attended(feature, displacement)


@pytest.mark.parametrize(("window", "block"), [(5, 4), (7, 8), (1, 4), (3, 16)])
def test_blocks_equal_the_definition(window: int, block: int) -> None:
    query, key, value = feature(0), feature(1), feature(2, channels=3)
    found = attend_locally(query, key, value, window=window, centre_bias=torch.tensor(0.7), block=block)
    expected = attend_one_by_one(query, key, value, window, 0.7)
    torch.testing.assert_close(found.feature, expected.feature)
    torch.testing.assert_close(found.displacement, expected.displacement, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_new_one_returns_the_moving_features_but_for_one_per_cent() -> None:
    network = LocalAttention(8, window=5)
    assert isinstance(network, FeatureAlignment)
    moving = feature(0)
    aligned = network(moving, feature(1))
    own = moving[:, :, 2:-2, 2:-2]
    neighbours = (25 * F.avg_pool2d(moving, 5, 1) - own) / 24
    torch.testing.assert_close(aligned.feature[:, :, 2:-2, 2:-2], 0.99 * own + 0.01 * neighbours)
    assert aligned.field is not None
    assert aligned.field.abs().max() < 0.02
    assert aligned.penalty == 0


@torch.no_grad()
def test_a_sharp_one_finds_a_shift() -> None:
    """moving(x + (2, -1)) = fixed(x), with features of unit length."""
    scene = F.normalize(feature(3, channels=16, height=20, width=20), dim=1)
    fixed, moving = scene[:, :, 4:16, 4:16], scene[:, :, 5:17, 2:14]
    network = LocalAttention(16, window=7, temperature=0.01)
    network.centre_bias.zero_()
    for layer in (network.query, network.key):
        nn.init.dirac_(layer.weight)
    aligned = network(moving, fixed)
    assert aligned.field is not None
    torch.testing.assert_close(aligned.feature[:, :, 1:, :-2], fixed[:, :, 1:, :-2])
    shift = torch.tensor([2.0, -1.0]).view(1, 2, 1, 1).expand(2, 2, 11, 10)
    torch.testing.assert_close(aligned.field[:, :, 1:, :-2], shift, rtol=0, atol=1e-3)


def test_gradient_reaches_every_parameter_and_padding_spoils_none() -> None:
    torch.manual_seed(0)
    network = LocalAttention(8, window=3)
    nn.init.normal_(network.query.weight)
    aligned = network(feature(0), feature(1))
    aligned.feature.square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_memory_does_not_grow_with_the_window_times_the_channels() -> None:
    """The window of the largest networks: what is kept for the gradient stays far below window^2 copies of the map."""
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    maps = [torch.zeros(1, 64, 32, 32, requires_grad=True) for _ in range(3)]
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        attend_locally(*maps, window=15, centre_bias=torch.zeros(()))
    assert sum(kept.values()) < 0.15 * 15**2 * maps[0].nbytes


def test_an_even_window_is_refused() -> None:
    with pytest.raises(ValueError, match="window 4 must be odd"):
        LocalAttention(8, window=4)
