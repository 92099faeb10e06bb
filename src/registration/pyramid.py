"""Coarse-to-fine registration (codeformer_plus_plus.md, R6; LapIRN, arXiv 2006.16148; PWC-Net, arXiv 1709.02371)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from src.networks.displacement_unet import SLOPE, field_head
from src.registration.face_pair import PAIR_CHANNELS, face_pair
from src.registration.registered import Alignment, LandmarkPair, Registered
from src.registration.warp import warped
from src.settings.scale import PyramidRegistrationSize


class PyramidRegistration(nn.Module):
    """phi^l = 2 up(phi^(l+1)) + f_l(I_F^l, I_G^l warped by 2 up(phi^(l+1))), from the coarsest level to l = 0, full size.

    Each level has its own network f_l; images are halved by averaging four pixels.
    """

    def __init__(self, size: PyramidRegistrationSize, *, channels: str) -> None:
        super().__init__()
        self.channels = channels
        self.stride = 2 ** (size.levels - 1)
        networks = (_LevelNetwork(PAIR_CHANNELS[channels], size.width, size.blocks) for _ in range(size.levels))
        self.levels = nn.ModuleList(networks)
        """Finest first."""

    def forward(
        self, moving: Float[Tensor, "b 3 h w"], fixed: Float[Tensor, "b 3 h w"], landmarks: LandmarkPair | None = None
    ) -> Registered:
        """An alignment a level, finest first, of weight 2^-l, whose smooth field is phi^l in pixels of level l.

        ValueError unless the sides are multiples of `stride`.
        """
        self._check(fixed)
        alignments: list[Alignment] = []
        field = None
        for level in reversed(range(len(self.levels))):
            moving_level, fixed_level = (F.avg_pool2d(face.float(), 2**level) for face in (moving, fixed))
            before = torch.zeros_like(moving_level[:, :2]) if field is None else doubled(field)
            pair = face_pair(warped(moving_level, before), fixed_level, self.channels)
            field = before + self.levels[level](pair)
            alignments.append(Alignment(warped(moving_level, field), fixed_level, field, 2.0**-level))
        alignments.reverse()
        return Registered(alignments[0].moved, field, tuple(alignments), {})

    def _check(self, fixed: Float[Tensor, "b c h w"]) -> None:
        height, width = fixed.shape[-2:]
        if height % self.stride or width % self.stride:
            raise ValueError(f"expected sides that are multiples of {self.stride}, got an image of {height} x {width}")


class _LevelNetwork(nn.Module):
    """Convolution, residual blocks of two convolutions, field head: what a level adds to the field."""

    def __init__(self, in_channels: int, width: int, blocks: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(in_channels, width, 3, padding=1)
        self.blocks = nn.ModuleList(_residual(width) for _ in range(blocks))
        self.head = field_head(width)

    def forward(self, pair: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 2 h w"]:
        feature = F.leaky_relu(self.stem(pair), SLOPE)
        for block in self.blocks:
            feature = F.leaky_relu(feature + block(feature), SLOPE)
        return self.head(feature)


def _residual(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(SLOPE), nn.Conv2d(width, width, 3, padding=1)
    )


def doubled(field: Float[Tensor, "b 2 h w"]) -> Float[Tensor, "b 2 2*h 2*w"]:
    """A field of one level in pixels of the next finer one: twice the side, twice the values.

    The middle of a coarse pixel is that of the four fine ones it is the average of (`align_corners=False`), other than in
    `src.registration.field.resized`, which keeps corners in place.
    """
    return 2 * F.interpolate(field, scale_factor=2.0, mode="bilinear", align_corners=False)
