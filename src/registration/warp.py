"""The spatial transformer: an image resampled by a displacement field (arXiv 1506.02025)."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import grid_sample, pad


def pixel_grid(height: int, width: int, like: Tensor) -> Float[Tensor, "2 h w"]:
    """x and y of every pixel, as array indices, with the device of `like`, float32."""
    y = torch.arange(height, device=like.device, dtype=torch.float32)
    x = torch.arange(width, device=like.device, dtype=torch.float32)
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)])


def warped(moving: Float[Tensor, "b c h w"], field: Float[Tensor, "b 2 h w"]) -> Float[Tensor, "b c h w"]:
    """moving(x + field(x)): bilinear, the border repeated outside; `field` (dx, dy) in pixels.

    Exact, to the bit, where the field is a whole number of pixels.
    """
    height, width = field.shape[-2:]
    return sampled(moving, pixel_grid(height, width, field) + field.float())


def sampled(
    image: Float[Tensor, "b c h w"], places: Float[Tensor, "b 2 h_out w_out"]
) -> Float[Tensor, "b c h_out w_out"]:
    """Bilinear values at places (x, y), array indices; places outside take the border's values. Float32.

    Places have no gradient where the border is repeated, the outermost pixels' middles included.
    """
    # `grid_sample` normalises places by the side, which rounds, unless the side is a power of 2 and pixels are areas.
    height, width = (_power_of_two(side) for side in image.shape[-2:])
    margin = (0, width - image.shape[-1], 0, height - image.shape[-2])
    image = pad(image.float(), margin, mode="replicate") if any(margin) else image.float()
    x, y = places.float().unbind(1)
    normalised = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
    return grid_sample(image, normalised, mode="bilinear", padding_mode="border", align_corners=False)


def _power_of_two(side: int) -> int:
    return 1 << (side - 1).bit_length()
