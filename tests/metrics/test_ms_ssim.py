"""Multi-scale structural similarity."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchmetrics.functional.image import structural_similarity_index_measure

from src.metrics.face_batch import FaceBatch, FeatureStore
from src.metrics.kind import BuildContext
from src.metrics.ms_ssim import LEAST_SIDE, SCALE_WEIGHTS, MsSsimKind, ms_ssim


def smooth_faces(n: int, side: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(n, 3, 12, 12, generator=generator)
    return interpolate(coarse, (side, side), mode="bicubic", align_corners=False).clamp(0, 1)


def noisy(image: Tensor, deviation: float) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return (image + deviation * torch.randn(image.shape, generator=generator)).clamp(0, 1)


def product_of_torchmetrics(restored: Tensor, truth: Tensor) -> float:
    """The paper's product of one channel, with each scale's map from torchmetrics, cropped to the valid region."""
    x, y = restored.double(), truth.double()
    options: dict[str, Any] = {"sigma": 1.5, "data_range": 1.0, "reduction": "none"}
    product = 1.0
    for weight in SCALE_WEIGHTS[:-1]:
        _, contrast = structural_similarity_index_measure(x, y, return_contrast_sensitivity=True, **options)
        product *= contrast.item() ** weight
        x, y = (interpolate(image, scale_factor=0.5, mode="area") for image in (x, y))
    _, places = structural_similarity_index_measure(x, y, return_full_image=True, **options)
    return product * places[..., 5:-5, 5:-5].mean().item() ** SCALE_WEIGHTS[-1]


def test_it_is_the_product_of_the_scales_channel_by_channel_and_face_by_face() -> None:
    truth = smooth_faces(2, 192)
    restored = noisy(truth, 0.1)
    expected = [
        sum(product_of_torchmetrics(x[None, c : c + 1], y[None, c : c + 1]) for c in range(3)) / 3
        for x, y in zip(restored, truth, strict=True)
    ]
    measured = ms_ssim(restored, truth)
    torch.testing.assert_close(measured.double(), torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-6)
    assert (measured < 0.97).all()


def test_flat_images_leave_the_luminance_of_the_coarsest_scale() -> None:
    first, second = 0.3, 0.7
    shape = (1, 3, LEAST_SIDE, LEAST_SIDE)
    luminance = (2 * first * second + 1e-4) / (first**2 + second**2 + 1e-4)
    measured = ms_ssim(torch.full(shape, first), torch.full(shape, second)).item()
    assert measured == pytest.approx(luminance ** SCALE_WEIGHTS[-1], rel=1e-5)
    assert math.isclose(sum(SCALE_WEIGHTS), 1, abs_tol=2e-4)


def test_opposite_structure_gives_zero_and_equal_images_one() -> None:
    image = smooth_faces(1, LEAST_SIDE)
    assert ms_ssim(1 - image, image).item() == 0
    assert ms_ssim(image, image).item() == pytest.approx(1, abs=1e-6)


def test_the_definition_names_the_smallest_side_at_which_the_coarsest_window_fits() -> None:
    metric = MsSsimKind().build("ms_ssim", BuildContext(None, torch.device("cpu")))
    (definition,) = metric.definitions
    assert definition.least_side == 176
    image = smooth_faces(1, definition.least_side)
    faces = FaceBatch({"restored": noisy(image, 0.1), "truth": image}, None, (0,), FeatureStore())
    assert 0 < metric.measure(faces)["ms_ssim"].item() < 1
    smaller = image[..., 1:, 1:]
    with pytest.raises(RuntimeError):
        ms_ssim(smaller, smaller)
