"""Light identity recovery network."""

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from src.networks import RestorationUnet
from src.settings.scale import RestorationUnetSize
from tests.networks.difface_weights import with_golden_weights

SIZE = RestorationUnetSize(widths=[8, 12, 16], residual_blocks=2, norm_groups=4)


@pytest.mark.parametrize("widths", [[8], [8, 12, 16]])
def test_a_new_network_returns_the_image(widths: list[int]) -> None:
    network = RestorationUnet(replace(SIZE, widths=widths))
    assert network.stride == 2 ** (len(widths) - 1)
    image = torch.rand(2, 3, 8, 12)
    assert torch.equal(network(image), image)


def test_every_parameter_and_the_whole_image_have_a_say() -> None:
    network = with_golden_weights(RestorationUnet(SIZE))
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)).requires_grad_()
    network(image)[0, :, 16, 16].sum().backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in network.parameters())
    assert image.grad is not None
    assert bool(image.grad.any(dim=1).all())


def test_it_learns_to_take_away_noise() -> None:
    torch.manual_seed(0)
    network = RestorationUnet(replace(SIZE, residual_blocks=1))
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(25):
        flat = torch.rand(8, 3, 1, 1).expand(-1, -1, 16, 16)
        noisy = flat + 0.2 * torch.randn(8, 3, 16, 16)
        loss = F.l1_loss(network(noisy), flat)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.75 * F.l1_loss(noisy, flat)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"widths": []}, "at least one width"),
        ({"residual_blocks": 0}, "at least one width and one residual block"),
        ({"norm_groups": 8}, r"norm_groups 8 must divide every width, got \[8, 12, 16\]"),
    ],
)
def test_impossible_sizes_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RestorationUnet(replace(SIZE, **change))


def test_sides_must_be_multiples_of_the_stride() -> None:
    with pytest.raises(ValueError, match="multiples of 4, got an image of 16 x 18"):
        RestorationUnet(SIZE)(torch.zeros(1, 3, 16, 18))
