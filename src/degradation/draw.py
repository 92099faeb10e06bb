"""Draws the parameters of one image from its key."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import singledispatch

from src.degradation.chain import Chain
from src.degradation.drawn import (
    CodecDraw,
    Draw,
    GreyDraw,
    JitterDraw,
    KernelDraw,
    MaskDraw,
    NoiseDraw,
    ResizeDraw,
    ShiftDraw,
    Stroke,
)
from src.degradation.keyed import SampleKey, keyed_uniforms, stream_number
from src.degradation.operations import (
    Blur,
    BrushMask,
    ColourJitter,
    ColourShift,
    Downsample,
    GaussianNoise,
    GaussianOrPoissonNoise,
    Grey,
    Jpeg,
    Operation,
    PoissonNoise,
    Rescale,
    ResizeBack,
    Webp,
)
from src.degradation.parameters import Range, Weights

DRAW_STREAM = "degradation"
_FEW = 16


@dataclass(frozen=True)
class Place:
    """What a step needs to know besides its parameters."""

    key: SampleKey
    stream: int
    """Stream of the step's own further numbers."""
    size: int
    """Side of the clean image."""
    scale: float
    """Pixels of this image for one pixel of the reference size."""
    reference: int
    """Side that down-sampling factors refer to."""


def draw(chain: Chain, key: SampleKey, size: int) -> tuple[Draw, ...]:
    """What happens to the image of `key`, `size` x `size` pixels: one entry for each step that acts, in order.

    A step takes its numbers from its own stream, so two recipes that agree in a step draw the same for it; one that is
    left out or does not act leaves the others alone. Raises ValueError for an illegal key.
    """
    reference = chain.reference_size or size
    found = []
    for number, step in enumerate(chain.steps):
        if step.operation is None:
            continue
        stream = stream_number(DRAW_STREAM, number)
        numbers = iter(keyed_uniforms(key, stream, _FEW).tolist())
        place = Place(key, stream, size, size / reference, reference)
        if next(numbers) < getattr(step.operation, "probability", 1.0):
            found.append(_drawn(step.operation, numbers, place))
    return tuple(found)


