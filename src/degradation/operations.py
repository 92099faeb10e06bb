"""The operations that a recipe is composed of: what each draws, within which limits, from which source.

Parameters are uniform ranges unless their declaration says otherwise. A recipe names an operation by its key in
`OPERATIONS`. `probability` is the chance that a step acts on an image at all. Imports neither OpenCV nor torch.
"""

from dataclasses import dataclass
from math import inf, pi

from src.degradation.parameters import Range, Weights, alternatives, flag, limits, probability

CODEFORMER = "codeformer.md 3"
REAL_ESRGAN = "arXiv 2107.10833"

KERNELS = (
    "isotropic",
    "anisotropic",
    "generalised_isotropic",
    "generalised_anisotropic",
    "plateau_isotropic",
    "plateau_anisotropic",
    "motion",
    "sinc",
)
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "area", "lanczos")


@dataclass(frozen=True, kw_only=True)
class Blur:
    """Correlation with a random kernel, reflect-101 border. `motion` is a straight line, `sinc` a circular low-pass."""

    kernel_size: Range = limits(1, 127, "taps a side", f"{CODEFORMER}, step 3", odd=True)
    kernels: Weights = alternatives(KERNELS, f"{CODEFORMER}, step 3; {REAL_ESRGAN}")
    sigma: Range = limits(0.001, inf, "px", f"{CODEFORMER}, step 3", default=(1.0, 1.0))
    rotation: Range = limits(-pi, pi, "rad", f"{CODEFORMER}, step 3", default=(-pi, pi))
    generalised_beta: Range = limits(0.1, 20, "exponent", REAL_ESRGAN, default=(0.5, 4.0))
    plateau_beta: Range = limits(0.1, 20, "exponent", REAL_ESRGAN, default=(1.0, 2.0))
    motion_length: Range = limits(0, inf, "px", "our choice", default=(3.0, 21.0))
    sinc_cutoff: Range = limits(0.05, pi, "rad a px", REAL_ESRGAN, default=(pi / 3, pi))
    probability: float = probability("share of images", 1.0)


@dataclass(frozen=True, kw_only=True)
class Downsample:
    """Resize to side int(reference // factor), no antialias but by `area`; a factor below 1 enlarges."""

    factor: Range = limits(0.1, 512, "factor r", f"{CODEFORMER}, step 4")
    interpolation: Weights = alternatives(INTERPOLATIONS, f"{CODEFORMER}, step 4", "bilinear")
    probability: float = probability("share of images", 1.0)


@dataclass(frozen=True, kw_only=True)
class Rescale:
    """Resize to int(original side x scale / `divisor`): enlarge, reduce or keep by chance, scale drawn in that part."""

    scale: Range = limits(0.01, 10, "of the original", f"{REAL_ESRGAN}, resize_range")
    enlarge: float = probability(f"{REAL_ESRGAN}, resize_prob")
    reduce: float = probability(f"{REAL_ESRGAN}, resize_prob")
    divisor: Range = limits(1, 64, "factor", REAL_ESRGAN, default=(1.0, 1.0))
    interpolation: Weights = alternatives(INTERPOLATIONS, REAL_ESRGAN)
    probability: float = probability("share of images", 1.0)


@dataclass(frozen=True, kw_only=True)
class ResizeBack:
    """Resize to the side of the clean image."""

    interpolation: Weights = alternatives(INTERPOLATIONS, f"{CODEFORMER}, step 7", "bilinear")


@dataclass(frozen=True, kw_only=True)
class GaussianNoise:
    """Adds normal noise of one deviation per image, independent per pixel and channel (or equal channels); clips."""

    std: Range = limits(0, 255, "levels of 255", f"{CODEFORMER}, step 5")
    grey: float = probability(f"equal channels; {REAL_ESRGAN}", 0.0)
    probability: float = probability("share of images", 1.0)


@dataclass(frozen=True, kw_only=True)
class PoissonNoise:
    """Adds `scale` x (Poisson(v x image) / v - image), v the power of two above the number of levels seen; clips."""

    scale: Range = limits(0, 10, "factor", REAL_ESRGAN)
    grey: float = probability(f"noise of the grey image; {REAL_ESRGAN}", 0.0)
    probability: float = probability("share of images", 1.0)


