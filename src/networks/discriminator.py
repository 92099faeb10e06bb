"""Patch discriminator of the VQ autoencoder."""

from jaxtyping import Float
from torch import Tensor, nn

from src.settings.scale import DiscriminatorSize

MAX_MULTIPLIER = 8


class PatchDiscriminator(nn.Module):
    """Map of realness logits (codeformer.md 1.3).

    `layers` 4x4 convolutions of stride 2, one of stride 1 and the head; the width doubles up to 8 times `width`.
    """

    def __init__(self, size: DiscriminatorSize) -> None:
        super().__init__()
        self.size = size
        layers: list[nn.Module] = [nn.Conv2d(3, size.width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        channels = size.width
        for number in range(1, size.layers + 1):
            wider = size.width * min(2**number, MAX_MULTIPLIER)
            stride = 2 if number < size.layers else 1
            layers.append(nn.Conv2d(channels, wider, 4, stride=stride, padding=1, bias=False))
            layers += [nn.BatchNorm2d(wider), nn.LeakyReLU(0.2)]
            channels = wider
        layers.append(nn.Conv2d(channels, 1, 4, padding=1))
        self.main = nn.Sequential(*layers)

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 h_patch w_patch"]:
        """Unbounded logits of overlapping patches of images in [-1, 1]; higher is more real."""
        return self.main(image)
