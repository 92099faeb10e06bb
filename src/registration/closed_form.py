"""Registrations without weights: none, and three from landmarks (codeformer_plus_plus.md 4, R0, R1a, R2 and R9)."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from src.registration.affine import affine_field, fitted_affine
from src.registration.moving_least_squares import moving_least_squares_field
from src.registration.registered import Field, LandmarkPair, Registered
from src.registration.thin_plate import thin_plate_field
from src.registration.warp import warped
from src.settings.errors import UserError


class NoRegistration(nn.Module):
    """The control: the moving face as it is (R0)."""

    def forward(
        self, moving: Float[Tensor, "b c h w"], fixed: Float[Tensor, "b c h w"], landmarks: LandmarkPair | None = None
    ) -> Registered:
        """See `Registration`."""
        return Registered(moving, None, (), {})


class LandmarkRegistration(nn.Module, ABC):
    """A field in closed form from the landmarks of both faces; a face without landmarks (NaN) stays unmoved."""

    def forward(
        self, moving: Float[Tensor, "b c h w"], fixed: Float[Tensor, "b c h w"], landmarks: LandmarkPair | None = None
    ) -> Registered:
        """See `Registration`; UserError without landmarks."""
        if landmarks is None:
            raise UserError(
                f"registration: {type(self).__name__} needs landmarks of both faces and was given none; "
                "use data with landmarks, or a method that learns"
            )
        height, width = fixed.shape[-2:]
        field = torch.zeros(len(fixed), 2, height, width, device=fixed.device)
        known = found(landmarks)
        if known.any():
            field[known] = self.field(LandmarkPair(landmarks.moving[known], landmarks.fixed[known]), height, width)
        return Registered(warped(moving, field), field, (), {})

    @abstractmethod
    def field(self, landmarks: LandmarkPair, height: int, width: int) -> Field:
        """The displacement at every pixel of the fixed face, from finite landmarks."""


class LandmarkAffine(LandmarkRegistration):
    """The affine map with the least squared distance between landmarks (R1a)."""

    def field(self, landmarks: LandmarkPair, height: int, width: int) -> Field:
        """See `LandmarkRegistration`."""
        return affine_field(fitted_affine(landmarks), height, width)


class LandmarkThinPlate(LandmarkRegistration):
    """The thin-plate spline through the landmarks, or near to them where `ridge` > 0 (R2)."""

    def __init__(self, ridge: float | int) -> None:
        super().__init__()
        self.ridge = ridge

    def field(self, landmarks: LandmarkPair, height: int, width: int) -> Field:
        """See `LandmarkRegistration`."""
        return thin_plate_field(landmarks.fixed, landmarks.moving - landmarks.fixed, self.ridge, height, width)


class LandmarkMovingLeastSquares(LandmarkRegistration):
    """Affine moving least squares with weights 1 / distance^(2 falloff) (R9)."""

    def __init__(self, falloff: float | int) -> None:
        super().__init__()
        self.falloff = falloff

    def field(self, landmarks: LandmarkPair, height: int, width: int) -> Field:
        """See `LandmarkRegistration`."""
        return moving_least_squares_field(landmarks, self.falloff, height, width)


def found(landmarks: LandmarkPair) -> Bool[Tensor, "b"]:
    """Whether all landmarks of both faces are known."""
    return (landmarks.moving.isfinite() & landmarks.fixed.isfinite()).all(dim=(1, 2))
