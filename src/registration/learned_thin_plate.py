"""Thin-plate spline with regressed displacements of control points (codeformer_plus_plus.md, R2)."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from src.networks.parameter_regressor import ParameterRegressor
from src.registration.face_pair import PAIR_CHANNELS, face_pair
from src.registration.registered import Alignment, LandmarkPair, Registered
from src.registration.thin_plate import bending_energy, bending_matrix, cardinal_fields, field_from_offsets
from src.registration.warp import warped
from src.settings.scale import AffineRegistrationSize


class _Spline(NamedTuple):
    """What depends on the control points alone."""

    cardinal: Float[Tensor, "k h w"]
    bending: Float[Tensor, "k k"]


class ThinPlateRegistration(nn.Module):
    """A spline through the displacements of a square grid of control points that spans the fixed face.

    ValueError unless there are at least 2 control points a side.
    """

    def __init__(self, size: AffineRegistrationSize, *, channels: str, control_points: int) -> None:
        super().__init__()
        if control_points < 2:
            raise ValueError(f"control_points {control_points} must be at least 2")
        self.channels, self.control_points = channels, control_points
        self.regressor = ParameterRegressor(size, PAIR_CHANNELS[channels], outputs=2 * control_points**2)
        # No buffers: they would be part of the weights, and the side of images is not known here.
        self._splines: dict[tuple[int, int, torch.device], _Spline] = {}

    def forward(
        self, moving: Float[Tensor, "b 3 h w"], fixed: Float[Tensor, "b 3 h w"], landmarks: LandmarkPair | None = None
    ) -> Registered:
        """One alignment without a smooth field; penalty `bending`: mean over faces of the bending energy, without unit.

        ValueError unless the sides are multiples of the regressor's stride.
        """
        offsets = self.regressor(face_pair(moving, fixed, self.channels)).unflatten(1, (-1, 2))
        height, width = fixed.shape[-2:]
        # In halves of the sides, as an affine map's shift: the regressed numbers mean the same at any size of image.
        offsets = offsets * offsets.new_tensor([(width - 1) / 2, (height - 1) / 2])
        spline = self._spline(height, width, offsets.device)
        field = field_from_offsets(offsets, spline.cardinal)
        moved = warped(moving, field)
        penalties = {"bending": bending_energy(offsets, spline.bending).mean()}
        return Registered(moved, field, (Alignment(moved, fixed, None, 1.0),), penalties)

    def _spline(self, height: int, width: int, device: torch.device) -> _Spline:
        key = (height, width, device)
        if key not in self._splines:
            # Tensors that are born in inference mode could not take part in training afterwards.
            with torch.inference_mode(False):
                control = control_grid(self.control_points, height, width).to(device)
                bending = bending_matrix(control, ridge=0.0, side=max(height, width))
                self._splines[key] = _Spline(cardinal_fields(control, 0.0, height, width), bending)
        return self._splines[key]


def control_grid(points: int, height: int, width: int) -> Float[Tensor, "k 2"]:
    """`points` x `points` places (x, y), row by row, evenly from corner to corner; array indices."""
    y, x = torch.linspace(0, height - 1, points), torch.linspace(0, width - 1, points)
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).flatten(0, 1)
