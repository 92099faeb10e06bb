"""Smoothness terms of fields."""

import numpy as np
import pytest
import torch
from torch import Tensor

from src.losses.field_regularity import bending_energy, diffusion, edge_aware, irregularity, total_variation
from src.settings.codeformer_plus_plus import REGULARISERS


def coordinates(height: int, width: int) -> tuple[Tensor, Tensor]:
    return torch.arange(width).float().expand(height, width), torch.arange(height).float()[:, None].expand(
        height, width
    )


def rough(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def flat(field: Tensor) -> Tensor:
    return torch.full_like(field[:, :1], 0.3)


@pytest.mark.parametrize("name", REGULARISERS)
def test_a_constant_displacement_is_smooth(name: str) -> None:
    field = torch.tensor([3.0, -7.0]).view(1, 2, 1, 1).repeat(2, 1, 6, 5).requires_grad_()
    value = irregularity(name, field, flat(field), 10.0)
    assert value == 0
    (gradient,) = torch.autograd.grad(value, field)
    assert not gradient.any()


def test_an_affine_field_in_closed_form() -> None:
    """dx = 0.5 x - 0.25 y and dy = 2 y: slopes 0.5, -0.25, 0, 2, and no bending."""
    x, y = coordinates(9, 7)
    field = torch.stack([0.5 * x - 0.25 * y + 3, 2 * y]).expand(2, 2, 9, 7)
    assert diffusion(field).item() == pytest.approx((0.5**2 + 0.25**2 + 2**2) / 4)
    assert total_variation(field).item() == pytest.approx((0.5 + 0.25 + 2) / 4)
    assert bending_energy(field).item() == 0


def test_a_quadratic_field_in_closed_form() -> None:
    """dx = a x^2 / 2 + b x y + c y^2 / 2 has the second derivatives a, b and c everywhere; dy = 0 halves the mean."""
    a, b, c = 0.5, -0.25, 2.0
    x, y = coordinates(5, 8)
    field = torch.stack([a * x * x / 2 + b * x * y + c * y * y / 2, torch.zeros_like(x)])[None]
    assert bending_energy(field).item() == pytest.approx((a * a + 2 * b * b + c * c) / 2)


def test_differences_are_those_of_numpy() -> None:
    field = rough(3, 2, 6, 9)
    across, down = (np.diff(field.double().numpy(), axis=axis) for axis in (3, 2))
    assert diffusion(field).item() == pytest.approx(((across**2).mean() + (down**2).mean()) / 2, rel=1e-5)
    assert total_variation(field).item() == pytest.approx((abs(across).mean() + abs(down).mean()) / 2, rel=1e-5)
    seconds = (np.diff(across, axis=3), np.diff(across, axis=2), np.diff(across, axis=2), np.diff(down, axis=2))
    assert bending_energy(field).item() == pytest.approx(sum((second**2).mean() for second in seconds), rel=1e-5)


def test_edges_let_a_field_change() -> None:
    field = rough(2, 2, 8, 10).requires_grad_()
    image = torch.where(torch.arange(10) < 5, 0.2, 0.9).expand(2, 1, 8, 10)
    torch.testing.assert_close(edge_aware(field, flat(field), 10.0), diffusion(field))
    torch.testing.assert_close(edge_aware(field, image, 0), diffusion(field))
    along, ratio = torch.zeros(2, 2, 8, 10), np.exp(-10 * 0.7)
    along[..., 5:] = 3.0
    assert edge_aware(along, image, 10.0).item() == pytest.approx(ratio * diffusion(along).item(), rel=1e-4)
    away = along.roll(-2, dims=3)
    away[..., 8:] = 3.0
    torch.testing.assert_close(edge_aware(away, image, 10.0), diffusion(away))


def test_the_image_of_edge_aware_is_no_variable() -> None:
    field, image = rough(1, 2, 5, 5).requires_grad_(), torch.rand(1, 1, 5, 5).requires_grad_()
    edge_aware(field, image, 10.0).backward()
    assert field.grad is not None
    assert field.grad.isfinite().all()
    assert image.grad is None


@pytest.mark.parametrize("name", REGULARISERS)
def test_tiny_grids_and_half_precision(name: str) -> None:
    for side in (1, 2):
        field = rough(1, 2, side, side)
        assert irregularity(name, field, flat(field), 10.0).isfinite()
    field = rough(1, 2, 8, 8).bfloat16()
    value = irregularity(name, field, flat(field), 10.0)
    torch.testing.assert_close(value, irregularity(name, field.float(), flat(field).float(), 10.0))


def test_an_unknown_name_is_refused() -> None:
    field = rough(1, 2, 4, 4)
    with pytest.raises(ValueError, match="no regulariser is called 'l2'; there are diffusion, total_variation"):
        irregularity("l2", field, flat(field), 10.0)
