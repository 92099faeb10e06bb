"""The published networks cost what the public ones do (performance.md 4), counted without computing anything."""

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from src.checkpoints.published import PUBLISHED_NETWORKS


def gigaflops(network: nn.Module, *inputs: Tensor) -> float:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(*inputs)
    return counter.get_total_flops() / 1e9


def test_one_evaluation_of_the_prior() -> None:
    with FakeTensorMode():  # autocast, which the network leaves, knows no meta device
        network = PUBLISHED_NETWORKS["difface_unet512"]()
        assert gigaflops(network, torch.empty(1, 3, 512, 512), torch.zeros(1, dtype=torch.long)) == pytest.approx(
            378.3, rel=2e-3
        )


def test_one_evaluation_of_the_backbone() -> None:
    with torch.device("meta"):  # a fake tensor cannot tell the window masks apart
        network = PUBLISHED_NETWORKS["difface_swinir"]()
        assert gigaflops(network, torch.empty(1, 3, 512, 512)) == pytest.approx(181.5, rel=2e-3)
