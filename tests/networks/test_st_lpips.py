"""Shift-tolerant LPIPS."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from src.checkpoints.catalogue import find_weights, load_weights
from src.networks.st_lpips import BlurDownsample, ShiftTolerantLpips

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def network() -> ShiftTolerantLpips:
    weights = str(ROOT.parent / "shared" / "weights")
    if not find_weights("st_lpips_alex", weights):
        pytest.skip("the weights of ST-LPIPS are in neither ../shared/weights nor an installed package")
    network = ShiftTolerantLpips()
    network.load_state_dict(load_weights("st_lpips_alex", weights))
    return network.eval().requires_grad_(False)


def images(count: int) -> Tensor:
    return torch.rand(count, 3, 48, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_distances_equal_the_packages(network: ShiftTolerantLpips, shared: Path) -> None:
    expected = np.load(shared / "weights" / "stlpips" / "expected.npz")
    pair = [
        torch.from_numpy(expected[name]).permute(0, 3, 1, 2).float() / 127.5 - 1 for name in ("a_rgb_128", "b_rgb_128")
    ]
    np.testing.assert_allclose(network(*pair).numpy(), expected["distance"], rtol=0, atol=1e-6)


def test_equal_images_have_distance_zero_and_every_pair_its_own(network: ShiftTolerantLpips) -> None:
    first, second = images(4).split(2)
    assert torch.equal(network(first, first), torch.zeros(2))
    together = network(first, second)
    assert (together > 0.01).all()
    torch.testing.assert_close(together, torch.cat([network(first[i : i + 1], second[i : i + 1]) for i in range(2)]))
    torch.testing.assert_close(together, network(second, first))


def test_the_gradient_reaches_the_first_image_and_lowers_the_distance(network: ShiftTolerantLpips) -> None:
    first, second = images(2).split(1)
    first.requires_grad_()
    before = network(first, second)
    (gradient,) = torch.autograd.grad(before.sum(), first)
    after = network(first.detach() - 0.01 * gradient / gradient.norm(), second)
    assert after < before.detach()


@pytest.mark.parametrize("level", [-1.0, 0.0, 1.0])
def test_the_gradient_of_a_constant_image_is_finite(network: ShiftTolerantLpips, level: float) -> None:
    first = torch.full((1, 3, 48, 48), level, requires_grad=True)
    for target in (images(1), torch.full((1, 3, 48, 48), level)):
        (gradient,) = torch.autograd.grad(network(first, target).sum(), first)
        assert gradient.isfinite().all()


def test_the_gradient_is_finite_where_every_channel_is_zero() -> None:
    torch.manual_seed(0)
    network = ShiftTolerantLpips()
    for name, filter_ in network.net.named_buffers():
        filter_.fill_(1 / 9)
        assert name.endswith("filt")
    stem = network.get_submodule("net.slice1.0")
    with torch.no_grad():
        stem.get_parameter("weight").abs_()
        stem.get_parameter("bias").zero_()
    dark = torch.zeros(1, 3, 48, 48, requires_grad=True)
    assert not network.net.slice1(dark).any(), "the case this test is about"
    bright = torch.ones(1, 3, 48, 48, requires_grad=True)
    for first, second in ((dark, bright.detach()), (dark, dark.detach()), (bright, dark.detach())):
        (gradient,) = torch.autograd.grad(network.eval()(first, second).sum(), first)
        assert gradient.isfinite().all()


def test_blur_halves_the_side_and_keeps_a_constant() -> None:
    blur = BlurDownsample(2)
    taps = torch.tensor([1.0, 2.0, 1.0])
    blur.filt.copy_((torch.outer(taps, taps) / 16).expand(2, 1, 3, 3))
    torch.testing.assert_close(blur(torch.full((1, 2, 9, 8), 0.7)), torch.full((1, 2, 6, 5), 0.7))
