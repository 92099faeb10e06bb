"""The published chain on a batch of tensors, with the draws and the noise of `engine.degrade` (performance.md 1.7)."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import pad

from src.degradation.draw import DRAW_STREAM, NOISE_STREAM, Draw, downsampled_side, draw, keyed_generator, noise_field
from src.degradation.engine import named_recipe, square_side
from src.degradation.integer_jpeg import jpeg_roundtrip
from src.degradation.kernels import gaussian_kernel
from src.settings.degradation import DegradationRecipe


def degrade_batch(
    hq: UInt8[Tensor, "b 3 h w"],
    recipe: DegradationRecipe | str,
    *,
    seed: int,
    indices: Sequence[int],
    epochs: Sequence[int],
) -> UInt8[Tensor, "b 3 h w"]:
    """Degraded images on the device of `hq`; sample i has the key (seed, epochs[i], indices[i]) of `engine.degrade`.

    Nearly all images equal those of `degrade`. About one value in 10^5 is rounded to the neighbouring level before the
    JPEG, because float32 sums differ in their last bit, and may then change a block of that image; over many images at
    most 0.3 % of the values differ and the mean difference is at most 0.002 level. Noise is drawn on the CPU, sample
    by sample. Raises ValueError unless the images are square and there is one index and one epoch for each.
    """
    size = square_side(*hq.shape[-2:])
    if not len(hq) == len(indices) == len(epochs):
        raise ValueError(f"{len(hq)} images came with {len(indices)} indices and {len(epochs)} epochs")
    recipe = named_recipe(recipe)
    keys = list(zip(epochs, indices, strict=True))
    draws = [draw(recipe, keyed_generator(seed, *key, DRAW_STREAM), size) for key in keys]
    images = hq.float() / 255
    if recipe.blur is not None and draws:
        images = _blur(images, recipe.blur.kernel_size, draws)
    degraded = [
        _lose_detail(image, recipe, drawn, keyed_generator(seed, *key, NOISE_STREAM))
        for image, drawn, key in zip(images, draws, keys, strict=True)
    ]
    return torch.stack(degraded) if degraded else hq.clone()


def _lose_detail(
    image: Float[Tensor, "3 s s"], recipe: DegradationRecipe, drawn: Draw, noise_rng: np.random.Generator
) -> UInt8[Tensor, "3 s s"]:
    """Down-sample, noise, JPEG and resize back for one image; sides differ between the samples of a batch."""
    size = image.shape[-1]
    small = _resize(image, downsampled_side(recipe, drawn.factor, size))
    if drawn.noise_std is not None:
        noise = torch.from_numpy(noise_field(noise_rng, small.shape[-1])).permute(2, 0, 1).to(image.device)
        small = (noise * (drawn.noise_std / 255) + small).clamp(0, 1)
    levels = small * 255
    if drawn.quality is not None:
        quality = torch.tensor([drawn.quality], device=image.device)
        levels = jpeg_roundtrip(_round_levels(levels)[None], quality)[0].float()
    return _round_levels(_resize(levels, size))


def _blur(images: Float[Tensor, "b 3 s s"], kernel_size: int, draws: list[Draw]) -> Float[Tensor, "b 3 s s"]:
    """Correlate each image with its own Gaussian through the Fourier transform, reflect-101 border.

    In float64: rounding of a float32 transform moves enough pixels across an 8-bit level before the JPEG, which turns
    one level into a changed block, to miss the agreement with the single-image chain.
    """
    size, reach = images.shape[-1], kernel_size // 2
    places = _reflected(size, reach).to(images.device)
    padded = images.double()[..., places, :][..., places]
    side = size + 2 * reach
    kernels = np.stack([gaussian_kernel(kernel_size, d.sigma_x, d.sigma_y, d.angle) for d in draws])
    canvas = pad(torch.from_numpy(kernels).to(images.device), (0, side - kernel_size) * 2)
    spectrum = torch.fft.rfft2(padded) * torch.fft.rfft2(canvas)[:, None].conj()
    return torch.fft.irfft2(spectrum, s=(side, side))[..., :size, :size].float()


def _reflected(size: int, reach: int) -> Tensor:
    """Indices of -reach..size+reach-1 after reflection about the outermost pixels, repeated where size is small."""
    if size == 1:
        return torch.zeros(1 + 2 * reach, dtype=torch.long)
    period = 2 * size - 2
    places = torch.arange(-reach, size + reach) % period
    return torch.minimum(places, period - places)


def _resize(image: Float[Tensor, "3 n n"], side: int) -> Float[Tensor, "3 m m"]:
    """Bilinear resize with half-pixel centres and no antialias."""
    size = image.shape[-1]
    if side == size:
        return image
    # float32 positions would be 2e-5 pixels off at 512; OpenCV rounds only the fractions.
    positions = (torch.arange(side, device=image.device, dtype=torch.float64) + 0.5) * (size / side) - 0.5
    positions = positions.clamp(0, size - 1)
    low = positions.long()
    high = (low + 1).clamp(max=size - 1)
    share = (positions - low).float()
    columns = image[..., low] * (1 - share) + image[..., high] * share
    return columns[..., low, :] * (1 - share)[:, None] + columns[..., high, :] * share[:, None]


def _round_levels(levels: Float[Tensor, "3 h w"]) -> UInt8[Tensor, "3 h w"]:
    return levels.round().clamp(0, 255).to(torch.uint8)
