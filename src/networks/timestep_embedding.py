"""Embedding of the diffusion timestep (difface.md 2.1; Vaswani et al., "Attention Is All You Need", 3.5)."""

import math

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn

LONGEST_PERIOD = 10_000
"""Period of the slowest wave over 2 pi, timesteps, in the limit of many waves."""


def timestep_sinusoid(t: Num[Tensor, " b"], width: int) -> Float[Tensor, "b {width}"]:
    """Cosines, then sines, of t at width / 2 frequencies that fall geometrically from 1; `width` is even."""
    waves = width // 2
    exponents = torch.arange(waves, dtype=torch.float32, device=t.device) / waves
    phases = t.float()[:, None] * torch.exp(-math.log(LONGEST_PERIOD) * exponents)
    return torch.cat([phases.cos(), phases.sin()], dim=1)


class TimestepEmbedding(nn.Sequential):
    """Two linear layers with SiLU between them on the sinusoid of the timestep."""

    def __init__(self, sinusoid_width: int, width: int) -> None:
        super().__init__(nn.Linear(sinusoid_width, width), nn.SiLU(), nn.Linear(width, width))
        self.sinusoid_width = sinusoid_width

    def forward(self, t: Num[Tensor, " b"]) -> Float[Tensor, "b d"]:
        """Embedding of timesteps on the scale of the training process (0 to 999 as published)."""
        sinusoid = timestep_sinusoid(t, self.sinusoid_width)
        return super().forward(sinusoid.to(self.get_parameter("0.weight").dtype))
