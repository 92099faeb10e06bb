"""What a learned registration minimises: -similarity + weight * regulariser, and options (codeformer_plus_plus.md 3.2, 4)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from src.losses.field_regularity import irregularity
from src.losses.image_similarity import Dissimilarity, Features, dissimilarity, gaussian_blur, luma
from src.registration.field import at_points
from src.registration.jacobian import folding_penalty
from src.registration.registered import Alignment, Field, LandmarkPair, Registered
from src.registration.warp import warped
from src.settings.codeformer_plus_plus import RegistrationObjective
from src.settings.errors import UserError

Scalar = Float[Tensor, ""]

REGULARISING = ("affine_deviation", "bending")
"""Penalties of a method that take the place of the regulariser, and its weight."""


def registration_loss(
    registered: Registered,
    moving: Float[Tensor, "b c h w"],
    fixed: Float[Tensor, "b c h w"],
    landmarks: LandmarkPair | None,
    settings: RegistrationObjective,
    *,
    progress: int | float,
    features: Features | None = None,
) -> tuple[Scalar, dict[str, Tensor]]:
    """The loss, and the unweighted terms that `term_weight` makes it of: of the list below those that there are.

    - `dissimilarity`: over the alignments, the weighted sum of what `settings.similarity` finds apart in the luma of both
      faces, blurred by a Gaussian whose deviation goes from the first to the last of `settings.blur` in a straight line.
      It is given in pixels of `fixed`: at half the side it is half as wide. The window has the same pixels at every level.
    - `irregularity`: over the alignments with a smooth field, the weighted sum of the regulariser of that field.
    - `folding`: mean relu(-det J) of the field.
    - `landmarks`: mean distance that the field leaves between landmarks, pixels; faces without landmarks do not count.
    - `inverse`: dissimilarity of `fixed`, moved by the inverse field, and `moving`.
    - each of the method's own penalties under its name.

    Terms whose weight in `settings` is 0 are not computed, apart from the first two. Gradients flow into what the method
    moved and its fields, not to `moving` and `fixed`. Without any term the loss is 0.

    Args:
        registered: what the method gave for `moving` and `fixed`.
        moving: faces in [-1, 1], RGB or grey.
        fixed: likewise.
        landmarks: of both, array indices; needed where `settings.landmarks` is not 0.
        progress: share of the training that is done, 0 to 1.
        features: needed by the similarity `feature_cosine`.

    Raises:
        UserError: landmarks are to be compared, and there are none.
        ValueError: unknown similarity or regulariser, an even window, or no `features` for `feature_cosine`.
    """
    comparison = _Comparison(settings, fixed.shape[-1], progress, features)
    terms = _alignment_terms(registered.alignments, comparison, settings)
    if registered.field is not None and settings.folding:
        terms["folding"] = folding_penalty(registered.field)
    if registered.field is not None and settings.landmarks:
        terms["landmarks"] = landmark_distance(registered.field, _needed(landmarks, settings))
    if registered.inverse is not None and settings.inverse:
        terms["inverse"] = comparison(warped(fixed.detach(), registered.inverse), moving)
    terms |= registered.penalties
    nothing = torch.zeros((), device=registered.warped.device)
    total = sum((term_weight(name, settings) * term for name, term in terms.items()), nothing)
    return total, terms


def term_weight(name: str, settings: RegistrationObjective) -> float:
    """The factor of a term in the loss; 1 for penalties that are no regulariser, such as likelihood and divergence."""
    regularising = dict.fromkeys(("irregularity", *REGULARISING), settings.regulariser_weight)
    named = {"folding": settings.folding, "landmarks": settings.landmarks, "inverse": settings.inverse}
    return (regularising | named).get(name, 1.0)


def landmark_distance(field: Field, landmarks: LandmarkPair) -> Scalar:
    """Mean of |phi(p_F) - (p_G - p_F)| over the landmarks that both faces have, pixels; 0 where there are none (GFRNet)."""
    known = (landmarks.moving.isfinite() & landmarks.fixed.isfinite()).all(-1)
    goal, start = (torch.where(known[..., None], points.float(), 0.0) for points in landmarks)
    distance = torch.linalg.vector_norm(start + at_points(field.float(), start) - goal, dim=-1)
    return torch.where(known, distance, 0.0).sum() / known.sum().clamp_min(1)


class _Comparison:
    """The dissimilarity of two faces at some resolution, at one moment of the training."""

    def __init__(
        self, settings: RegistrationObjective, full_width: int, progress: int | float, features: Features | None
    ) -> None:
        first, last = settings.blur
        self._blur_per_width = (first + (last - first) * progress) / full_width
        self._dissimilarity: Dissimilarity = dissimilarity(
            settings.similarity, settings.window, settings.signed, features
        )

    def __call__(self, moved: Float[Tensor, "b c h w"], target: Float[Tensor, "b c h w"]) -> Scalar:
        sigma = self._blur_per_width * target.shape[-1]
        moved, target = (gaussian_blur(luma(face), sigma) for face in (moved, target.detach()))
        return self._dissimilarity(moved, target).mean()


def _alignment_terms(
    alignments: tuple[Alignment, ...], comparison: _Comparison, settings: RegistrationObjective
) -> dict[str, Tensor]:
    dissimilarities, irregularities = [], []
    for alignment in alignments:
        dissimilarities.append(alignment.weight * comparison(alignment.moved, alignment.fixed))
        if alignment.smooth is not None:
            guide = F.interpolate(luma(alignment.fixed), alignment.smooth.shape[-2:], mode="area")
            roughness = irregularity(settings.regulariser, alignment.smooth, guide, settings.edge_sharpness)
            irregularities.append(alignment.weight * roughness)
    sums = {"dissimilarity": dissimilarities, "irregularity": irregularities}
    return {name: torch.stack(values).sum() for name, values in sums.items() if values}


def _needed(landmarks: LandmarkPair | None, settings: RegistrationObjective) -> LandmarkPair:
    if landmarks is None:
        raise UserError(f"objective.landmarks is {settings.landmarks}, but these faces have no landmarks: set it to 0")
    return landmarks
