"""Alignment of features by deformable convolution: its start, its direction, its guide and its gradients."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src.networks.deformable_alignment import DeformableAlignment
from src.networks.feature_alignment import FeatureAlignment
from src.registration.warp import warped

CHANNELS, GROUPS = 8, 2


def feature(seed: int) -> Tensor:
    return torch.randn(2, CHANNELS, 9, 11, generator=torch.Generator().manual_seed(seed))


def alignment(*, flow_guided: bool = False) -> DeformableAlignment:
    torch.manual_seed(0)
    return DeformableAlignment(CHANNELS, GROUPS, flow_guided=flow_guided, reach=3.0)


def head(network: DeformableAlignment) -> nn.Conv2d:
    """The layer that gives offsets and modulation."""
    last = network.offsets[-1]
    assert isinstance(last, nn.Conv2d)
    return last


@torch.no_grad()
def with_offset(network: DeformableAlignment, dx: float, dy: float, modulation: float = 0.0) -> DeformableAlignment:
    """Every tap of every group at this place, whatever the features are."""
    head(network).bias = nn.Parameter(torch.tensor([dx, dy, modulation]).repeat(9 * GROUPS))
    return network


@torch.no_grad()
def test_a_new_one_returns_the_moving_features() -> None:
    network = alignment()
    assert isinstance(network, FeatureAlignment)
    aligned = network(feature(0), feature(1))
    assert torch.equal(aligned.feature, feature(0))
    assert aligned.field is not None
    assert not aligned.field.any()
    assert aligned.penalty == 0


@torch.no_grad()
def test_zero_offsets_give_a_plain_convolution_times_the_modulation() -> None:
    network = with_offset(alignment(), 0, 0, modulation=-1.0)
    network.weight.normal_(generator=torch.Generator().manual_seed(2))
    plain = F.conv2d(feature(0), network.weight, padding=1)
    expected = 2 * torch.tensor(-1.0).sigmoid() * plain
    torch.testing.assert_close(network(feature(0), feature(1)).feature, expected)


@torch.no_grad()
def test_whole_offsets_look_to_the_right_and_upwards() -> None:
    aligned = with_offset(alignment(), 2, -1)(feature(0), feature(1))
    torch.testing.assert_close(aligned.feature[:, :, 1:, :-2], feature(0)[:, :, :-1, 2:])
    assert aligned.field is not None
    torch.testing.assert_close(aligned.field, torch.tensor([2.0, -1.0]).view(1, 2, 1, 1).expand(2, 2, 9, 11))
    assert aligned.penalty.item() == pytest.approx(1.5)


@torch.no_grad()
def test_implied_field_weighs_offsets_by_their_modulation() -> None:
    network = alignment()
    bias = torch.zeros(GROUPS, 9, 3)
    bias[1] = torch.tensor([4.0, 0.0, -100.0])  # the second group looks elsewhere, but hardly counts
    bias[0, :, 1] = 1.0
    head(network).bias = nn.Parameter(bias.flatten())
    field = network(feature(0), feature(1)).field
    assert field is not None
    torch.testing.assert_close(field[0, :, 0, 0], torch.tensor([0.0, 1.0]))


@torch.no_grad()
def test_flow_guided_starts_as_warping_by_the_registration() -> None:
    """With the identity kernel, no offset beyond the field, and at the border too."""
    field = 2 * torch.randn(2, 2, 9, 11, generator=torch.Generator().manual_seed(3))
    aligned = alignment(flow_guided=True)(feature(0), feature(1), field)
    torch.testing.assert_close(aligned.feature, warped(feature(0), field), rtol=1e-4, atol=1e-5)
    assert aligned.penalty == 0


@torch.no_grad()
def test_flow_guided_goes_no_further_than_its_reach_beyond_the_registration() -> None:
    network = with_offset(alignment(flow_guided=True), 50, -50)
    aligned = network(feature(0), feature(1), torch.ones(2, 2, 9, 11))
    assert aligned.field is not None
    torch.testing.assert_close(aligned.field[0, :, 4, 4], torch.tensor([1 + 3.0, 1 - 3.0]))
    assert aligned.penalty.item() == pytest.approx(3.0)


def test_gradient_reaches_every_parameter_and_offsets_can_be_told_apart() -> None:
    network = alignment()
    nn.init.normal_(head(network).weight, std=0.1)
    network(feature(0), feature(1)).feature.square().mean().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []
    offsets = set(network.offset_parameters())
    assert {name for name, p in network.named_parameters() if p not in offsets} == {"weight", "bias"}


def test_impossible_use_is_refused() -> None:
    with pytest.raises(ValueError, match="offset_groups 3 must divide channels 8"):
        DeformableAlignment(8, 3)
    with pytest.raises(ValueError, match="needs the registration field"):
        alignment(flow_guided=True)(feature(0), feature(1))