def downsampled_side(size: int, reference: int, factor: float) -> int:
    """Side in pixels after down-sampling an image of side `size` by the published factor r; at least 1.

    min(size, int(reference // r)) for r >= 1, at most int(size // r) below (settings/degradation.py).
    """
    return max(1, min(max(size, int(size // factor)), int(reference // factor)))


@singledispatch
def _drawn(operation: Operation, numbers: Iterator[float], place: Place) -> Draw:
    raise TypeError(f"{type(operation).__name__} is no operation")


@_drawn.register
def _blur(operation: Blur, numbers: Iterator[float], place: Place) -> Draw:
    kind = _one_of(operation.kernels, next(numbers))
    first, second, turn, form, length, cutoff, taps = (next(numbers) for _ in range(7))
    size = _odd(operation.kernel_size, taps)
    if kind == "motion":
        reach = place.scale * _between(operation.motion_length, length)
        return KernelDraw(kind=kind, size=size, length=reach, angle=_between(operation.rotation, turn))
    if kind == "sinc":
        return KernelDraw(kind=kind, size=size, cutoff=_between(operation.sinc_cutoff, cutoff))
    sigma_x = sigma_y = place.scale * _between(operation.sigma, first)
    angle = 0.0
    if "anisotropic" in kind:
        sigma_y, angle = place.scale * _between(operation.sigma, second), _between(operation.rotation, turn)
    betas = {"generalised": operation.generalised_beta, "plateau": operation.plateau_beta}
    limits = betas.get(kind.split("_")[0])
    beta = 0.0 if limits is None else _two_halves(limits, form)
    return KernelDraw(kind=kind, size=size, sigma_x=sigma_x, sigma_y=sigma_y, angle=angle, beta=beta)


@_drawn.register
def _downsample(operation: Downsample, numbers: Iterator[float], place: Place) -> Draw:
    factor = _between(operation.factor, next(numbers))
    side = downsampled_side(place.size, place.reference, factor)
    return ResizeDraw(side=side, interpolation=_one_of(operation.interpolation, next(numbers)))


@_drawn.register
def _rescale(operation: Rescale, numbers: Iterator[float], place: Place) -> Draw:
    chance, share, divide, choice = (next(numbers) for _ in range(4))
    low, high = operation.scale
    scale = 1.0
    if chance < operation.enlarge:
        scale = _between((max(1.0, low), max(1.0, high)), share)
    elif chance < operation.enlarge + operation.reduce:
        scale = _between((min(1.0, low), min(1.0, high)), share)
    factor = _between(operation.divisor, divide) / scale
    side = downsampled_side(place.size, place.reference, factor)
    return ResizeDraw(side=side, interpolation=_one_of(operation.interpolation, choice))


@_drawn.register
def _resize_back(operation: ResizeBack, numbers: Iterator[float], place: Place) -> Draw:
    return ResizeDraw(side=place.size, interpolation=_one_of(operation.interpolation, next(numbers)))


@_drawn.register
def _gaussian_noise(operation: GaussianNoise, numbers: Iterator[float], place: Place) -> Draw:
    size, grey = _between(operation.std, next(numbers)), next(numbers) < operation.grey
    return NoiseDraw(stream=_noise_stream(place), gaussian=True, size=size, grey=grey)


@_drawn.register
def _poisson_noise(operation: PoissonNoise, numbers: Iterator[float], place: Place) -> Draw:
    size, grey = _between(operation.scale, next(numbers)), next(numbers) < operation.grey
    return NoiseDraw(stream=_noise_stream(place), gaussian=False, size=size, grey=grey)


@_drawn.register
def _either_noise(operation: GaussianOrPoissonNoise, numbers: Iterator[float], place: Place) -> Draw:
    chance, share, tint = (next(numbers) for _ in range(3))
    gaussian = chance < operation.gaussian
    size = _between(operation.std if gaussian else operation.scale, share)
    return NoiseDraw(stream=_noise_stream(place), gaussian=gaussian, size=size, grey=tint < operation.grey)


@_drawn.register
def _jpeg(operation: Jpeg, numbers: Iterator[float], place: Place) -> Draw:
    return CodecDraw(codec="jpeg", quality=int(_between(operation.quality, next(numbers))))


@_drawn.register
def _webp(operation: Webp, numbers: Iterator[float], place: Place) -> Draw:
    return CodecDraw(codec="webp", quality=int(_between(operation.quality, next(numbers))))


@_drawn.register
def _colour_shift(operation: ColourShift, numbers: Iterator[float], place: Place) -> Draw:
    red, green, blue = (_between(operation.shift, next(numbers)) for _ in range(3))
    return ShiftDraw(offsets=(red, green, blue))


@_drawn.register
def _colour_jitter(operation: ColourJitter, numbers: Iterator[float], place: Place) -> Draw:
    names = ("brightness", "contrast", "saturation", "hue")
    changes = [(next(numbers), name, _between(getattr(operation, name), next(numbers))) for name in names]
    return JitterDraw(changes=tuple((name, factor) for _, name, factor in sorted(changes)))


@_drawn.register
def _grey(operation: Grey, numbers: Iterator[float], place: Place) -> Draw:
    return GreyDraw(of_target=operation.of_target)


@_drawn.register
def _brush_mask(operation: BrushMask, numbers: Iterator[float], place: Place) -> Draw:
    count = _whole(operation.strokes, next(numbers))
    most = 2 * int(operation.vertices[1]) + 4
    rows = keyed_uniforms(place.key, stream_number(f"brush {place.stream}"), count * most).reshape(count, most)
    return MaskDraw(strokes=tuple(_stroke(operation, iter(row.tolist()), place) for row in rows))


def _stroke(operation: BrushMask, numbers: Iterator[float], place: Place) -> Stroke:
    """Turns alternate about a fifth of a circle, steps are normal with a sixteenth of the diagonal as deviation."""
    side, mean = place.size, math.sqrt(2) * place.size / 8
    vertices, width = _whole(operation.vertices, next(numbers)), place.scale * _between(operation.width, next(numbers))
    points = [(side * next(numbers), side * next(numbers))]
    for number in range(vertices):
        turn = 2 * math.pi / 5 + 2 * math.pi / 12 * (2 * next(numbers) - 1)
        angle = 2 * math.pi - turn if number % 2 == 0 else turn
        step = min(max(mean + math.floor(mean / 2) * _normal(next(numbers)), 0.0), 2 * mean)
        x, y = points[-1][0] + step * math.cos(angle), points[-1][1] + step * math.sin(angle)
        points.append((min(max(x, 0.0), float(side)), min(max(y, 0.0), float(side))))
    return Stroke(points=tuple(points), width=width)


def _normal(share: float) -> float:
    """The standard normal number below which `share` of all lie."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(min(max(share, 1e-12), 1 - 1e-12))


def _noise_stream(place: Place) -> int:
    return stream_number(f"noise {place.stream}")


def _between(limits: Range, share: float) -> float:
    low, high = limits
    return low + (high - low) * share


def _two_halves(limits: Range, share: float) -> float:
    """Half of the draws below 1 and half above where the range holds 1 (codeformer.md 3, step 3), else uniform."""
    low, high = limits
    if not low < 1 < high:
        return _between(limits, share)
    return _between((low, 1.0), 2 * share) if share < 0.5 else _between((1.0, high), 2 * share - 1)


def _whole(limits: Range, share: float) -> int:
    """A whole number of the range, all equally likely."""
    low, high = map(int, limits)
    return low + int(share * (high - low + 1))


def _odd(limits: Range, share: float) -> int:
    low, high = map(int, limits)
    return low + 2 * int(share * ((high - low) // 2 + 1))


def _one_of(weights: Weights, share: float) -> str:
    below = 0.0
    for name, weight in weights:
        below += weight
        if share < below:
            return name
    return weights[-1][0]
