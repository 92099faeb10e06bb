"""The chain on a batch of tensors, on their device: the draws and the noise of `engine`, a number of operators that does
not grow with the batch (performance.md 1.7; targets 5 and 7).

A step works on all samples that it acts on at once; what depends on drawn numbers is known to the host, which therefore
never waits for the device.
"""

from collections.abc import Sequence
from typing import TypeVar

from jaxtyping import UInt8
from torch import Tensor

from src.degradation.canvas import Canvas, canvas_of, image_levels
from src.degradation.canvas_blur import blur_canvas
from src.degradation.canvas_colour import grey_canvas, jitter_canvas, shift_canvas
from src.degradation.canvas_noise import add_gaussian_noise
from src.degradation.canvas_resize import resize_canvas
from src.degradation.chain import Chain
from src.degradation.draw import draw
from src.degradation.drawn import CodecDraw, Draw, GreyDraw, JitterDraw, KernelDraw, NoiseDraw, ResizeDraw, ShiftDraw
from src.degradation.integer_jpeg import jpeg_canvas
from src.degradation.keyed import SampleKey
from src.degradation.operations import (
    Blur,
    ColourJitter,
    ColourShift,
    Downsample,
    GaussianNoise,
    GaussianOrPoissonNoise,
    Grey,
    Jpeg,
    Operation,
    Rescale,
    ResizeBack,
)
from src.degradation.tensor_support import unsupported_steps
from src.settings.errors import UserError

Images = UInt8[Tensor, "b 3 s s"]
Kind = TypeVar("Kind")

_DRAWS: dict[type[Operation], type[Draw]] = {
    Blur: KernelDraw,
    Downsample: ResizeDraw,
    Rescale: ResizeDraw,
    ResizeBack: ResizeDraw,
    GaussianNoise: NoiseDraw,
    GaussianOrPoissonNoise: NoiseDraw,
    Jpeg: CodecDraw,
    ColourShift: ShiftDraw,
    ColourJitter: JitterDraw,
    Grey: GreyDraw,
}


def degrade_batch(hq: UInt8[Tensor, "b 3 h w"], chain: Chain, keys: Sequence[SampleKey]) -> tuple[Images, Images]:
    """(targets, degraded): sample i is `engine.degrade_pair` of hq[i] and keys[i], but for rounding.

    About one value in 10^5 is rounded to the neighbouring level before the JPEG, because sums differ in their last bit,
    and may then change a block of that image; over many images at most 0.3 % of the values differ and the mean difference
    is at most 0.002 level.

    Raises:
        ValueError: the images are not square, a key is illegal, or there is not one key for each image.
        UserError: a step is not available (`tensor_support`).
    """
    height, width = hq.shape[-2:]
    if height != width:
        raise ValueError(f"the images are {height} x {width} pixels, expected squares; crop or align them first")
    if len(hq) != len(keys):
        raise ValueError(f"{len(hq)} images came with {len(keys)} keys, expected one for each")
    missing = unsupported_steps(chain)
    if missing:
        raise UserError(" ".join(missing))
    return apply_batch_draws(hq, chain, [draw(chain, key, width) for key in keys], keys)


def apply_batch_draws(
    hq: Images, chain: Chain, draws: Sequence[Sequence[Draw]], keys: Sequence[SampleKey]
) -> tuple[Images, Images]:
    """(targets, degraded) with given parameters, in the order of the chain's steps; the keys are for the noise alone."""
    canvas = canvas_of(hq)
    queues = [list(drawn) for drawn in draws]
    for step in chain.steps:
        if step.operation is None:
            continue
        picks = [
            place for place, queue in enumerate(queues) if queue and type(queue[0]) is _DRAWS[type(step.operation)]
        ]
        if picks:
            canvas = _apply(canvas, picks, [queues[pick].pop(0) for pick in picks], [keys[pick] for pick in picks])
    side = hq.shape[-1]
    return _targets(hq, draws), image_levels(canvas)[..., :side, :side].contiguous()


def _apply(canvas: Canvas, picks: list[int], drawn: list[Draw], keys: list[SampleKey]) -> Canvas:
    """One step; `drawn` are of one class."""
    if kernels := _all(drawn, KernelDraw):
        return blur_canvas(canvas, picks, kernels)
    if resizes := _all(drawn, ResizeDraw):
        return resize_canvas(canvas, picks, resizes)
    if noises := _all(drawn, NoiseDraw):
        return add_gaussian_noise(canvas, picks, noises, keys)
    if codecs := _all(drawn, CodecDraw):
        return jpeg_canvas(canvas, picks, codecs)
    if shifts := _all(drawn, ShiftDraw):
        return shift_canvas(canvas, picks, shifts)
    if jitters := _all(drawn, JitterDraw):
        return jitter_canvas(canvas, picks, jitters)
    return grey_canvas(canvas, picks)


def _all(drawn: list[Draw], kind: type[Kind]) -> list[Kind]:
    return [one for one in drawn if isinstance(one, kind)]


def _targets(hq: Images, draws: Sequence[Sequence[Draw]]) -> Images:
    """The clean images, grey where the draws say so."""
    picks = [
        place
        for place, drawn in enumerate(draws)
        if any(isinstance(step, GreyDraw) and step.of_target for step in drawn)
    ]
    return image_levels(grey_canvas(canvas_of(hq), picks)) if picks else hq
