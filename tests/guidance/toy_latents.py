"""A latent world small enough to reason about: 3 x 8 x 8 latents, faces of 32, every part a smooth function of one face."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, conv2d, interpolate, normalize

from src.degradation.keyed import SampleKey, keyed_normals, stream_number
from src.diffusion.noise_level import NoisingProcess
from src.guidance.guidance import Guidance
from src.guidance.identity_guide import IdentityGuide

SHAPE = (3, 8, 8)


def normals(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


KERNEL = normals(3, 3, 3, 3, seed=1) / 5
PROJECTION = normals(48, 16, seed=2)


def decode(z: Tensor) -> Tensor:
    """A convolution, made four times as large, in [-1, 1]."""
    return interpolate(conv2d(z, KERNEL, padding=1), scale_factor=4).tanh()


def embed(faces: Tensor) -> Tensor:
    """A random projection of 4 x 4 means, of unit length."""
    return normalize(adaptive_avg_pool2d(faces, 4).flatten(1) @ PROJECTION, dim=1)


def oracle_guide(z_clean: Tensor) -> IdentityGuide:
    """To the embedding of the clean faces."""
    return IdentityGuide(embed, decode, embed(decode(z_clean)))


def settings(**changes: Any) -> Guidance:
    """Guidance by the whole gradient at every evaluation, but for `changes`."""
    usual: dict[str, Any] = {"scale": 0.5, "mask": "ones", "target": "oracle", "gradient": "cheap", "constraint": 0.0}
    return Guidance(**{**usual, "window": (0.0, 1.0), "every": 1, "limit": 100.0, **changes})


def masked(mask: Tensor) -> Callable[[float], Tensor]:
    """The same mask at every part of the process."""
    return lambda part: mask


@dataclass(frozen=True)
class NormalData:
    """The best denoiser of clean latents that are standard normal: E[epsilon | z_t]."""

    process: NoisingProcess

    def __call__(self, z_t: Tensor, t: Tensor) -> Tensor:
        level = self.process.level(t[0].item())
        return level.sigma / (level.alpha**2 + level.sigma**2) * z_t


@dataclass(frozen=True)
class KeyedNoise:
    """Normal numbers of each face by its key."""

    keys: list[int]

    def draw(self, number: int) -> Tensor:
        count, stream = int(np.prod(SHAPE)), stream_number("toy")
        rows = [keyed_normals(SampleKey(0, number, key), stream, count) for key in self.keys]
        return torch.from_numpy(np.stack(rows)).view(-1, *SHAPE)
