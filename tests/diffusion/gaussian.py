"""Normal data, for which the best possible denoiser and the exact probability flow are known in closed form."""

import torch
from torch import Tensor

from src.diffusion.schedule import NoiseSchedule


class GaussianData:
    """x_0 ~ Normal(mean, covariance), as images [b, c, 1, 1] in float64."""

    def __init__(self, schedule: NoiseSchedule, mean: Tensor, covariance: Tensor) -> None:
        self.schedule, self.mean, self.covariance = schedule, mean.double(), covariance.double()
        self.variances, self.axes = torch.linalg.eigh(self.covariance)

    def marginal(self, t: int) -> tuple[Tensor, Tensor]:
        """Mean and variances along the axes of q(x_t)."""
        alpha_bar = float(self.schedule.alphas_cumprod[t])
        return alpha_bar**0.5 * self.mean, alpha_bar * self.variances + 1 - alpha_bar

    def denoiser(self, x_t: Tensor, t: Tensor) -> Tensor:
        """E[epsilon | x_t], with the same t for all samples."""
        step = int(t[0])
        mean, variances = self.marginal(step)
        solved = (x_t.flatten(1) - mean) @ self.axes / variances @ self.axes.T
        return (float(1 - self.schedule.alphas_cumprod[step]) ** 0.5 * solved).view_as(x_t)

    def posterior_mean(self, x_t: Tensor, t: int) -> Tensor:
        """E[x_0 | x_t] by the rule for jointly normal variables."""
        mean, variances = self.marginal(t)
        gain = float(self.schedule.alphas_cumprod[t]) ** 0.5 * self.covariance @ self.axes / variances @ self.axes.T
        return (self.mean + (x_t.flatten(1) - mean) @ gain.T).view_as(x_t)

    def state(self, t: int, z: Tensor) -> Tensor:
        """x_t of standard normal rows z along the axes; one z at every t is one path of the probability flow."""
        mean, variances = self.marginal(t)
        return (mean + (z * variances.sqrt()) @ self.axes.T).view(*z.shape, 1, 1)

    def whitened_moments(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Sample mean and covariance in coordinates in which the data's are 0 and I."""
        rows = (samples.flatten(1) - self.mean) @ self.axes / self.variances.sqrt()
        centred = rows - rows.mean(0)
        return rows.mean(0), centred.T @ centred / len(rows)


def standardised_normal(count: int, channels: int, seed: int) -> Tensor:
    """Rows whose sample mean is exactly 0 and whose sample covariance is exactly I."""
    z = torch.randn(count, channels, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    z = z - z.mean(0)
    return torch.linalg.solve_triangular(torch.linalg.cholesky(z.T @ z / count), z.T, upper=False).T
