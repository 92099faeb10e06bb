"""Alignment by deformable convolution (codeformer_plus_plus.md 4, R5 and R5b; DCNv2, arXiv 1811.11168)."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.ops import deform_conv2d

from src.networks.feature_alignment import Aligned

TAPS = 9
"""Of a 3x3 kernel."""
SLOPE = 0.1
"""Of every LeakyReLU."""
REACH = 10.0
"""Greatest residual offset along an axis of the flow-guided form, pixels (BasicVSR++, arXiv 2104.13371)."""


class DeformableAlignment(nn.Module):
    """y(p) = sum_k w_k m_k(p) x(p + p_k + dp_k(p)), with offsets dp and modulation m from both feature maps.

    A new one returns the moving features: offsets are 0, m = 2 sigmoid(0) = 1 and w is the identity kernel.
    `flow_guided` makes dp = phi(p) + reach tanh(o(p)) around the registration phi of the face. Each of `offset_groups` groups
    of channels has offsets of its own. ValueError unless their number divides `channels`.
    """

    def __init__(
        self, channels: int, offset_groups: int, *, flow_guided: bool = False, reach: int | float = REACH
    ) -> None:
        super().__init__()
        if channels % offset_groups:
            raise ValueError(f"offset_groups {offset_groups} must divide channels {channels}")
        self.offset_groups, self.flow_guided, self.reach = offset_groups, flow_guided, reach
        self.offsets = nn.Sequential(
            nn.Conv2d(2 * channels, channels, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(channels, 3 * TAPS * offset_groups, 3, padding=1),
        )
        """Offset and modulation of each tap, groups first."""
        self.weight = nn.Parameter(torch.empty(channels, channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(channels))
        nn.init.dirac_(self.weight)
        for parameter in self.offsets[-1].parameters():
            nn.init.zeros_(parameter)

    def offset_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters of what predicts offsets and modulation: they learn slower than the rest (arXiv 1811.11168)."""
        return self.offsets.parameters()

    def forward(
        self,
        moving_feature: Float[Tensor, "b c h w"],
        fixed_feature: Float[Tensor, "b c h w"],
        field: Float[Tensor, "b 2 h w"] | None = None,
    ) -> Aligned:
        """Aligned features; the implied field is the mean of offsets over taps and groups, weighted by their modulation.

        The penalty is the mean absolute offset in pixels, of the flow-guided form that beyond phi. `field` (phi) is
        needed by that form alone. ValueError where it is missing.
        """
        predicted = self.offsets(torch.cat([fixed_feature, moving_feature], 1)).float()
        predicted = predicted.unflatten(1, (self.offset_groups * TAPS, 3))
        offset, modulation = predicted[:, :, :2], 2 * predicted[:, :, 2].sigmoid()
        if self.flow_guided:
            offset = self.reach * offset.tanh()
        penalty = offset.abs().mean()
        if self.flow_guided:
            offset = offset + self._guide(field)
        order = offset.flip(2).flatten(1, 2)  # torchvision takes (dy, dx)
        feature = deform_conv2d(moving_feature.float(), order, self.weight, self.bias, padding=1, mask=modulation)
        implied = (modulation[:, :, None] * offset).sum(1) / modulation.sum(1, keepdim=True)
        return Aligned(feature, implied, penalty)

    def _guide(self, field: Float[Tensor, "b 2 h w"] | None) -> Float[Tensor, "b 1 2 h w"]:
        """The registration, for all taps; deformable convolution sees zeros outside, where warping repeats the border."""
        if field is None:
            raise ValueError("flow-guided deformable alignment needs the registration field of the face")
        height, width = field.shape[-2:]
        x = torch.arange(width, device=field.device)
        y = torch.arange(height, device=field.device)[:, None]
        dx = torch.minimum(torch.maximum(field[:, 0].float(), -x), width - 1 - x)
        dy = torch.minimum(torch.maximum(field[:, 1].float(), -y), height - 1 - y)
        return torch.stack([dx, dy], 1)[:, None]
