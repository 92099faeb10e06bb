"""What was drawn for one image: plain numbers that both engines work from. Imports neither OpenCV nor torch."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class KernelDraw:
    """A blur kernel; lengths in pixels of the image at hand. What a kind does not use is 0."""

    kind: str
    """One of `operations.KERNELS`."""
    size: int
    """Taps a side, odd."""
    sigma_x: float = 0.0
    sigma_y: float = 0.0
    """Equals sigma_x for the isotropic kinds."""
    angle: float = 0.0
    """Direction of the first axis or of the motion, radians; 0 for the isotropic kinds."""
    beta: float = 0.0
    """Exponent of the generalised and plateau kinds."""
    length: float = 0.0
    """Length of the motion."""
    cutoff: float = 0.0
    """Cut-off of the sinc, radians a pixel."""


@dataclass(frozen=True, kw_only=True)
class ResizeDraw:
    """Resize to a square of `side` pixels."""

    side: int
    interpolation: str


@dataclass(frozen=True, kw_only=True)
class NoiseDraw:
    """Noise from the stream of its place in the chain."""

    stream: int
    gaussian: bool
    """Gaussian, or Poisson."""
    size: float
    """Standard deviation in levels of 255, or factor of the Poisson noise."""
    grey: bool


@dataclass(frozen=True, kw_only=True)
class CodecDraw:
    """Lossy encoding and decoding."""

    codec: str
    """jpeg or webp."""
    quality: int


@dataclass(frozen=True, kw_only=True)
class ShiftDraw:
    """Offsets of the channels in RGB order, levels of 255."""

    offsets: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class JitterDraw:
    """Colour changes in the order applied: name and factor (hue: turns)."""

    changes: tuple[tuple[str, float], ...]


@dataclass(frozen=True, kw_only=True)
class GreyDraw:
    """Grey image; the clean image too if `of_target`."""

    of_target: bool


@dataclass(frozen=True, kw_only=True)
class Stroke:
    """A white polyline with round joints; pixels of the image at hand."""

    points: tuple[tuple[float, float], ...]
    width: float


@dataclass(frozen=True, kw_only=True)
class MaskDraw:
    """Strokes over the image."""

    strokes: tuple[Stroke, ...]


Draw = KernelDraw | ResizeDraw | NoiseDraw | CodecDraw | ShiftDraw | JitterDraw | GreyDraw | MaskDraw
