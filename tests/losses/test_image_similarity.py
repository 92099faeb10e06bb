"""Similarities of two images that registration is trained with."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn.functional import avg_pool2d

from src.losses.image_similarity import (
    census,
    charbonnier,
    dissimilarity,
    feature_cosine,
    gaussian_blur,
    local_ncc,
    luma,
    mean_square,
)
from src.settings.codeformer_plus_plus import SIMILARITIES


def pair(*shape: int) -> tuple[Tensor, Tensor]:
    first, second = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
    return first, second


def depths(image: Tensor) -> list[Tensor]:
    """Features of two kinds without a network: colours, squared too, beside a constant; and edges at half the side."""
    halved = avg_pool2d(image, 2)
    edges = torch.cat([halved.diff(dim=2)[..., 1:], halved.diff(dim=3)[..., 1:, :], halved[..., 1:, 1:]], 1)
    return [torch.cat([image, image**2, torch.ones_like(image)], 1), edges]


def correlation_by_loops(first: np.ndarray, second: np.ndarray, window: int, signed: bool) -> float:
    """The sheet's formula window by window, in float64; windows that the border cuts are weighted to whole ones."""
    height, width = first.shape
    reach, values = window // 2, []
    for y in range(height):
        for x in range(width):
            part = slice(max(y - reach, 0), y + reach + 1), slice(max(x - reach, 0), x + reach + 1)
            f, g = first[part] - first[part].mean(), second[part] - second[part].mean()
            whole = window**2 / f.size
            covariance, scale = whole * (f * g).sum(), whole**2 * (f**2).sum() * (g**2).sum() + 1e-5
            values.append(covariance / scale**0.5 if signed else covariance**2 / scale)
    return float(np.mean(values))


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("height", "width", "window"), [(9, 12, 5), (4, 7, 9), (6, 5, 1)])
def test_ncc_is_the_mean_over_windows(height: int, width: int, window: int, signed: bool) -> None:
    first, second = pair(2, 1, height, width)
    second = second * 0.7 + first * 0.3
    expected = [
        correlation_by_loops(f.numpy(), g.numpy(), window, signed)
        for f, g in zip(first[:, 0].double(), second[:, 0].double(), strict=True)
    ]
    assert local_ncc(first, second, window, signed).tolist() == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("window", [3, 9, 41])
def test_ncc_does_not_see_contrast_and_brightness(window: int) -> None:
    """Sheet, section 10, item 5; a falling map is a mismatch to the signed form only."""
    first, _ = pair(2, 3, 48, 40)
    for signed in (False, True):
        torch.testing.assert_close(
            local_ncc(first, 0.4 * first + 0.3, window, signed), torch.ones(2), atol=1e-3, rtol=0
        )
    falling = 0.9 - 0.4 * first
    torch.testing.assert_close(local_ncc(first, falling, window, True), -torch.ones(2), atol=1e-3, rtol=0)
    torch.testing.assert_close(local_ncc(first, falling, window, False), torch.ones(2), atol=1e-3, rtol=0)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("window", [9, 21])
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_float32_is_enough_for_flat_regions(level: float, window: int, signed: bool) -> None:
    """Two thirds of one image are exactly flat and far from its mean: rounding must not look like a match."""
    flat, texture = pair(1, 1, 36, 36)
    flat[..., :24] = level
    expected = correlation_by_loops(flat[0, 0].double().numpy(), texture[0, 0].double().numpy(), window, signed)
    assert local_ncc(flat, texture, window, signed).item() == pytest.approx(expected, abs=1e-4)


def test_ncc_does_not_depend_on_the_zero_level() -> None:
    """Without the mean taken away first, squares near 10^6 would leave nothing of the texture in float32."""
    first, second = pair(1, 1, 24, 24)
    torch.testing.assert_close(
        local_ncc(first + 1000, second, 9, True), local_ncc(first, second, 9, True), atol=2e-3, rtol=0
    )


SMOOTH = ("ncc", "signed_ncc", "mse", "charbonnier", "census", "feature_cosine")


