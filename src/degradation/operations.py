"""The steps of the degradation on one image, HWC RGB (codeformer.md 3, steps 3 to 7)."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from src.degradation.draw import noise_field
from src.degradation.kernels import gaussian_kernel, gaussian_taps, trim


def blur_isotropic(image: Float[np.ndarray, "h w 3"], kernel_size: int, sigma: float) -> Float[np.ndarray, "h w 3"]:
    """Blur an image in [0, 1] with the isotropic Gaussian of `kernel_size` taps a side; reflect-101 border."""
    taps = trim(gaussian_taps(kernel_size, sigma))
    return cv2.sepFilter2D(image, -1, taps, taps, borderType=cv2.BORDER_REFLECT_101)


def blur_anisotropic(
    image: Float[np.ndarray, "h w 3"], kernel_size: int, sigma_x: float, sigma_y: float, angle: float
) -> Float[np.ndarray, "h w 3"]:
    """Blur an image in [0, 1] with the turned Gaussian of `gaussian_kernel` (correlation, reflect-101 border)."""
    kernel = trim(gaussian_kernel(kernel_size, sigma_x, sigma_y, angle))
    return cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT_101)


def resize(image: Float[np.ndarray, "h w 3"], side: int) -> Float[np.ndarray, "n n 3"]:
    """Bilinear resize to `side` x `side` pixels, half-pixel centres, no antialias; used down and back up."""
    if image.shape[:2] == (side, side):
        return image
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)


def add_noise(
    image: Float[np.ndarray, "n n 3"], noise_std: float, rng: np.random.Generator
) -> Float[np.ndarray, "n n 3"]:
    """Add Gaussian noise of `noise_std` levels of 255, independent per pixel and channel; clip to [0, 1]."""
    noisy = noise_field(rng, image.shape[0])
    noisy *= np.float32(noise_std / 255)
    noisy += image
    return np.clip(noisy, 0.0, 1.0, out=noisy)


def jpeg(image: UInt8[np.ndarray, "h w 3"], quality: int) -> UInt8[np.ndarray, "h w 3"]:
    """Encode an 8-bit RGB image as JPEG (4:2:0) at `quality` (1..100) and decode it."""
    # OpenCV's codec takes and gives BGR.
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None  # it was encoded two lines above
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


def to_float(image: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w 3"]:
    """8-bit levels as float32 in [0, 1]."""
    return np.divide(image, 255, dtype=np.float32)


def round_levels(levels: Float[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """The nearest 8-bit level of float32 levels (0..255), ties to even, clipped."""
    rounded = np.rint(levels)
    return np.clip(rounded, 0, 255, out=rounded).astype(np.uint8)
