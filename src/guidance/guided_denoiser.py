"""Masked identity guidance of any sampler: a denoiser whose predicted noise is turned (clr_face.md 7).

With score = -epsilon / sigma, the guided score S - eta m grad L is the noise epsilon + sigma eta m grad L.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from src.diffusion.noise_level import NoiseLevel, NoisingProcess
from src.diffusion.sampler import Denoiser
from src.guidance.guidance import Guidance, process_part
from src.guidance.guide_gradient import (
    Direction,
    Guide,
    Latent,
    gradient_of,
    gradients,
    leaf,
    normalised,
    root_mean_square,
)

LatentMask = Callable[[float], Tensor]
"""Part of the process in (0, 1] to the mask "b c h w" in [0, 1] under which guidance acts there."""


@dataclass(frozen=True, eq=False)
class GuidanceCounts:
    """Of each face, over the evaluations so far; where its mask is 0 everywhere, nothing counts."""

    guided: Int[Tensor, "b"]
    """Evaluations whose noise was turned."""
    clipped: Int[Tensor, "b"]
    """Of these, the ones in which the guidance was longer than the limit allows."""
    not_finite: Int[Tensor, "b"]
    """Evaluations that were left alone, for the gradient held NaN or infinity."""

    def __add__(self, other: "GuidanceCounts") -> "GuidanceCounts":
        """Evaluations of both."""
        return GuidanceCounts(
            self.guided + other.guided, self.clipped + other.clipped, self.not_finite + other.not_finite
        )


class GuidedDenoiser:
    """(z_t, t) -> epsilon + sigma eta m g: g is the gradient of the guide's loss by z_t, of root mean square 1 in each face.

    Make a new one for each batch and chain: `every` counts this object's evaluations, of which some samplers (Heun,
    predictor-corrector) make several a step. Where scale or mask is 0, epsilon stays as it is, bit for bit. The denoiser
    predicts epsilon alone, no variance; all faces stand at the same t.
    """

    def __init__(
        self, denoiser: Denoiser, process: NoisingProcess, guide: Guide, mask: LatentMask, settings: Guidance
    ) -> None:
        self.denoiser, self.process, self.guide, self.mask, self.settings = denoiser, process, guide, mask, settings
        self.counts = _no_counts(0, torch.device("cpu"))
        self._evaluations = 0

    def __call__(self, z_t: Latent, t: Float[Tensor, "b"] | Int[Tensor, "b"]) -> Latent:
        """The guided noise, float32; as the denoiser returned it where guidance does not act."""
        number, self._evaluations = self._evaluations, self._evaluations + 1
        if number == 0:
            self.counts = _no_counts(len(z_t), z_t.device)
        timestep = t[0].item()
        part = process_part(self.process, timestep)
        if not self.settings.acts(part, number):
            return self.denoiser(z_t, t)
        mask = self.mask(part).detach().float()
        if not mask.any():
            return self.denoiser(z_t, t)
        level = self.process.level(timestep)
        epsilon, direction = (self._cheap if self.settings.gradient == "cheap" else self._full)(z_t, t, level)
        return self._turned(epsilon, level.sigma * self.settings.scale * mask * direction.unit, mask, direction)

    def _cheap(self, z_t: Latent, t: Tensor, level: NoiseLevel) -> tuple[Latent, Direction]:
        """With epsilon as a constant: the gradient by z_t is that by z0, divided by alpha, which normalising cancels."""
        epsilon = self.denoiser(z_t, t).float()
        with gradients():
            z0 = leaf(level.x0(z_t, epsilon))
            return epsilon, normalised(gradient_of(self.guide, z0, z0))

    def _full(self, z_t: Latent, t: Tensor, level: NoiseLevel) -> tuple[Latent, Direction]:
        """Through the network as well."""
        with gradients():
            state = leaf(z_t)
            epsilon = self.denoiser(state, t).float()
            return epsilon.detach(), normalised(gradient_of(self.guide, level.x0(state, epsilon), state))

    @torch.no_grad()
    def _turned(self, epsilon: Latent, guidance: Latent, mask: Latent, direction: Direction) -> Latent:
        length, bound = root_mean_square(guidance), self.settings.limit * root_mean_square(epsilon)
        is_clipped = length > bound
        is_lost = mask.flatten(1).any(1) & ~direction.is_finite
        counted = ((length > 0).flatten(), is_clipped.flatten(), is_lost)
        self.counts = self.counts + GuidanceCounts(*(flags.long() for flags in counted))
        return epsilon + guidance * torch.where(is_clipped, bound / length, 1.0).float()


def _no_counts(faces: int, device: torch.device) -> GuidanceCounts:
    zeros = torch.zeros(faces, dtype=torch.int64, device=device)
    return GuidanceCounts(zeros, zeros, zeros)
