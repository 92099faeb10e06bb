"""Diffeomorphic registration by a stationary velocity field, and its probabilistic form (codeformer_plus_plus.md, R4 and
R4b; Dalca et al., arXiv 1805.04605 and 1903.03545; Arsigny et al., MICCAI 2006)."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from src.losses.image_similarity import luma
from src.networks.displacement_unet import DisplacementUnet, field_head
from src.registration.face_pair import PAIR_CHANNELS, face_pair
from src.registration.field import exponential, resized
from src.registration.registered import Alignment, LandmarkPair, Registered
from src.registration.warp import warped
from src.settings.scale import DenseRegistrationSize

LOG_VARIANCE_DEVIATION, LOG_VARIANCE_BIAS = 1e-10, -10.0
"""Of the first weights of the head of log Sigma, as in the authors' code: training starts with next to no noise."""

Noise = Callable[[torch.Size], Tensor]
"""Standard normal numbers of a shape."""


class VelocityRegistration(nn.Module):
    """A U-Net gives the velocity v at half resolution; the field is exp(v), and exp(-v) undoes it."""

    def __init__(self, size: DenseRegistrationSize, *, channels: str, squarings: int) -> None:
        super().__init__()
        self.channels, self.squarings = channels, squarings
        self.unet = DisplacementUnet(size, PAIR_CHANNELS[channels], half_resolution=True)

    def forward(
        self, moving: Float[Tensor, "b 3 h w"], fixed: Float[Tensor, "b 3 h w"], landmarks: LandmarkPair | None = None
    ) -> Registered:
        """One alignment, whose smooth field is v; the inverse. ValueError unless the sides are multiples of the stride."""
        velocity = self.unet(face_pair(moving, fixed, self.channels))
        field, inverse = flow(velocity, self.squarings, *fixed.shape[-2:])
        moved = warped(moving, field)
        return Registered(moved, field, (Alignment(moved, fixed, velocity, 1.0),), {}, inverse)


class ProbabilisticVelocityRegistration(nn.Module):
    """The posterior of the velocity is normal, with the mean mu and the diagonal covariance Sigma of a U-Net's two heads.

    `noise_deviation` is sigma_I, of luma in [0, 1]; `precision` is lambda_p. The two penalties, whose sum is the negative
    evidence bound up to a constant, stand in for similarity and regulariser: there are no alignments.
    """

    def __init__(
        self,
        size: DenseRegistrationSize,
        *,
        channels: str,
        squarings: int,
        noise_deviation: int | float,
        precision: int | float,
    ) -> None:
        super().__init__()
        self.channels, self.squarings = channels, squarings
        self.noise_deviation, self.precision = noise_deviation, precision
        self.unet = DisplacementUnet(size, PAIR_CHANNELS[channels], half_resolution=True)
        self.log_variance = field_head(self.unet.width, LOG_VARIANCE_DEVIATION, LOG_VARIANCE_BIAS)
        self.noise: Noise | None = None
        """Where a training step takes its noise from; set by who trains, which keeps the draws reproducible."""

    def forward(
        self, moving: Float[Tensor, "b 3 h w"], fixed: Float[Tensor, "b 3 h w"], landmarks: LandmarkPair | None = None
    ) -> Registered:
        """Moved by mu + sqrt(Sigma) noise in training, by mu in eval mode.

        Penalties `likelihood`, squares / (2 sigma_I^2), and `kl`: summed over a face, divided by its number of pixels, and
        averaged over faces. RuntimeError in training without `noise`; ValueError unless the sides divide by the stride.
        """
        features = self.unet.features(face_pair(moving, fixed, self.channels))
        mean, log_variance = self.unet.head(features), self.log_variance(features)
        field, inverse = flow(self._drawn(mean, log_variance), self.squarings, *fixed.shape[-2:])
        moved = warped(moving, field)
        error = (luma(moved) - luma(fixed)).square().mean()
        pixels = fixed.shape[-2] * fixed.shape[-1]
        divergence = kl_to_smooth_prior(mean, log_variance, self.precision).mean() / pixels
        penalties = {"likelihood": error / (2 * self.noise_deviation**2), "kl": divergence}
        return Registered(moved, field, (), penalties, inverse)

    def _drawn(
        self, mean: Float[Tensor, "b 2 h w"], log_variance: Float[Tensor, "b 2 h w"]
    ) -> Float[Tensor, "b 2 h w"]:
        if not self.training:
            return mean
        if self.noise is None:
            raise RuntimeError(
                "the probabilistic velocity needs its attribute noise in training: set it, or call eval()"
            )
        return mean + (log_variance / 2).exp() * self.noise(mean.shape).to(mean)


def flow(
    velocity: Float[Tensor, "b 2 h_low w_low"], squarings: int, height: int, width: int
) -> tuple[Float[Tensor, "b 2 {height} {width}"], Float[Tensor, "b 2 {height} {width}"]]:
    """exp(v) and exp(-v), integrated on v's own grid and enlarged."""
    both = exponential(torch.cat([velocity, -velocity]), squarings)
    forth, back = resized(both, height, width).chunk(2)
    return forth, back


def kl_to_smooth_prior(
    mean: Float[Tensor, "b 2 h w"], log_variance: Float[Tensor, "b 2 h w"], precision: int | float
) -> Float[Tensor, "b"]:
    """0.5 [tr(lambda_p D Sigma - log Sigma) + mu^T lambda_p L mu] of each face, summed over its grid and both directions.

    L = D - Adj is the Laplacian of the grid of 4-neighbours and D its degrees: 4 inside, 3 at edges, 2 in corners. It is the
    divergence from N(0, (lambda_p L)^-1) without the terms that depend on nothing learned.
    """
    trace = (precision * degrees(mean) * log_variance.exp() - log_variance).sum(dim=(1, 2, 3))
    # mu^T L mu is the sum over neighbours of squared differences.
    roughness = sum(mean.diff(dim=axis).square().sum(dim=(1, 2, 3)) for axis in (2, 3))
    return 0.5 * (trace + precision * roughness)


def degrees(like: Float[Tensor, "b 2 h w"]) -> Float[Tensor, "h w"]:
    """Number of 4-neighbours of every cell of a grid."""
    rows, columns = (_neighbours(side, like) for side in like.shape[-2:])
    return rows[:, None] + columns


def _neighbours(cells: int, like: Tensor) -> Float[Tensor, "n"]:
    links = torch.ones(cells - 1, device=like.device)
    return F.pad(links, (0, 1)) + F.pad(links, (1, 0))