def named(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    return dissimilarity(name.removeprefix("signed_"), 7, name.startswith("signed"), depths)


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_flat_images_have_finite_values_and_gradients(name: str, level: float) -> None:
    flat = torch.full((2, 1, 12, 12), level, requires_grad=True)
    _, texture = pair(2, 1, 12, 12)
    for other in (torch.full_like(flat, level), torch.full_like(flat, 1 - level), texture):
        value = named(name)(flat, other)
        (gradient,) = torch.autograd.grad(value.sum(), flat)
        assert value.isfinite().all()
        assert gradient.isfinite().all()


@pytest.mark.parametrize("name", SMOOTH)
def test_every_dissimilarity_is_least_for_equal_images(name: str) -> None:
    """Blurred noise, moved further and further: the right place is found, face by face."""
    image = torch.from_numpy(gaussian_filter(pair(2, 1, 40, 40)[0].numpy(), (0, 0, 1.5, 1.5))) * 3 - 1
    crop = image[..., 8:32, 8:32]
    values = torch.stack([named(name)(image[..., 8:32, 8 + dx : 32 + dx], crop) for dx in (0, 1, 2, 4)])
    assert values.shape == (4, 2)
    assert (values[0] < values[1]).all()
    assert (values[1] < values[2:]).all()


@pytest.mark.parametrize("name", SMOOTH)
def test_half_precision_is_compared_in_float32(name: str) -> None:
    first, second = (image.bfloat16() for image in pair(2, 1, 12, 12))
    value = named(name)(first, second)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, named(name)(first.float(), second.float()), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", SMOOTH)
def test_a_gradient_step_lowers_the_dissimilarity(name: str) -> None:
    """Against differences of the value along the gradient, in a direction where float32 can tell."""
    first, second = (torch.from_numpy(gaussian_filter(image.numpy(), (0, 0, 1, 1))) for image in pair(1, 1, 16, 16))
    first.requires_grad_()
    (gradient,) = torch.autograd.grad(named(name)(first, second).sum(), first)
    step = 3e-4 * gradient / gradient.abs().max()
    slope = (named(name)(first + step, second) - named(name)(first - step, second)) / 2
    assert slope.item() == pytest.approx((gradient * step).sum().item(), rel=0.05)


def test_the_table_has_every_name_of_the_settings() -> None:
    first, second = pair(1, 1, 8, 8)
    colours = [2 * image.expand(-1, 3, -1, -1) - 1 for image in (first, second)]
    assert {name.removeprefix("signed_") for name in SMOOTH} == set(SIMILARITIES)
    expected = {
        "ncc": -local_ncc(first, second, 5, False),
        "mse": mean_square(first, second),
        "charbonnier": charbonnier(first, second),
        "census": census(first, second, 5),
        "feature_cosine": -feature_cosine(colours[0], colours[1], depths),
    }
    for name, value in expected.items():
        torch.testing.assert_close(dissimilarity(name, 5, False, depths)(first, second), value)
    with pytest.raises(ValueError, match="no similarity is called 'ssim'; there are ncc, mse, charbonnier, census"):
        dissimilarity("ssim", 5, False)
    with pytest.raises(ValueError, match="feature_cosine needs `features`"):
        dissimilarity("feature_cosine", 5, False)


def test_distances_in_closed_form() -> None:
    first = torch.zeros(2, 3, 2, 2)
    second = torch.tensor([0.3, 0.0]).view(2, 1, 1, 1).expand_as(first)
    torch.testing.assert_close(mean_square(first, second), torch.tensor([0.09, 0.0]))
    torch.testing.assert_close(charbonnier(first, second, 0.4), torch.tensor([0.5, 0.4]))


def test_census_counts_each_near_pair_once() -> None:
    """Pair by pair: 3 x 4 pixels, window 3, so neighbours of 8 sides; differences in levels of 255."""
    first, second = pair(1, 1, 3, 4)
    first, second = first / 50, second / 50  # a few levels: far from the saturation of the soft sign
    places = [(y, x) for y in range(3) for x in range(4)]
    counted = []
    for index, (y, x) in enumerate(places):
        for v, u in places[:index]:
            if max(abs(y - v), abs(x - u)) == 1:
                d, e = (255 * (image[0, 0, y, x] - image[0, 0, v, u]).item() for image in (first, second))
                apart = (d / (0.81 + d * d) ** 0.5 - e / (0.81 + e * e) ** 0.5) ** 2
                counted.append(apart / (0.1 + apart))
    assert len(counted) == 3 * 3 + 2 * 4 + 2 * 2 * 3
    assert census(first, second, 3).item() == pytest.approx(np.mean(counted), rel=1e-5)
    assert census(first, second, 9).item() != pytest.approx(np.mean(counted), rel=1e-2)
    assert census(first, second, 1).item() == 0


def test_census_sees_order_not_brightness() -> None:
    first, second = pair(2, 1, 16, 16)
    assert (census(first, first / 2 + 0.25, 7) < 0.02 * census(first, second, 7)).all()
    torch.testing.assert_close(census(first / 2, first / 2 + 0.25, 7), torch.zeros(2), atol=1e-6, rtol=0)
    assert (census(first, 1 - first, 7) > 0.9).all()


def test_luma_of_colours_and_of_grey() -> None:
    corners = torch.tensor([[-1.0, -1, -1], [1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])[..., None, None]
    expected = torch.tensor([0, 1, 0.299, 0.587, 0.114]).view(5, 1, 1, 1)
    torch.testing.assert_close(luma(corners), expected)
    torch.testing.assert_close(luma(2 * expected - 1), expected)
    with pytest.raises(ValueError, match="1 or 3 channels, not 2"):
        luma(corners[:, :2])


@pytest.mark.parametrize(("side", "sigma"), [(24, 1.5), (24, 4.0), (4, 3.0)])
def test_blur_is_a_gaussian_with_the_border_repeated(side: int, sigma: float) -> None:
    image, _ = pair(2, 3, side, side + 3)
    expected = gaussian_filter(
        image.numpy(), (0, 0, sigma, sigma), mode="nearest", radius=(0, 0, *2 * [round(3 * sigma + 0.49)])
    )
    torch.testing.assert_close(gaussian_blur(image, sigma), torch.from_numpy(expected), atol=1e-5, rtol=0)
    assert torch.equal(gaussian_blur(image, 0), image)
    torch.testing.assert_close(gaussian_blur(image, 0.05), image)


@pytest.mark.parametrize("window", [0, 8, -3])
def test_windows_have_a_middle(window: int) -> None:
    image, _ = pair(1, 1, 8, 8)
    for measure in (lambda: local_ncc(image, image, window, False), lambda: census(image, image, window)):
        with pytest.raises(ValueError, match=f"odd and positive, not {window}"):
            measure()
