"""The networks behind learned registrations."""

from dataclasses import replace

import pytest
import torch

from src.networks.displacement_unet import HEAD_DEVIATION, DisplacementUnet, field_head
from src.networks.parameter_regressor import ParameterRegressor
from src.settings.scale import AffineRegistrationSize, DenseRegistrationSize

VOXELMORPH = DenseRegistrationSize(
    encoder_widths=[16, 32, 32, 32], decoder_widths=[32, 32, 32, 32], final_widths=[32, 16, 16]
)
SMALL = DenseRegistrationSize(encoder_widths=[4, 6], decoder_widths=[5, 3], final_widths=[4])


def _weights(shapes: list[tuple[int, int]]) -> int:
    return sum(9 * before * after + after for before, after in shapes)


@pytest.mark.parametrize(("half", "before_final"), [(False, 32 + 2), (True, 32)])
def test_layers_are_those_of_voxelmorph(half: bool, before_final: int) -> None:
    network = DisplacementUnet(VOXELMORPH, 2, half_resolution=half)
    down = [(2, 16), (16, 32), (32, 32), (32, 32)]
    # A layer on the way up sees the one below and the encoder's map of its side.
    up = [(32, 32), (32 + 32, 32), (32 + 32, 32), (32 + 16, 32)]
    final = [(before_final, 32), (32, 16), (16, 16), (16, 2)]
    assert sum(parameter.numel() for parameter in network.parameters()) == _weights([*down, *up, *final])


@pytest.mark.parametrize(("half", "final"), [(False, [4]), (True, [4]), (False, []), (True, [])])
def test_the_field_has_the_side_of_the_image_or_half_of_it(half: bool, final: list[int]) -> None:
    network = DisplacementUnet(replace(SMALL, final_widths=final), 6, half_resolution=half)
    pair = torch.randn(3, 6, 24, 16)
    side = (12, 8) if half else (24, 16)
    assert network(pair).shape == (3, 2, *side)
    assert network.features(pair).shape == (3, network.width, *side)


def test_a_fresh_field_is_almost_zero_and_its_head_normal() -> None:
    torch.manual_seed(0)
    assert DisplacementUnet(SMALL, 6)(torch.randn(2, 6, 16, 16)).abs().max() < 1e-3
    head = field_head(64)
    assert head.weight.std().item() == pytest.approx(HEAD_DEVIATION, rel=0.1)
    assert not bool(head.bias.any())
    assert field_head(8, deviation=0.0, bias=-10.0)(torch.randn(1, 8, 4, 4)).unique().tolist() == [-10.0]


def test_the_whole_image_decides_about_the_whole_field() -> None:
    torch.manual_seed(0)
    network = DisplacementUnet(VOXELMORPH, 2)
    pair = torch.randn(1, 2, 32, 32, requires_grad=True)
    network(pair)[0, :, 16, 16].sum().backward()
    assert pair.grad is not None
    assert bool(pair.grad.any(dim=1).all())


def test_regressed_numbers_start_at_zero_for_any_side_and_tell_places_apart() -> None:
    torch.manual_seed(0)
    regressor = ParameterRegressor(AffineRegistrationSize(widths=[8, 8]), 2, outputs=5)
    for height, width in ((16, 16), (64, 32), (20, 36)):
        assert torch.equal(regressor(torch.randn(3, 2, height, width)), torch.zeros(3, 5))
    torch.nn.init.normal_(regressor.head.weight)
    picture = torch.randn(1, 2, 16, 16)
    apart = regressor(picture) - regressor(picture.roll(8, dims=3))
    assert apart.abs().min() > 1e-3


def test_impossible_sizes_and_sides_are_refused() -> None:
    with pytest.raises(ValueError, match=r"encoder_widths \[4, 6\] and decoder_widths \[5\] must be as many"):
        DisplacementUnet(replace(SMALL, decoder_widths=[5]), 6)
    with pytest.raises(ValueError, match="multiples of 4, got an image of 16 x 18"):
        DisplacementUnet(SMALL, 6)(torch.zeros(1, 6, 16, 18))
    with pytest.raises(ValueError, match="multiples of 4, got an image of 18 x 16"):
        ParameterRegressor(AffineRegistrationSize(widths=[8, 8]), 2, outputs=5)(torch.zeros(1, 2, 18, 16))
