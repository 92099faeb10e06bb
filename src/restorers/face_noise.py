"""The noise of restorers that draw: a function of seed, face and step, so the same whatever else is in the batch."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from src.degradation.keyed import SampleKey, stream_number
from src.degradation.keyed_images import keyed_noise

STREAM = stream_number("restorer")


@dataclass(frozen=True)
class FaceNoise:
    """Standard normal numbers for the faces of a batch (`NoiseSource`)."""

    seed: int
    keys: Sequence[int]
    """A number for each face, from 0 to 2**32 - 1."""
    side: int
    device: torch.device

    def draw(self, number: int) -> Tensor:
        """Noise "b 3 side side" of a step; number 0 belongs to the start."""
        samples = [SampleKey(self.seed, number, key) for key in self.keys]
        return keyed_noise(samples, STREAM, self.side, self.device)
