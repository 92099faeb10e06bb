"""SRCNN restoration backbones of DifFace's ablation (difface.md 2.4; Dong et al., "Image Super-Resolution Using Deep
Convolutional Networks", 2016)."""

from collections.abc import Iterator

from jaxtyping import Float
from torch import Tensor, nn

from src.settings.scale import SrcnnSize

SLOPE = 0.2
"""Of every LeakyReLU."""


class Srcnn(nn.Module):
    """Plain SRCNN: 5x5 convolutions at the input's resolution, then an enlargement of `factor`; no activation after the head.

    ValueError unless `factor` is a power of 2.
    """

    def __init__(self, width: int = 64, depth: int = 8, factor: int = 4) -> None:
        super().__init__()
        enlargement: list[nn.Module] = []
        for _ in range(_doublings(factor, "factor")):
            enlargement += [nn.Conv2d(width, 4 * width, 3, padding=1), nn.LeakyReLU(SLOPE), nn.PixelShuffle(2)]
        self.head = nn.Conv2d(3, width, 5, padding=2)
        self.body = _body(width, depth)
        self.tail = nn.Sequential(*enlargement, nn.Conv2d(width, 3, 5, padding=2))

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h_enlarged w_enlarged"]:
        """Enlarged faces of the range [0, 1]; the output aims at [0, 1] but is unbounded."""
        return self.tail(self.body(self.head(image)))


class SrcnnSameResolution(nn.Module):
    """SRCNN that works at 1 / downscale of the image's resolution and returns to it, halving and doubling the side.

    ValueError unless `downscale` is a power of 2, at least 2, and `width` divides by its square.
    """

    def __init__(self, size: SrcnnSize) -> None:
        super().__init__()
        self.size = size
        halvings = _doublings(size.downscale, "downscale")
        if halvings == 0:
            raise ValueError("downscale must be at least 2; Srcnn with factor 1 works at the image's resolution")
        if size.width % size.downscale**2:
            raise ValueError(f"width {size.width} must divide by downscale^2 = {size.downscale**2}")
        self.head = nn.Sequential(*_reduction(size.width, halvings))
        self.body = _body(size.width, size.depth)
        self.tail = nn.Sequential(*_enlargement(size.width, halvings))

    @property
    def stride(self) -> int:
        """Number of which the sides of an image must be multiples."""
        return self.size.downscale

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """Restore faces in [0, 1]; the output aims at [0, 1] but is unbounded.

        Raises ValueError unless the sides are multiples of `stride`.
        """
        if image.shape[2] % self.stride or image.shape[3] % self.stride:
            raise ValueError(
                f"expected sides that are multiples of {self.stride}, got an image of {image.shape[2]} x {image.shape[3]}"
            )
        return self.tail(self.body(self.head(image)))


def _doublings(factor: int, name: str) -> int:
    if factor < 1 or factor & (factor - 1):
        raise ValueError(f"{name} {factor} must be a power of 2")
    return factor.bit_length() - 1


def _body(width: int, depth: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(depth - 1):
        layers += [nn.Conv2d(width, width, 5, padding=2), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers)


def _reduction(width: int, halvings: int) -> Iterator[nn.Module]:
    """Halve the side `halvings` times; a quarter of the width goes from one time to the next."""
    channels = 3
    for remaining in reversed(range(halvings)):
        yield nn.PixelUnshuffle(2)
        yield nn.Conv2d(4 * channels, width, 3, padding=1)
        if remaining:
            channels = width // 4
            yield nn.Conv2d(width, channels, 5, padding=2)
            yield nn.LeakyReLU(SLOPE)


def _enlargement(width: int, doublings: int) -> Iterator[nn.Module]:
    """Double the side `doublings` times, with a quarter of the channels each time, then to RGB."""
    for stage in range(doublings):
        channels = width // 4**stage
        yield nn.Conv2d(channels, channels, 3, padding=1)
        yield nn.LeakyReLU(SLOPE)
        yield nn.PixelShuffle(2)
    yield nn.Conv2d(width // 4**doublings, 3, 5, padding=2)
