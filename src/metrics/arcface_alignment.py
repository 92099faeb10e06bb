"""The similarity transform by which recognisers of the ArcFace family expect a face."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from src.faces.template import FFHQ_TEMPLATE, TEMPLATE_SIDE
from src.metrics.face_batch import Image, Landmarks

ARCFACE_TEMPLATE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
"""Left eye, right eye, nose, mouth corners of a 112 x 112 face as the ArcFace family expects it, (x, y) pixels."""
CROP = 112


def similarity_transform(
    source: Float[np.ndarray, "n 2"], target: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, "2 3"]:
    """Least-squares scale, rotation and shift that take `source` to `target` (Umeyama 1991, no reflection)."""
    mean_s, mean_t = source.mean(0), target.mean(0)
    s, t = source - mean_s, target - mean_t
    a = (s * t).sum() / (s**2).sum()
    b = (s[:, 0] * t[:, 1] - s[:, 1] * t[:, 0]).sum() / (s**2).sum()
    turn = np.array([[a, -b], [b, a]])
    return np.hstack([turn, (mean_t - turn @ mean_s)[:, None]])


def image_landmarks(image: Image, landmarks: Landmarks | None) -> Landmarks:
    """The given landmarks; FFHQ's in pixels of this image where there are none."""
    if landmarks is not None:
        return landmarks
    template = torch.tensor(FFHQ_TEMPLATE) * image.shape[-1] / TEMPLATE_SIDE
    return template.expand(image.shape[0], 5, 2)


def align(image: Image, landmarks: Landmarks | None) -> Float[Tensor, "b 3 112 112"]:
    """Warp faces so that their five points come closest to the ArcFace template (bilinear, the border repeated)."""
    height, width = image.shape[-2:]
    points = image_landmarks(image, landmarks)
    crop_points = np.array(ARCFACE_TEMPLATE)
    # Fitted from face to template as recognisers are trained with; the fit in the other direction has another scale.
    to_image = [_inverse(similarity_transform(p.double().cpu().numpy(), crop_points)) for p in points]
    theta = torch.tensor(np.stack([_normalised(matrix, width, height) for matrix in to_image]), dtype=image.dtype)
    grid = affine_grid(theta.to(image.device), [image.shape[0], 3, CROP, CROP], align_corners=False)
    return grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _inverse(similarity: Float[np.ndarray, "2 3"]) -> Float[np.ndarray, "2 3"]:
    turn, shift = similarity[:, :2], similarity[:, 2:]
    back = turn.T / (turn[0] ** 2).sum()
    return np.hstack([back, -back @ shift])


def _normalised(matrix: Float[np.ndarray, "2 3"], width: int, height: int) -> Float[np.ndarray, "2 3"]:
    """A pixel transform from crop to image in the [-1, 1] coordinates of `affine_grid`, pixel centres at integers."""
    centre, size = (CROP - 1) / 2, np.array([width, height])
    linear = matrix[:, :2] * CROP / size[:, None]
    shift = (matrix[:, :2] @ np.array([centre, centre]) + matrix[:, 2] + 0.5) * 2 / size - 1
    return np.hstack([linear, shift[:, None]])
