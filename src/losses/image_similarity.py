"""How alike two images of one face are, for registration without ground truth (codeformer_plus_plus.md 3.2 and 4).

Images are in [0, 1] unless a line says otherwise, and are compared in float32; every value is one per image.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cosine_similarity

Image: TypeAlias = Float[Tensor, "b c h w"]
Grey: TypeAlias = Float[Tensor, "b 1 h w"]
PerImage: TypeAlias = Float[Tensor, "b"]
Features: TypeAlias = Callable[[Tensor], Sequence[Tensor]]
"""Maps "b c_i h_i w_i" of RGB images "b 3 h w" in [-1, 1], differentiable."""
Dissimilarity: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""One value per image of two grey images "b 1 h w" in [0, 1]; lower is more alike."""

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue (ITU-R BT.601)."""
NCC_EPSILON = 1e-5
CENSUS_KNEE = 0.9
"""Difference of levels (of 255) at which the soft sign of a census transform bends (UFlow)."""
HAMMING_KNEE = 0.1
"""Squared difference of two soft signs that counts one half (UFlow)."""


def luma(image: Image) -> Grey:
    """BT.601 luma, full range, in [0, 1], of RGB or grey images in [-1, 1]."""
    if image.shape[1] not in (1, 3):
        raise ValueError(f"luma needs 1 or 3 channels, not {image.shape[1]}")
    levels = (image.float() + 1) / 2
    if levels.shape[1] == 1:
        return levels
    red, green, blue = (weight * channel for weight, channel in zip(LUMA, levels.split(1, dim=1), strict=True))
    return red + green + blue


def gaussian_blur(image: Image, sigma: int | float) -> Image:
    """Gaussian of deviation `sigma` in pixels, cut at 3 sigma; the border is repeated outside, sigma 0 changes nothing."""
    if sigma <= 0:
        return image.float()
    rows, columns = (_gaussian_means(side, sigma, image.device) for side in image.shape[-2:])
    return rows @ image.float() @ columns.mT


def local_ncc(first: Image, second: Image, window: int, signed: bool) -> PerImage:
    """Mean over pixels and channels of the normalised cross-correlation in a window around each pixel.

    Squared, cov^2 / (var var + eps), in [0, 1]; signed, cov / sqrt(var var + eps), in [-1, 1]; eps 1e-5 for sums over
    `window` x `window` pixels. At the border the window is the part of it inside the image, weighted to a whole one.
    Sheet, 3.2; VoxelMorph, arXiv 1809.05231.

    Raises:
        ValueError: `window` is even or not positive.
    """
    _radius(window)
    # Sums of squares lose what they have in common in float32; a window's moments do not depend on the image's mean.
    first, second = (image.float() - image.float().mean((2, 3), keepdim=True) for image in (first, second))
    maps = torch.stack([first, second, first * first, second * second, first * second])
    # Two products with matrices: in training on a CPU several times as fast as pooling.
    rows, columns = (_box_means(side, window, maps.device) for side in maps.shape[-2:])
    mean_first, mean_second, square_first, square_second, product = rows @ maps @ columns.mT
    pixels = window * window
    covariance = pixels * (product - mean_first * mean_second)
    variance_first = pixels * (square_first - mean_first**2).clamp_min(0)
    variance_second = pixels * (square_second - mean_second**2).clamp_min(0)
    scale = variance_first * variance_second + NCC_EPSILON
    correlation = covariance / scale.sqrt() if signed else covariance**2 / scale
    return correlation.mean((1, 2, 3))


def mean_square(first: Image, second: Image) -> PerImage:
    """Mean squared difference."""
    return (first.float() - second.float()).square().mean((1, 2, 3))


def charbonnier(first: Image, second: Image, epsilon: float = 1e-3) -> PerImage:
    """Mean of sqrt(d^2 + epsilon^2): absolute differences, round below `epsilon` (LapSRN, arXiv 1704.03915)."""
    return ((first.float() - second.float()) ** 2 + epsilon**2).sqrt().mean((1, 2, 3))


def census(first: Image, second: Image, window: int) -> PerImage:
    """Mean soft Hamming distance of the census transforms, in [0, 1): which of two near pixels is the brighter one.

    With d the difference of two pixels at most `window` // 2 apart along each axis, in levels of 255, its soft sign is
    s = d / sqrt(0.9^2 + d^2), and a pair counts (s - s')^2 / (0.1 + (s - s')^2); the mean is over the pairs inside the
    image. Brightness has no influence; contrast has little, where d is large. UFlow (arXiv 2006.04902) without the
    power that it raises a pixel's sum to. Memory in training grows with `window` squared.

    Raises:
        ValueError: `window` is even or not positive.
    """
    levels = 255 * torch.stack([first.float(), second.float()])
    total, pairs = levels.new_zeros(first.shape[0]), 0
    for near, far in _neighbours(levels, _radius(window)):
        difference = far - near
        sign_first, sign_second = difference * (CENSUS_KNEE**2 + difference**2).rsqrt()
        apart = (sign_first - sign_second) ** 2
        total = total + (apart / (HAMMING_KNEE + apart)).sum((1, 2, 3))
        pairs += near[0, 0].numel()
    return total / max(pairs, 1)


def feature_cosine(first: Image, second: Image, features: Features) -> PerImage:
    """Mean over maps of the mean over positions of the cosine of features; images as `features` takes them, in float32."""
    pairs = zip(features(first.float()), features(second.float()), strict=True)
    return torch.stack([cosine_similarity(one.float(), other.float()).mean((1, 2)) for one, other in pairs]).mean(0)


def dissimilarity(name: str, window: int, signed: bool, features: Features | None = None) -> Dissimilarity:
    """The comparison of that name (`SIMILARITIES` of src.settings.codeformer_plus_plus): -NCC, -cosine, or a distance.

    Raises:
        ValueError: no such name, or `feature_cosine` without `features`.
    """
    table: dict[str, Dissimilarity] = {
        "ncc": lambda first, second: -local_ncc(first, second, window, signed),
        "mse": mean_square,
        "charbonnier": charbonnier,
        "census": partial(census, window=window),
    }
    if features is not None:
        table["feature_cosine"] = lambda first, second: -feature_cosine(_as_rgb(first), _as_rgb(second), features)
    elif name == "feature_cosine":
        raise ValueError("feature_cosine needs `features`, a function from an image to its feature maps")
    if name not in table:
        raise ValueError(f"no similarity is called {name!r}; there are {', '.join(table)}")
    return table[name]


def _as_rgb(grey: Grey) -> Float[Tensor, "b 3 h w"]:
    return (2 * grey.float() - 1).expand(-1, 3, -1, -1)


def _radius(window: int) -> int:
    if window < 1 or window % 2 == 0:
        raise ValueError(f"window must be odd and positive, not {window}")
    return window // 2


def _box_means(side: int, window: int, device: torch.device) -> Float[Tensor, "{side} {side}"]:
    """The matrix that takes a line of pixels to its means over windows, as far as these are inside the line."""
    places = torch.arange(side, device=device)
    near = ((places[:, None] - places).abs() <= window // 2).float()
    return near / near.sum(1, keepdim=True)


def _gaussian_means(side: int, sigma: int | float, device: torch.device) -> Float[Tensor, "{side} {side}"]:
    """The matrix that takes a line of pixels, its ends repeated, to its Gaussian means."""
    reach = math.ceil(3 * sigma)
    places = torch.arange(-reach, side + reach, device=device)
    offsets = places - places[reach : reach + side, None]
    weights = torch.exp(-((offsets / sigma) ** 2) / 2) * (offsets.abs() <= reach)
    weights = weights / weights.sum(1, keepdim=True)
    return weights.new_zeros(side, side).index_add_(1, places.clamp(0, side - 1), weights)


def _neighbours(images: Float[Tensor, "two b c h w"], radius: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Every pair of pixels at most `radius` apart along each axis once, as two equal crops for each offset."""
    height, width = images.shape[-2:]
    across = min(radius, width - 1)
    for down in range(min(radius, height - 1) + 1):
        for right in range(-across if down else 1, across + 1):
            left = max(-right, 0)
            near = images[..., : height - down, left : width - max(right, 0)]
            far = images[..., down:, left + right : width - left]
            yield near, far
