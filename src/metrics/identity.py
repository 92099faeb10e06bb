"""Identity similarity: the angle between embeddings of the restored and the true face."""

import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample, normalize

from src.faces.template import FFHQ_TEMPLATE, TEMPLATE_SIDE
from src.metrics.definition import MetricDefinition
from src.networks.mobilefacenet import MobileFaceNet

Image = Float[Tensor, "b 3 h w"]
Landmarks = Float[Tensor, "b 5 2"]

ARCFACE_TEMPLATE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
"""Left eye, right eye, nose, mouth corners of a 112 x 112 face as the ArcFace family expects it, (x, y) pixels."""
CROP = 112
MARGIN = 1e-7


@runtime_checkable
class Embedder(Protocol):
    """Maps faces to unit-norm identity embeddings."""

    def __call__(self, image: Image, landmarks: Landmarks | None) -> Float[Tensor, "b d"]:
        """Embeddings of RGB faces in [0, 1]; landmarks in pixels, None for FFHQ-aligned faces.

        A face that cannot be embedded gives NaN.
        """


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


def align(image: Image, landmarks: Landmarks | None) -> Float[Tensor, "b 3 112 112"]:
    """Warp faces so that their five points come closest to the ArcFace template (bilinear, the border repeated)."""
    height, width = image.shape[-2:]
    template = torch.tensor(FFHQ_TEMPLATE) * width / TEMPLATE_SIDE
    points = template.expand(image.shape[0], 5, 2) if landmarks is None else landmarks
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


class AlignedEmbedder:
    """A recogniser on faces aligned to the ArcFace template, normalised by a mean and a deviation of RGB in [0, 1]."""

    def __init__(
        self, network: nn.Module, mean: Sequence[float], deviation: Sequence[float], device: torch.device
    ) -> None:
        self._network = network.to(device).eval()
        self._mean = torch.tensor(mean, device=device).view(1, 3, 1, 1)
        self._deviation = torch.tensor(deviation, device=device).view(1, 3, 1, 1)

    @torch.inference_mode()
    def __call__(self, image: Image, landmarks: Landmarks | None) -> Float[Tensor, "b d"]:
        """Unit-norm embeddings of RGB faces in [0, 1]; NaN where a landmark is not finite."""
        embedding = normalize(self._network((align(image, landmarks) - self._mean) / self._deviation))
        if landmarks is None:
            return embedding
        # grid_sample clamps NaN into the image, so that such a face would pass for a measured one.
        located = landmarks.isfinite().flatten(1).all(1).to(embedding.device)
        return embedding.where(located[:, None], torch.nan)


class MobileFaceNetEmbedder(AlignedEmbedder):
    """MobileFaceNet, 128-d (weights/README.md)."""

    def __init__(self, weights: dict[str, Tensor], device: torch.device) -> None:
        network = MobileFaceNet()
        network.load_state_dict(weights)
        super().__init__(network, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), device)


class ArcFaceEmbedder(AlignedEmbedder):
    """ArcFace IR-SE50, 512-d, from facexlib's class; facexlib's own builder downloads and needs CUDA (conventions.md 1)."""

    def __init__(self, weights: dict[str, Tensor], device: torch.device) -> None:
        from facexlib.recognition.arcface_arch import Backbone

        network = Backbone(num_layers=50, drop_ratio=0.6, mode="ir_se")
        network.load_state_dict(weights)
        super().__init__(network, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), device)


class RenderedFaceEmbedder:
    """The suite's own recogniser, trained on rendered identities; takes whole aligned faces."""

    def __init__(self, network: nn.Module) -> None:
        self._network = network.eval()

    @torch.inference_mode()
    def __call__(self, image: Image, landmarks: Landmarks | None) -> Float[Tensor, "b d"]:
        """Unit-norm embeddings of RGB faces in [0, 1]."""
        return normalize(self._network(image * 2 - 1))


def cosine(a: Float[Tensor, "b d"], b: Float[Tensor, "b d"]) -> Float[Tensor, "b"]:
    """Cosine of unit-norm embeddings, clamped to [-1 + 1e-7, 1 - 1e-7] in float64."""
    return (a.double() * b.double()).sum(1).clamp(-1 + MARGIN, 1 - MARGIN)


def degrees(cosines: Float[Tensor, "b"]) -> Float[Tensor, "b"]:
    """Angle of a cosine."""
    return torch.arccos(cosines) * 180 / math.pi


def identity_definitions(name: str, source: str, sha256: str) -> tuple[MetricDefinition, MetricDefinition]:
    """The cosine and the angle of one named recogniser."""
    similarity = MetricDefinition(
        id=name,
        role="identity",
        direction="higher",
        range="[-1, 1], 1 for the same embedding",
        formula="cosine of the embeddings of the restored and the true face",
        source=source,
        extractor_sha256=sha256,
    )
    angle = MetricDefinition(
        id=f"{name}_degrees",
        role="identity_degrees",
        direction="lower",
        range="[0, 180] degrees",
        formula="arccos of the cosine, clamped by 1e-7",
        source=source,
        extractor_sha256=sha256,
    )
    return similarity, angle
