"""Distances between the feature distributions of two sets of faces."""

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from src.metrics.definition import MetricDefinition

First = Float[np.ndarray, "n d"]
Second = Float[np.ndarray, "m d"]


@runtime_checkable
class Extractor(Protocol):
    """Maps faces to feature vectors."""

    def __call__(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """Features of RGB faces in [0, 1]."""


def frechet_distance(first: First, second: Second) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) with sample means and unbiased covariances, in float64.

    The trace of the root is the sum of the singular values of C1^(1/2) C2^(1/2), which needs no complex arithmetic.
    Raises ValueError below two samples a side.
    """
    if min(len(first), len(second)) < 2:
        raise ValueError("a Frechet distance needs at least two faces on each side")
    a, b = first.astype(np.float64), second.astype(np.float64)
    roots = [_square_root(np.cov(features, rowvar=False)) for features in (a, b)]
    means = ((a.mean(0) - b.mean(0)) ** 2).sum()
    traces = sum(float((root**2).sum()) for root in roots)
    return float(means + traces - 2 * np.linalg.svd(roots[0] @ roots[1], compute_uv=False).sum())


def _square_root(covariance: np.ndarray) -> Float[np.ndarray, "d d"]:
    values, vectors = np.linalg.eigh(np.atleast_2d(covariance))
    return (vectors * np.sqrt(values.clip(min=0))) @ vectors.T


def kernel_distance(first: First, second: Second) -> float:
    """Unbiased squared maximum mean discrepancy with the kernel (x.y / d + 1)^3 over all pairs (KID, arXiv 1801.01401).

    Raises ValueError below two samples a side.
    """
    m, n = len(first), len(second)
    if min(m, n) < 2:
        raise ValueError("a kernel distance needs at least two faces on each side")
    a, b = first.astype(np.float64), second.astype(np.float64)
    within = [_off_diagonal_mean(_kernel(x, x)) for x in (a, b)]
    return float(sum(within) - 2 * _kernel(a, b).mean())


def _kernel(a: First, b: Second) -> Float[np.ndarray, "n m"]:
    return (a @ b.T / a.shape[1] + 1) ** 3


def _off_diagonal_mean(gram: Float[np.ndarray, "n n"]) -> float:
    n = len(gram)
    return float((gram.sum() - np.trace(gram)) / (n * (n - 1)))


IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class MobileNetFeatures:
    """Mean-pooled output of the first 14 layers of torchvision's ImageNet MobileNetV2: 96 numbers a face."""

    def __init__(self, weights: dict[str, Tensor], device: torch.device) -> None:
        from torchvision.models import mobilenet_v2

        network = mobilenet_v2(weights=None)
        network.load_state_dict(weights)
        self._trunk: nn.Module = network.features[:14].to(device).eval()
        self._mean = torch.tensor(IMAGENET_MEAN, device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(IMAGENET_STD, device=device).view(1, 3, 1, 1)

    @torch.inference_mode()
    def __call__(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """Features of RGB faces in [0, 1] at their own size."""
        return self._trunk((image - self._mean) / self._std).mean((2, 3))


INCEPTION_SOURCE = "torch-fidelity Inception, pool 2048; resized to 299 bilinear with antialiasing (torchmetrics)"
"""The resize belongs to the definition: without antialiasing the distances are others (conventions.md 6.2)."""


class InceptionFeatures:
    """2048-d pool features of torch-fidelity's Inception, from a local weights file."""

    def __init__(self, path: str, device: torch.device) -> None:
        from torchmetrics.image.fid import NoTrainInceptionV3

        self._network = NoTrainInceptionV3(
            name="inception-v3-compat", features_list=["2048"], feature_extractor_weights_path=path, antialias=True
        ).to(device)

    @torch.inference_mode()
    def __call__(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """Features of RGB faces in [0, 1], which the extractor takes as rounded levels."""
        return self._network((image * 255).round().to(torch.uint8))


def frechet_definition(name: str, extractor: str, sha256: str) -> MetricDefinition:
    """Frechet distance between the restored faces and the benchmark's own ground truth."""
    return MetricDefinition(
        id=name,
        role="distribution",
        direction="lower",
        range="[0, inf), 0 for equal moments; biased upwards on small sets: compare at equal n only",
        formula="|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), reference: ground truth of the benchmark",
        source=extractor,
        extractor_sha256=sha256,
    )


def kernel_definition(name: str, extractor: str, sha256: str) -> MetricDefinition:
    """Unbiased kernel distance on the same features."""
    return MetricDefinition(
        id=name,
        role="distribution_unbiased",
        direction="lower",
        range="around 0 for equal distributions, may be negative",
        formula="unbiased MMD^2, kernel (x.y / d + 1)^3, reference: ground truth of the benchmark",
        source=extractor,
        extractor_sha256=sha256,
    )
