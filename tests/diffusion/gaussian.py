"""Normal data, for which the best possible denoiser and the exact probability flow are known in closed form."""

import torch
from torch import Tensor

from src.diffusion.noise_level import NoisingProcess


class GaussianData:
    """x_0 ~ Normal(mean, covariance) at every pixel, independently, as images [b, c, h, w] in float64."""

    def __init__(self, process: NoisingProcess, mean: Tensor, covariance: Tensor) -> None:
        self.process, self.mean, self.covariance = process, mean.double(), covariance.double()
        self.variances, self.axes = torch.linalg.eigh(self.covariance)

    def marginal(self, t: int | float) -> tuple[Tensor, Tensor]:
        """Mean and variances along the axes of q(x_t)."""
        level = self.process.level(t)
        return level.alpha * self.mean, level.alpha**2 * self.variances + level.sigma**2

    def denoiser(self, x_t: Tensor, t: Tensor) -> Tensor:
        """E[epsilon | x_t], with the same t for all samples."""
        mean, variances = self.marginal(t[0].item())
        solved = (pixels(x_t) - mean) @ self.axes / variances @ self.axes.T
        return images(self.process.level(t[0].item()).sigma * solved, x_t)

    def posterior_mean(self, x_t: Tensor, t: int | float) -> Tensor:
        """E[x_0 | x_t] by the rule for jointly normal variables."""
        mean, variances = self.marginal(t)
        gain = self.process.level(t).alpha * self.covariance @ self.axes / variances @ self.axes.T
        return images(self.mean + (pixels(x_t) - mean) @ gain.T, x_t)

    def state(self, t: int | float, z: Tensor) -> Tensor:
        """x_t of standard normal rows z along the axes; one z at every t is one path of the probability flow."""
        mean, variances = self.marginal(t)
        return (mean + (z * variances.sqrt()) @ self.axes.T).view(*z.shape, 1, 1)

    def whitened_moments(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Sample mean and covariance in coordinates in which the data's are 0 and I."""
        rows = (pixels(samples) - self.mean) @ self.axes / self.variances.sqrt()
        centred = rows - rows.mean(0)
        return rows.mean(0), centred.T @ centred / len(rows)


class ExactNoise:
    """Noise of sample mean 0 and covariance I, uncorrelated with the state that its `denoiser` saw last.

    With it the sample moments of linear steps follow those of the population, without Monte-Carlo error.
    """

    def __init__(self, data: GaussianData) -> None:
        self.data, self.drawn = data, list[int]()

    def denoiser(self, x_t: Tensor, t: Tensor) -> Tensor:
        self.seen = x_t
        return self.data.denoiser(x_t, t)

    def draw(self, number: int) -> Tensor:
        self.drawn.append(number)
        rows = pixels(self.seen)
        known, _ = torch.linalg.qr(torch.cat([torch.ones_like(rows[:, :1]), rows], dim=1))
        z = torch.randn(rows.shape, generator=torch.Generator().manual_seed(number), dtype=rows.dtype)
        z = z - known @ (known.T @ z)
        return images(whitened(z), self.seen)


def pixels(x: Tensor) -> Tensor:
    """The channels of every pixel in a row."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def images(rows: Tensor, like: Tensor) -> Tensor:
    """Rows of pixels as images again."""
    b, c, h, w = like.shape
    return rows.reshape(b, h, w, c).permute(0, 3, 1, 2)


def standardised_normal(count: int, channels: int, seed: int) -> Tensor:
    """Rows whose sample mean is exactly 0 and whose sample covariance is exactly I."""
    z = torch.randn(count, channels, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return whitened(z - z.mean(0))


def whitened(z: Tensor) -> Tensor:
    """Rows of mean 0, with covariance I."""
    return torch.linalg.solve_triangular(torch.linalg.cholesky(z.T @ z / len(z)), z.T, upper=False).T
