"""A degradation recipe: the chain blur, down-sample, noise, JPEG, resize back, with the range of each draw."""

from dataclasses import dataclass


@dataclass(kw_only=True)
class BlurSettings:
    """Gaussian blur (codeformer.md 3, step 3)."""

    kernel_size: int
    """Taps a side, odd."""
    isotropic_probability: float
    """Chance of one sigma for both axes; otherwise two sigmas and an angle are drawn."""
    sigma: list[float]
    """[lowest, highest] standard deviation of the kernel, pixels of the reference size."""


@dataclass(kw_only=True)
class DegradationRecipe:
    """Ranges of one published degradation; a step that is null is left out."""

    name: str
    """Name shown in records."""
    reference_size: int | None
    """Image side in pixels to which `blur.sigma` and `downsample` refer. On images of side s the sigma is scaled by
    s / reference_size and the down-sampled side is min(s, reference_size / r), so that a face loses the same detail at any
    size; null takes both in pixels of the image at hand. At s == reference_size both are the published chain."""
    blur: BlurSettings | None
    downsample: list[float] | None
    """[lowest, highest] down-sampling factor r."""
    noise: list[float] | None
    """[lowest, highest] standard deviation of the Gaussian noise, levels of 255."""
    jpeg_quality: list[float] | None
    """[lowest, highest] JPEG quality; the draw is truncated to an integer."""
