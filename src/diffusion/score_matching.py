"""Denoising score matching (Vincent 2011; Song et al. 2021, arXiv 2011.13456, equation 7) and the times of its batches."""

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from src.diffusion.forward_process import Images
from src.diffusion.noise_level import LatentProcess
from src.diffusion.sampler import Denoiser


def score_matching_loss(
    process: LatentProcess, denoiser: Denoiser, z0: Images, t: Num[Tensor, "b"], noise: Images
) -> Float[Tensor, "b"]:
    """|sigma score + noise|^2 = |epsilon - noise|^2 at z_t = alpha z_0 + sigma noise, mean over dimensions, float32."""
    alpha, sigma = (values.view(-1, 1, 1, 1) for values in process.marginal(t))
    epsilon = denoiser(alpha * z0 + sigma * noise, t)
    return (epsilon - noise).float().square().flatten(1).mean(1)


def antithetic_shares(u: Float[Tensor, "b"], places: Int[Tensor, "b"]) -> Float[Tensor, "b"]:
    """Uniform numbers in pairs u, 1 - u: of two places 2 k and 2 k + 1, which were given the same u, the odd one gets 1 - u.

    The loss varies steeply and about monotonously with t, so that a pair's mean varies less than that of two draws.
    """
    return torch.where(places % 2 == 1, 1 - u, u)
