"""Mean and deviation of each channel of a trained latent, by which score models normalise (clr_face.md 2)."""

import copy
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from src.data.damage import DamagePolicy
from src.data.levels import to_network
from src.data.source import FaceSource
from src.data.stream import Key
from src.jobs.restorations import channels_first
from src.networks.latent_autoencoder import LatentAutoencoder
from src.stages.latent_vqgan import LatentVqganStage

FACES_A_BATCH = 16
SMALLEST_SHARE = 1e-3
"""A channel's deviation is at least this share of the largest one, so that rounding in a dead one does not become noise."""
SMALLEST = 1e-6
"""Of a latent without any deviation."""


def set_latent_statistics(
    stage: LatentVqganStage, source: FaceSource, faces: int, *, damage: DamagePolicy, device: torch.device
) -> None:
    """Measure the averaged network's latents of the first `faces` faces (or all) and set the stage's statistics.

    Deterministic, so that ranks that each call it get the same. A trained stage lies on the CPU, hence `device`.
    """
    network = copy.deepcopy(stage.average.network).to(device)
    stage.set_statistics(*channel_statistics(_latents(network, source, min(faces, len(source)), damage)))


def channel_statistics(latents: Iterator[Float[Tensor, "_ d h w"]]) -> tuple[Float[Tensor, "d"], Float[Tensor, "d"]]:
    """Mean and population deviation of every channel over all batches, accumulated in float64; returned as float32.

    A deviation is at least `SMALLEST_SHARE` of the largest one, and positive.
    """
    count, total, squares = 0, torch.zeros(()).double(), torch.zeros(()).double()
    for latent in latents:
        values = latent.cpu().double().transpose(0, 1).flatten(1)
        count += values.shape[1]
        total, squares = total + values.sum(1), squares + values.square().sum(1)
    mean = total / count
    deviation = (squares / count - mean.square()).clamp(min=0).sqrt()
    return mean.float(), deviation.clamp(min=max(SMALLEST_SHARE * float(deviation.max()), SMALLEST)).float()


@torch.inference_mode()
def _latents(
    network: LatentAutoencoder, source: FaceSource, faces: int, damage: DamagePolicy
) -> Iterator[Float[Tensor, "b d h w"]]:
    device = next(network.parameters()).device
    for start in range(0, faces, FACES_A_BATCH):
        chosen = range(start, min(start + FACES_A_BATCH, faces))
        images = np.stack([damage.read(source, Key(0, 0, index))[1] for index in chosen])
        yield network.encode(to_network(channels_first(images).to(device)))
