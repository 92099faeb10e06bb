"""Patch discriminator."""

import pytest
import torch
from torch import nn

from src.networks import PatchDiscriminator
from src.settings.scale import DiscriminatorSize


def test_published_parameters_and_map() -> None:
    with torch.device("meta"):
        network = PatchDiscriminator(DiscriminatorSize(width=64, layers=4))
        assert network(torch.zeros(1, 3, 512, 512)).shape == (1, 1, 30, 30)
    assert sum(p.numel() for p in network.parameters()) == 6_960_961
    assert len(network.state_dict()) == 28


@pytest.mark.parametrize(("layers", "side"), [(2, 14), (3, 6), (4, 2)])
def test_widths_double_up_to_eight_times(layers: int, side: int) -> None:
    network = PatchDiscriminator(DiscriminatorSize(width=4, layers=layers))
    convolutions = [module for module in network.main if isinstance(module, nn.Conv2d)]
    widths = [4 * min(2**n, 8) for n in range(layers + 1)]
    assert [c.out_channels for c in convolutions] == [*widths, 1]
    assert [c.stride[0] for c in convolutions] == [2] * layers + [1, 1]
    assert [c.bias is not None for c in convolutions] == [True] + [False] * layers + [True]
    assert network(torch.randn(2, 3, 64, 64)).shape == (2, 1, side, side)
