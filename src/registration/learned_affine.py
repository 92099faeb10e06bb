"""Affine registration by a regressed matrix (codeformer_plus_plus.md, R1b; spatial transformer, arXiv 1506.02025)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from src.networks.parameter_regressor import ParameterRegressor
from src.registration.affine import affine_field
from src.registration.face_pair import PAIR_CHANNELS, face_pair
from src.registration.registered import Alignment, LandmarkPair, Registered
from src.registration.warp import warped
from src.settings.scale import AffineRegistrationSize


class AffineRegistration(nn.Module):
    """theta = identity + regressed numbers, in coordinates where the middles of the corner pixels are (-1, -1) and (1, 1).

    There, theta and its penalty mean the same at any size of image.
    """

    def __init__(self, size: AffineRegistrationSize, *, channels: str) -> None:
        super().__init__()
        self.channels = channels
        self.regressor = ParameterRegressor(size, PAIR_CHANNELS[channels], outputs=6)

    def forward(
        self, moving: Float[Tensor, "b 3 h w"], fixed: Float[Tensor, "b 3 h w"], landmarks: LandmarkPair | None = None
    ) -> Registered:
        """One alignment without a smooth field; penalty `affine_deviation`: mean over faces of |theta - identity|^2.

        ValueError unless the sides are multiples of the regressor's stride.
        """
        deviation = self.regressor(face_pair(moving, fixed, self.channels)).unflatten(1, (2, 3))
        height, width = fixed.shape[-2:]
        theta = deviation + torch.eye(2, 3, device=deviation.device)
        field = affine_field(in_pixels(theta, height, width), height, width)
        moved = warped(moving, field)
        penalties = {"affine_deviation": deviation.square().sum(dim=(1, 2)).mean()}
        return Registered(moved, field, (Alignment(moved, fixed, None, 1.0),), penalties)


def in_pixels(theta: Float[Tensor, "b 2 3"], height: int, width: int) -> Float[Tensor, "b 2 3"]:
    """The same map of array indices: x -> s (theta_linear (x / s - 1) + theta_shift + 1), s half of the sides less one."""
    half = torch.tensor([width - 1, height - 1], device=theta.device) / 2
    linear, shift = theta[:, :, :2], theta[:, :, 2]
    shift = half * (shift + 1 - linear.sum(dim=2))
    return torch.cat([half[:, None] * linear / half, shift[:, :, None]], dim=2)
