"""PSNR and SSIM."""

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from src.metrics.definition import MetricDefinition
from src.metrics.face_batch import FaceBatch, FeatureStore
from src.metrics.fidelity import Psnr, Ssim, psnr, ssim


def random_pair(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    reference = generator.integers(0, 256, (2, 3, height, width)) / 255
    noise = generator.normal(0, 0.1, reference.shape)
    return (reference + noise).clip(0, 1).astype(np.float32), reference.astype(np.float32)


def scipy_ssim(first: np.ndarray, second: np.ndarray) -> float:
    """SSIM of two (h, w) planes by its definition, with SciPy's filters on float64."""
    offsets = np.arange(-5, 6)
    taps = np.exp(-(offsets**2) / (2 * 1.5**2))
    taps /= taps.sum()

    def local_mean(plane: np.ndarray) -> np.ndarray:
        return correlate1d(correlate1d(plane, taps, axis=0), taps, axis=1)[5:-5, 5:-5]

    x, y = first.astype(float), second.astype(float)
    mx, my = local_mean(x), local_mean(y)
    vx, vy, cov = local_mean(x * x) - mx**2, local_mean(y * y) - my**2, local_mean(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    return float(((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean())


@pytest.mark.parametrize("metric", [Psnr("mine"), Ssim("mine")])
def test_a_metric_reports_its_function_under_the_id_of_its_entry(metric: Psnr | Ssim) -> None:
    restored, truth = map(torch.from_numpy, random_pair(16, 12))
    faces = FaceBatch({"restored": restored, "truth": truth}, None, (0, 1), FeatureStore())
    measured = metric.measure(faces)
    expected = (psnr if isinstance(metric, Psnr) else ssim)(restored, truth)
    (definition,) = metric.definitions
    assert isinstance(definition, MetricDefinition)
    assert definition.id == "mine"
    assert definition.direction == "higher"
    assert list(measured) == ["mine"]
    assert torch.equal(measured["mine"], expected)


def test_psnr_of_a_constant_error_is_its_closed_form() -> None:
    reference = torch.full((3, 3, 16, 12), 0.5)
    errors = torch.tensor([0.1, 0.01, 0.25])
    measured = psnr(reference + errors.view(3, 1, 1, 1), reference)
    np.testing.assert_allclose(measured.numpy(), -20 * np.log10(errors.numpy()), rtol=1e-5)


def test_psnr_takes_the_mean_over_the_whole_image_before_the_logarithm() -> None:
    reference = torch.zeros(1, 3, 10, 10)
    restored = reference.clone()
    restored[0, 0, 0, 0] = 1
    assert psnr(restored, reference).item() == pytest.approx(10 * np.log10(300), rel=1e-6)


def test_both_equal_torchmetrics() -> None:
    restored, truth = map(torch.from_numpy, random_pair(40, 33))
    expected = peak_signal_noise_ratio(restored, truth, data_range=1.0, reduction="none", dim=(1, 2, 3))
    torch.testing.assert_close(psnr(restored, truth), expected, rtol=0, atol=1e-4)
    _, places = structural_similarity_index_measure(
        restored.double(), truth.double(), sigma=1.5, data_range=1.0, return_full_image=True
    )
    valid = places[..., 5:-5, 5:-5]  # torchmetrics' own mean is over reflected borders too
    torch.testing.assert_close(ssim(restored, truth).double(), valid.mean((1, 2, 3)), rtol=0, atol=1e-6)


def test_equal_images_reach_the_end_of_the_range() -> None:
    torch.manual_seed(0)
    image = torch.rand(2, 3, 20, 24)
    assert torch.equal(psnr(image, image), torch.full((2,), 100.0))
    torch.testing.assert_close(ssim(image, image), torch.ones(2))


def test_ssim_equals_scipy() -> None:
    restored, reference = random_pair(40, 33)
    measured = ssim(torch.from_numpy(restored), torch.from_numpy(reference)).numpy()
    expected = [np.mean([scipy_ssim(x[c], y[c]) for c in range(3)]) for x, y in zip(restored, reference, strict=True)]
    np.testing.assert_allclose(measured, expected, rtol=0, atol=1e-5)
    assert (measured < 0.99).all()


def test_ssim_of_constant_images_is_the_luminance_term() -> None:
    first, second = 0.3, 0.7
    measured = ssim(torch.full((1, 3, 11, 11), first), torch.full((1, 3, 11, 11), second))
    expected = (2 * first * second + 1e-4) / (first**2 + second**2 + 1e-4)
    assert measured.item() == pytest.approx(expected, rel=1e-5)