@dataclass(frozen=True, kw_only=True)
class GaussianOrPoissonNoise:
    """One of the two noises, by chance."""

    gaussian: float = probability(f"chance of Gaussian noise, otherwise Poisson; {REAL_ESRGAN}")
    std: Range = limits(0, 255, "levels of 255", REAL_ESRGAN)
    scale: Range = limits(0, 10, "factor", REAL_ESRGAN)
    grey: float = probability(REAL_ESRGAN, 0.0)


@dataclass(frozen=True, kw_only=True)
class Jpeg:
    """JPEG encoding (4:2:0) and decoding; the drawn quality is truncated to a whole number."""

    quality: Range = limits(1, 100, "libjpeg quality", f"{CODEFORMER}, step 6")
    probability: float = probability("share of images", 1.0)


@dataclass(frozen=True, kw_only=True)
class Webp:
    """Lossy WebP encoding and decoding; the drawn quality is truncated to a whole number."""

    quality: Range = limits(1, 100, "libwebp quality", "our choice")
    probability: float = probability("share of images", 1.0)


@dataclass(frozen=True, kw_only=True)
class ColourShift:
    """Adds one uniform offset to each channel; clips."""

    shift: Range = limits(-255, 255, "levels of 255", f"{CODEFORMER}, colorization")
    probability: float = probability(f"{CODEFORMER}, colorization", 1.0)


@dataclass(frozen=True, kw_only=True)
class ColourJitter:
    """Brightness, contrast, saturation and hue in random order; factors as torchvision's ColorJitter."""

    brightness: Range = limits(0, 10, "factor", f"{CODEFORMER}, colorization", default=(1.0, 1.0))
    contrast: Range = limits(0, 10, "factor", f"{CODEFORMER}, colorization", default=(1.0, 1.0))
    saturation: Range = limits(0, 10, "factor", f"{CODEFORMER}, colorization", default=(1.0, 1.0))
    hue: Range = limits(-0.5, 0.5, "turns", f"{CODEFORMER}, colorization", default=(0.0, 0.0))
    probability: float = probability(f"{CODEFORMER}, colorization", 1.0)


@dataclass(frozen=True, kw_only=True)
class Grey:
    """Luma of ITU-R BT.601 in all three channels."""

    of_target: bool = flag("the clean image becomes grey too (gt_gray; difface.md 4, step 7)", False)
    probability: float = probability(f"{CODEFORMER}, colorization", 1.0)


@dataclass(frozen=True, kw_only=True)
class BrushMask:
    """White strokes over the image, for inpainting: polylines with round joints."""

    strokes: Range = limits(1, 64, "strokes", f"{CODEFORMER}, brush mask", default=(1.0, 3.0))
    vertices: Range = limits(2, 256, "vertices a stroke", f"{CODEFORMER}, brush mask", default=(8.0, 27.0))
    width: Range = limits(1, inf, "px", f"{CODEFORMER}, brush mask", default=(30.0, 70.0))
    probability: float = probability("share of images", 1.0)


Operation = (
    Blur
    | Downsample
    | Rescale
    | ResizeBack
    | GaussianNoise
    | PoissonNoise
    | GaussianOrPoissonNoise
    | Jpeg
    | Webp
    | ColourShift
    | ColourJitter
    | Grey
    | BrushMask
)

OPERATIONS: dict[str, type[Operation]] = {
    "blur": Blur,
    "downsample": Downsample,
    "rescale": Rescale,
    "resize_back": ResizeBack,
    "gaussian_noise": GaussianNoise,
    "poisson_noise": PoissonNoise,
    "gaussian_or_poisson_noise": GaussianOrPoissonNoise,
    "jpeg": Jpeg,
    "webp": Webp,
    "colour_shift": ColourShift,
    "colour_jitter": ColourJitter,
    "grey": Grey,
    "brush_mask": BrushMask,
}
