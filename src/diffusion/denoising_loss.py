"""The objectives of a noise-predicting network (DDPM, equation 14; Improved DDPM, arXiv 2102.09672, equation 16)."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from src.diffusion.forward_process import Images, noised, posterior_mean
from src.diffusion.model_output import learned_log_variance, predicted_x0, split_output
from src.diffusion.sampler import Denoiser
from src.diffusion.schedule import NoiseSchedule, gather
from src.diffusion.variational_bound import discretized_gaussian_nll, gaussian_kl


class DenoisingLoss(NamedTuple):
    """Terms of each sample, float32."""

    mse: Float[Tensor, "b"]
    """Mean squared error of epsilon."""
    vb: Float[Tensor, "b"] | None
    """Term of the variational bound at the sample's timestep, bits a dimension; None in the simple objective."""
    loss: Float[Tensor, "b"]
    """What is minimised."""


def simple_loss(
    schedule: NoiseSchedule, denoiser: Denoiser, x0: Images, t: Int[Tensor, "b"], z: Images
) -> DenoisingLoss:
    """|z - epsilon(x_t, t)|^2, mean over dimensions. Channels of a learned variance get no gradient."""
    x_t = noised(schedule, x0, t, z)
    epsilon, _ = split_output(denoiser(x_t, schedule_timesteps(schedule, t)), x_t)
    mse = (epsilon - z).square().flatten(1).mean(1)
    return DenoisingLoss(mse, None, mse)


def hybrid_loss(
    schedule: NoiseSchedule, denoiser: Denoiser, x0: Images, t: Int[Tensor, "b"], z: Images, bound_weight: float = 1.0
) -> DenoisingLoss:
    """`simple_loss` + bound_weight times the variational bound, which teaches the variance alone (mean detached).

    x0 in [-1, 1] in 256 levels. A weight of 1 is Improved DDPM's 0.001 times the bound of a process of 1000 steps. Raises
    ValueError for a network without a variance.
    """
    x_t = noised(schedule, x0, t, z)
    epsilon, interpolation = split_output(denoiser(x_t, schedule_timesteps(schedule, t)), x_t)
    if interpolation is None:
        raise ValueError("the hybrid objective needs a network that returns twice the channels of its input")
    mse = (epsilon - z).square().flatten(1).mean(1)
    vb = bound_term(schedule, x0, x_t, t, epsilon.detach(), interpolation)
    return DenoisingLoss(mse, vb, mse + bound_weight * vb)


def bound_term(
    schedule: NoiseSchedule, x0: Images, x_t: Images, t: Int[Tensor, "b"], epsilon: Images, interpolation: Images
) -> Float[Tensor, "b"]:
    """KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)), at t = 0 -log p(x_0 | x_1), bits a dimension; x_0 is not clipped."""
    mean = posterior_mean(schedule, predicted_x0(schedule, x_t, epsilon, t), x_t, t)
    log_variance = learned_log_variance(schedule, interpolation, t)
    true_log_variance = gather(schedule.posterior_log_variance_clipped, t, x_t)
    kl = gaussian_kl(posterior_mean(schedule, x0, x_t, t), true_log_variance, mean, log_variance)
    return torch.where(t == 0, discretized_gaussian_nll(x0, mean, log_variance), kl)


def schedule_timesteps(schedule: NoiseSchedule, t: Int[Tensor, "b"]) -> Int[Tensor, "b"]:
    """What the network is told at indices t of the schedule."""
    return schedule.network_time(t)
