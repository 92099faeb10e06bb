"""How a registration worked, face by face (codeformer_plus_plus.md 3.3).

Time and parameters are measured where the method runs, identity where a recogniser is at hand.
"""

from collections.abc import Mapping
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d

from src.losses.image_similarity import local_ncc, luma
from src.registration.field import at_points, composed
from src.registration.jacobian import folded_share, log_determinant_deviation
from src.registration.registered import LandmarkPair, Registered
from src.registration.warp import pixel_grid

NCC_WINDOW = 9
"""The sheet's default, whatever the objective: runs with other windows stay comparable."""
FLAT = 1e-12
"""High-pass energy, of luma in [0, 1], below which a face has no texture that could be lost."""

DIAGNOSTICS: Mapping[str, str] = MappingProxyType(
    {
        "ncc_before": "Signed local normalised cross-correlation of moving and fixed luma, window of 9 pixels, in [-1, 1].",
        "ncc_after": "The same of warped and fixed luma.",
        "landmark_error_before": "Mean distance between the landmarks of moving and fixed face, pixels.",
        "landmark_error_after": "Mean distance between the field at the fixed face's landmarks and the displacement to the "
        "moving face's, pixels.",
        "landmark_error_detected": "Mean distance between landmarks found anew in the warped face and the fixed face's, "
        "pixels; holds the detector's error.",
        "displacement_mean": "Mean length of the displacement, pixels.",
        "displacement_p99": "99th percentile of the length of the displacement, pixels.",
        "folded_share": "Share of pixels with Jacobian determinant <= 0.",
        "log_det_deviation": "Standard deviation over the pixels of log |Jacobian determinant|.",
        "inverse_consistency": "Mean distance from a pixel to where field and inverse field take it, pixels; of pixels that "
        "the field leaves inside the image.",
        "texture_kept": "High-pass energy of the warped face over that of the moving one; 1 where resampling blurs nothing.",
    }
)
"""What each value means."""


PIXELS = (
    "landmark_error_before",
    "landmark_error_after",
    "landmark_error_detected",
    "displacement_mean",
    "displacement_p99",
    "inverse_consistency",
)
"""Those that are lengths."""


def in_pixels_of(side: int, values: Mapping[str, Tensor], width: int) -> dict[str, Tensor]:
    """Values of faces of `width` pixels with their lengths in pixels of a face of `side`."""
    return {name: value * side / width if name in PIXELS else value for name, value in values.items()}


@torch.no_grad()
def diagnosed(
    moving: Float[Tensor, "b c h w"],
    fixed: Float[Tensor, "b c h w"],
    registered: Registered,
    landmarks: LandmarkPair | None = None,
    detected: Float[Tensor, "b k 2"] | None = None,
) -> dict[str, Float[Tensor, "b"]]:
    """Values by name (`DIAGNOSTICS`), as far as they apply; faces in [-1, 1], pixels of the faces as given.

    `landmarks` of both faces, and `detected` anew in the warped face; a face whose landmarks are NaN has NaN errors. Without
    a field nothing moved.
    """
    field = registered.field
    if field is None:
        field = torch.zeros(len(moving), 2, *moving.shape[-2:], device=moving.device)
    values = _similarities(moving, fixed, registered.warped) | _displacements(field)
    if landmarks is not None:
        values |= _landmark_errors(field, landmarks)
    if landmarks is not None and detected is not None:
        values["landmark_error_detected"] = _mean_distance(detected, landmarks.fixed)
    if registered.inverse is not None:
        values["inverse_consistency"] = inverse_consistency(field, registered.inverse)
    return {name: values[name] for name in DIAGNOSTICS if name in values}


def texture_kept(moving: Float[Tensor, "b 1 h w"], warped: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b"]:
    """High-pass energy of luma in [0, 1], warped over moving; 1 where both are flat.

    High-pass is the image less its 3 x 3 binomial mean: it holds the octave below the pixel, the one that bilinear
    resampling takes away, at every size of face.
    """
    return (_high_pass_energy(warped) + FLAT) / (_high_pass_energy(moving) + FLAT)


def inverse_consistency(field: Float[Tensor, "b 2 h w"], inverse: Float[Tensor, "b 2 h w"]) -> Float[Tensor, "b"]:
    """Mean |field(x) + inverse(x + field(x))|, pixels, where x + field(x) is inside the image; NaN if that is nowhere.

    Outside, neither field is known.
    """
    height, width = field.shape[-2:]
    x, y = (pixel_grid(height, width, field) + field).unbind(1)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    distance = composed(field, inverse).norm(dim=1)
    return (distance * inside).sum((1, 2)) / inside.sum((1, 2))


def _similarities(
    moving: Float[Tensor, "b c h w"], fixed: Float[Tensor, "b c h w"], warped: Float[Tensor, "b c h w"]
) -> dict[str, Float[Tensor, "b"]]:
    before, after, target = luma(moving), luma(warped), luma(fixed)
    return {
        "ncc_before": local_ncc(before, target, NCC_WINDOW, signed=True),
        "ncc_after": local_ncc(after, target, NCC_WINDOW, signed=True),
        "texture_kept": texture_kept(before, after),
    }


def _displacements(field: Float[Tensor, "b 2 h w"]) -> dict[str, Float[Tensor, "b"]]:
    length = field.norm(dim=1).flatten(1)
    return {
        "displacement_mean": length.mean(1),
        # Face by face, since `torch.quantile` takes no more than 16 million numbers.
        "displacement_p99": torch.stack([face.quantile(0.99) for face in length]),
        "folded_share": folded_share(field),
        "log_det_deviation": log_determinant_deviation(field),
    }


def _landmark_errors(field: Float[Tensor, "b 2 h w"], landmarks: LandmarkPair) -> dict[str, Float[Tensor, "b"]]:
    moving, fixed = landmarks.moving.float(), landmarks.fixed.float()
    return {
        "landmark_error_before": _mean_distance(moving, fixed),
        "landmark_error_after": _mean_distance(fixed + at_points(field, fixed), moving),
    }


def _mean_distance(first: Float[Tensor, "b k 2"], second: Float[Tensor, "b k 2"]) -> Float[Tensor, "b"]:
    return (first - second).norm(dim=2).mean(1)


def _high_pass_energy(grey: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b"]:
    """Mean square, of the pixels that have all neighbours."""
    row = torch.tensor([1.0, 2.0, 1.0], device=grey.device) / 4
    smooth = conv2d(grey, (row[:, None] * row)[None, None])
    return (grey[..., 1:-1, 1:-1] - smooth).square().mean((1, 2, 3))
