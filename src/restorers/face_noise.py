"""The noise of restorers that draw: a function of seed, face and step, so the same whatever else is in the batch."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from src.degradation.keyed import SampleKey, stream_number
from src.degradation.keyed_images import keyed_latents, keyed_noise

STREAM = stream_number("restorer")


@dataclass(frozen=True)
class FaceNoise:
    """Standard normal numbers for the faces of a batch (`NoiseSource`)."""

    seed: int
    keys: Sequence[int]
    """A number for each face, from 0 to 2**32 - 1."""
    side: int
    device: torch.device
    channels: int = 3
    """Of faces, or of their latents."""

    def draw(self, number: int) -> Tensor:
        """Noise "b channels side side" of a step; number 0 belongs to the start."""
        samples = [SampleKey(self.seed, number, key) for key in self.keys]
        if self.channels == 3:
            return keyed_noise(samples, STREAM, self.side, self.device)
        return keyed_latents(samples, STREAM, (self.channels, self.side, self.side), self.device)
