"""SRCNN backbones: golden outputs and refusals."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from src.networks import Srcnn, SrcnnSameResolution
from src.settings.scale import SrcnnSize
from tests.diffusion.golden import uniform
from tests.networks.difface_weights import assert_near, golden_networks, with_golden_weights
from tests.small_networks import SRCNN


@pytest.fixture(scope="module")
def arrays(root: Path) -> dict[str, np.ndarray]:
    return golden_networks(root)


@torch.no_grad()
def test_golden_outputs_of_the_plain_network(arrays: dict[str, np.ndarray]) -> None:
    image = uniform(22, 1, 3, 32, 32)
    assert_near(with_golden_weights(Srcnn())(image)[:, :, ::4, ::4], arrays["srcnn.in32.out_s4"])
    assert_near(with_golden_weights(Srcnn(factor=1))(image), arrays["srcnn_sf1.in32.out"])


@pytest.mark.parametrize("downscale", [2, 8])
@torch.no_grad()
def test_golden_outputs_at_the_same_resolution(arrays: dict[str, np.ndarray], downscale: int) -> None:
    network = with_golden_weights(SrcnnSameResolution(SrcnnSize(downscale=downscale, width=64, depth=8)))
    output = network(uniform(23, 1, 3, 64, 64))
    assert_near(output[:, :, ::2, ::2], arrays[f"srcnnfsr_d{downscale}.in64.out_s2"])


@pytest.mark.parametrize(("change", "parameters"), [({"downscale": 2}, 762_355), ({"downscale": 8}, 888_786)])
def test_published_parameters(change: dict[str, int], parameters: int) -> None:
    network = SrcnnSameResolution(replace(SrcnnSize(downscale=2, width=64, depth=8), **change))
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def test_impossible_sizes_and_sides_are_refused() -> None:
    with pytest.raises(ValueError, match="factor 3 must be a power of 2"):
        Srcnn(factor=3)
    for change, message in (
        ({"downscale": 6}, "downscale 6 must be a power of 2"),
        ({"downscale": 1}, "downscale must be at least 2"),
        ({"downscale": 4}, r"width 8 must divide by downscale\^2 = 16"),
    ):
        with pytest.raises(ValueError, match=message):
            SrcnnSameResolution(replace(SRCNN, **change))
    with pytest.raises(ValueError, match="multiples of 2, got an image of 8 x 9"):
        SrcnnSameResolution(SRCNN)(torch.zeros(1, 3, 8, 9))
